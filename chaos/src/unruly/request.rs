//! A request as it comes off the socket: head and body, both within bounds.

use std::io;

use tokio::{io::AsyncReadExt, net::TcpStream};

/// Bytes of a head, and of a body, that are read at most.
const HEAD_BYTES_MAX: usize = 16 * 1024;
const BODY_BYTES_MAX: usize = 1024 * 1024;
const HEADERS_MAX: usize = 64;

/// What was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    pub(super) method: String,
    /// Path without the query.
    pub(super) path: String,
    query: String,
    headers: Vec<(String, String)>,
}

impl Request {
    /// The next one on this connection; `None` when the caller has hung up.
    pub(crate) async fn read(socket: &mut TcpStream) -> io::Result<Option<Self>> {
        let mut bytes = Vec::new();
        loop {
            if let Some((request, head_len)) = Self::parse(&bytes)? {
                let body_len = request.body_len()?;
                let mut left = body_len.saturating_sub(bytes.len() - head_len);
                let mut body = [0u8; 4096];
                while left > 0 {
                    let room = left.min(body.len());
                    match socket.read(&mut body[..room]).await? {
                        0 => return Ok(None),
                        read => left -= read,
                    }
                }
                return Ok(Some(request));
            }
            if bytes.len() >= HEAD_BYTES_MAX {
                return Err(malformed("the head is too long"));
            }
            if socket.read_buf(&mut bytes).await? == 0 {
                return Ok(None);
            }
        }
    }

    /// The head, when it is whole, and its length.
    fn parse(bytes: &[u8]) -> io::Result<Option<(Self, usize)>> {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut parsed = httparse::Request::new(&mut headers);
        let status = parsed.parse(bytes).map_err(|error| malformed(&error.to_string()))?;
        let httparse::Status::Complete(len) = status else { return Ok(None) };
        let target = parsed.path.unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let header = |header: &httparse::Header<'_>| {
            (header.name.to_ascii_lowercase(), String::from_utf8_lossy(header.value).into_owned())
        };
        let request = Self {
            method: parsed.method.unwrap_or_default().to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            headers: parsed.headers.iter().map(header).collect(),
        };
        Ok(Some((request, len)))
    }

    fn body_len(&self) -> io::Result<usize> {
        let len = self.header("content-length").map_or(Ok(0), str::parse);
        let len: usize = len.map_err(|_| malformed("content-length is no number"))?;
        if len > BODY_BYTES_MAX { Err(malformed("the body is too long")) } else { Ok(len) }
    }

    /// The same for a service that answers; bodies that nobody reads are left out.
    pub(crate) fn into_http(self) -> http::Result<http::Request<axum::body::Body>> {
        let target = if self.query.is_empty() { self.path } else { format!("{}?{}", self.path, self.query) };
        let request = http::Request::builder().method(self.method.as_str()).uri(target);
        let request = self.headers.iter().fold(request, |request, (name, value)| request.header(name, value));
        request.body(axum::body::Body::empty())
    }

    /// By its name in lower case.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// A parameter of the query that needs no decoding.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        let mut pairs = self.query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.find(|(own, _)| *own == name).map(|(_, value)| value)
    }
}

fn malformed(problem: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, problem.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_when_it_is_whole() {
        let whole =
            b"POST /wake/dev1?wake=w1 HTTP/1.1\r\nIdempotency-Key: k1\r\nContent-Length: 3\r\n\r\nabc";
        assert!(Request::parse(&whole[..40]).expect("well formed").is_none());
        let (request, len) = Request::parse(whole).expect("well formed").expect("whole");
        assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/wake/dev1"));
        assert_eq!((request.header("idempotency-key"), request.parameter("wake")), (Some("k1"), Some("w1")));
        assert_eq!((len + 3, request.body_len().expect("a number")), (whole.len(), 3));
        assert!(Request::parse(b"nonsense\r\n\r\n").is_err());
    }
}
