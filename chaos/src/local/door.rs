//! The wake endpoints and instances of a world on a real socket: an answer that is withheld is a reset, an end of the stream, or
//! silence, as whoever called meets them on a network.

use std::{fmt::Write as _, io, net::SocketAddr};

use axum::Router;
use futures::StreamExt as _;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use crate::{net::carrier::Withheld, unruly::Request};

/// Serves at `listener` until `stop`: one request on a connection.
pub(super) fn serve(
    listener: TcpListener,
    router: Router,
    stop: CancellationToken,
) -> io::Result<SocketAddr> {
    let address = listener.local_addr()?;
    let accepting = async move {
        loop {
            let Ok((socket, _)) = listener.accept().await else { continue };
            let router = router.clone();
            tokio::spawn(async move {
                if let Err(error) = answer(router, socket).await {
                    tracing::debug!(%error, "a caller was not answered");
                }
            });
        }
    };
    tokio::spawn(stop.run_until_cancelled_owned(accepting));
    Ok(address)
}

async fn answer(router: Router, mut socket: TcpStream) -> io::Result<()> {
    let Some(request) = Request::read(&mut socket).await? else { return Ok(()) };
    let request = request.into_http().map_err(io::Error::other)?;
    let Ok(answer) = router.oneshot(request).await;
    match answer.extensions().get::<Withheld>() {
        // The kernel of this machine takes connections before anybody knows whose they are.
        Some(Withheld::Refused | Withheld::Cut) => return socket.set_zero_linger(),
        Some(Withheld::Ended) => return socket.shutdown().await,
        Some(Withheld::Silent) => {
            let mut ignored = [0; 1024];
            while socket.read(&mut ignored).await? > 0 {}
            return Ok(());
        }
        None => {}
    }
    let (parts, body) = answer.into_parts();
    let mut head = format!("HTTP/1.1 {} x\r\nconnection: close\r\n", parts.status.as_u16());
    for (name, value) in &parts.headers {
        write!(head, "{name}: {}\r\n", String::from_utf8_lossy(value.as_bytes()))
            .map_err(io::Error::other)?;
    }
    head.push_str("\r\n");
    socket.write_all(head.as_bytes()).await?;
    let mut chunks = body.into_data_stream();
    while let Some(chunk) = chunks.next().await {
        socket.write_all(&chunk.map_err(io::Error::other)?).await?;
    }
    socket.shutdown().await
}

#[cfg(test)]
mod tests {
    use axum::{
        Extension,
        http::StatusCode,
        response::IntoResponse as _,
        routing::{get, post},
    };

    use super::*;

    async fn door() -> String {
        rustls::crypto::ring::default_provider().install_default().ok();
        let withheld =
            |what: Withheld| move || async move { (Extension(what), StatusCode::OK).into_response() };
        let router = Router::new()
            .route("/echo", post(|| async { (StatusCode::ACCEPTED, "heard") }))
            .route("/cut", get(withheld(Withheld::Cut)))
            .route("/ended", get(withheld(Withheld::Ended)))
            .route("/silent", get(withheld(Withheld::Silent)));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = serve(listener, router, CancellationToken::new()).expect("served");
        format!("http://{address}")
    }

    #[tokio::test]
    async fn an_answer_is_one_and_what_is_withheld_is_met_on_the_socket() {
        let (base, client) = (door().await, reqwest::Client::new());
        let answer = client.post(format!("{base}/echo")).body("wake").send().await.expect("answered");
        assert_eq!(answer.status(), 202);
        assert_eq!(answer.text().await.expect("a body"), "heard");
        let told = async |path: &str| {
            let error = client.get(format!("{base}{path}")).timeout(std::time::Duration::from_millis(500));
            let error = error.send().await.expect_err("nothing came");
            let chain = std::iter::successors(Some(&error as &dyn std::error::Error), |error| error.source());
            chain.map(ToString::to_string).collect::<Vec<_>>().join(": ")
        };
        let (cut, ended, silent) = (told("/cut").await, told("/ended").await, told("/silent").await);
        assert!(cut.contains("reset by peer"), "{cut}");
        assert!(ended.contains("closed before message completed"), "{ended}");
        assert!(silent.contains("timed out"), "{silent}");
    }
}
