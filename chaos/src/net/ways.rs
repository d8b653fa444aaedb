//! How the parts of a world reach each other, whichever it is: by ports of loopback, or by lines within this process.

use std::{io, net::SocketAddr};

use futures::{FutureExt as _, Stream, StreamExt as _, stream};
use hyper_util::rt::TokioIo;
use reveille_agent::link::{Dial, Line};
use reveille_controller::tls::Wire;
use tokio::{net::TcpListener, sync::mpsc};
use tonic::transport::{Channel, Endpoint, Uri};
use tower::service_fn;

use super::Exchange;

/// Cheap to clone.
#[derive(Debug, Clone)]
pub enum Ways {
    Loopback,
    Within(Exchange),
}

/// Where calls come in.
#[derive(Debug)]
pub enum Door {
    Port(TcpListener),
    Within(mpsc::Receiver<(Wire, SocketAddr)>),
}

impl Ways {
    /// Opens a door, and gives the authority it is called by: `name` itself, or a port of loopback.
    pub async fn open(&self, name: &str) -> io::Result<(String, Door)> {
        match self {
            Self::Within(exchange) => Ok((name.to_owned(), Door::Within(exchange.listen(name)))),
            Self::Loopback => {
                let listener = TcpListener::bind("127.0.0.1:0").await?;
                Ok((listener.local_addr()?.to_string(), Door::Port(listener)))
            }
        }
    }

    /// A client of what is behind `authority`, which connects when it is first used. `caller` is who calls.
    pub fn channel(&self, caller: &str, authority: &str) -> io::Result<Channel> {
        let endpoint = Endpoint::from_shared(format!("http://{authority}")).map_err(io::Error::other)?;
        let Self::Within(exchange) = self else { return Ok(endpoint.connect_lazy()) };
        let (exchange, caller) = (exchange.clone(), caller.to_owned());
        let call = move |uri: Uri| {
            let (exchange, caller) = (exchange.clone(), caller.clone());
            async move {
                let name = uri.authority().map_or("", |authority| authority.as_str());
                exchange.call(&caller, name).await.map(TokioIo::new)
            }
        };
        Ok(endpoint.connect_with_connector_lazy(service_fn(call)))
    }

    /// For the agent `caller`; nothing where it uses TCP, as in production.
    pub fn dial(&self, caller: &str) -> Option<Dial> {
        let Self::Within(exchange) = self else { return None };
        let (exchange, caller) = (exchange.clone(), caller.to_owned());
        Some(Dial::new(move |authority: &str| {
            let (exchange, caller, name) = (exchange.clone(), caller.clone(), authority.to_owned());
            async move {
                let line = exchange.call(&caller, &name).await?;
                Ok(Box::new(line) as Box<dyn Line>)
            }
            .boxed()
        }))
    }
}

impl Door {
    /// Every call that comes in.
    pub fn calls(self) -> impl Stream<Item = io::Result<Wire>> + Send {
        match self {
            Self::Port(listener) => {
                let accept = |listener: TcpListener| async move {
                    let wire = listener.accept().await.map(|(tcp, _)| Wire::Plain(tcp));
                    Some((wire, listener))
                };
                stream::unfold(listener, accept).left_stream()
            }
            Self::Within(calls) => {
                let next = |mut calls: mpsc::Receiver<(Wire, SocketAddr)>| async move {
                    let (wire, _) = calls.recv().await?;
                    Some((Ok(wire), calls))
                };
                stream::unfold(calls, next).right_stream()
            }
        }
    }
}
