//! The controller's pages, `/metrics` and its API: each is read over a line of its own, as the one who watches.

use anyhow::{Context as _, ensure};
use reveille_controller::api::OPERATOR_TOKEN_FILE;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpStream,
};

use super::stage::{CONTROLLER, PAGES, Stage, WATCH};

impl Stage {
    /// The body of a page.
    ///
    /// # Errors
    /// When nobody answers, or it is not a whole page with a 200.
    pub(super) async fn page(&self, path: &str) -> anyhow::Result<String> {
        let token = std::fs::read_to_string(self.dir.join(CONTROLLER).join(OPERATOR_TOKEN_FILE))?;
        match &self.local {
            Some(local) => read(TcpStream::connect(local.pages_at()).await?, path, token.trim()).await,
            None => read(self.exchange.call(WATCH, PAGES).await?, path, token.trim()).await,
        }
    }
}

async fn read(
    mut line: impl AsyncRead + AsyncWrite + Unpin,
    path: &str,
    token: &str,
) -> anyhow::Result<String> {
    let request = format!(
        "GET {path} HTTP/1.1\r\nhost: {CONTROLLER}\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\r\n"
    );
    line.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    line.read_to_end(&mut answer).await?;
    body(&answer).with_context(|| format!("no page {path}"))
}

/// The controller tells the length of what it has whole, and its pages are.
fn body(answer: &[u8]) -> anyhow::Result<String> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut head = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(length) = head.parse(answer)? else {
        anyhow::bail!("it ends in its head")
    };
    ensure!(head.code == Some(200), "it was answered with {}", head.code.unwrap_or_default());
    let told = head.headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length"));
    let told: usize = std::str::from_utf8(told.context("it has no length")?.value)?.parse()?;
    let body = &answer[length..];
    ensure!(body.len() == told, "{} of {told} bytes came", body.len());
    Ok(String::from_utf8(body.to_vec())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_page_is_one() {
        let page =
            |code: u16, length: usize| format!("HTTP/1.1 {code} X\r\nContent-Length: {length}\r\n\r\nfour");
        assert_eq!(body(page(200, 4).as_bytes()).expect("a page"), "four");
        for bad in [page(404, 4), page(200, 5), "HTTP/1.1 200 X\r\n\r\nfour".into(), "HTTP/1.1 200".into()] {
            assert!(body(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
