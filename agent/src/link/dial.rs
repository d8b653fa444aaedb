//! How the controller is reached: over TCP, or by a line that whoever gave the agent its seams has at hand.

use std::{fmt, io, sync::Arc};

use futures::future::BoxFuture;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tonic::transport::{Channel, Endpoint, Uri};
use tower::service_fn;

use super::SessionError;

/// Bytes to and from the controller.
pub trait Line: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Line for T {}

type Made = BoxFuture<'static, io::Result<Box<dyn Line>>>;

/// Makes a line to the authority of an address, such as `controller-1:7401`. Cheap to clone.
#[derive(Clone)]
pub struct Dial(Arc<dyn Fn(&str) -> Made + Send + Sync>);

impl Dial {
    pub fn new(dial: impl Fn(&str) -> Made + Send + Sync + 'static) -> Self {
        Self(Arc::new(dial))
    }
}

impl fmt::Debug for Dial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Dial")
    }
}

pub(super) async fn connect(endpoint: &Endpoint, dial: Option<&Dial>) -> Result<Channel, SessionError> {
    let connected = match dial {
        None => endpoint.connect().await,
        Some(Dial(dial)) => {
            let dial = Arc::clone(dial);
            let made = move |uri: Uri| {
                let line = dial(uri.authority().map_or("", |authority| authority.as_str()));
                async move { line.await.map(TokioIo::new) }
            };
            endpoint.connect_with_connector(service_fn(made)).await
        }
    };
    connected.map_err(|error| SessionError::Connect(Box::new(error)))
}
