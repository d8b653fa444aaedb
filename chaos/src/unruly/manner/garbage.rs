//! Answers nobody can use: somebody else's page, half a document, far too much, a length that lies, bytes that are no text.

use std::io;

use crate::unruly::{exchange::Exchange, record::Ended};

/// What comes in place of an answer. None of them has an effect, except where it is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Garbage {
    /// 200 and a login in HTML.
    LoginPage,
    /// 200 and JSON that stops in the middle, of the length that was promised.
    TruncatedJson,
    /// 200 and ten megabytes of it.
    TenMegabytes,
    /// 200 and less than the length promised, with an effect.
    TooShort,
    /// 200 and bytes that are no UTF-8.
    NoText,
    /// Bytes that are no HTTP.
    NoHttp,
}

const LOGIN: &[u8] =
    b"<!doctype html><title>Sign in</title><form><input name=\"u\"><input type=\"password\"></form>";
const CHUNK: &[u8] = &[b'x'; 64 * 1024];
const CHUNKS: usize = 160;

impl Garbage {
    pub(super) async fn meet(self, exchange: &mut Exchange<'_>) -> io::Result<Ended> {
        exchange.bite();
        let json = [("content-type", "application/json")];
        match self {
            Self::LoginPage => exchange.answer(200, &[("content-type", "text/html")], LOGIN).await,
            Self::TruncatedJson => exchange.answer(200, &json, br#"{"state": "boo"#).await,
            Self::NoText => exchange.answer(200, &json, b"\"\xff\xfe\xc3\x28\"").await,
            Self::TenMegabytes => {
                let head = format!(
                    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
                    CHUNK.len() * CHUNKS
                );
                exchange.send(head.as_bytes()).await?;
                for _ in 0..CHUNKS {
                    exchange.send(CHUNK).await?;
                }
                exchange.cut().await.map(|_| Ended::Answered { status: 200 })
            }
            Self::TooShort => {
                exchange.take_effect();
                let short =
                    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 999\r\n\r\n{}";
                exchange.send(short).await?;
                exchange.cut().await
            }
            Self::NoHttp => {
                exchange.send(b"SSH-2.0-OpenSSH_9.2\r\n").await?;
                exchange.cut().await
            }
        }
    }
}
