//! What a body says: at most its first 64 KiB are read, within the time the whole request has.

use reqwest::{Response, header::CONTENT_TYPE};

use crate::config::Expect;

/// As much of a body as is looked at.
pub(super) const BODY_BYTES_MAX: usize = 64 * 1024;

/// What an answer's body is to what was expected of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Body {
    /// As expected, or nothing was.
    Expected,
    /// Without the text, or not the JSON.
    Odd,
    /// A page for people where none was expected.
    Page,
}

/// The first [`BODY_BYTES_MAX`] bytes; a body that drips on is given up by the request's timeout.
pub(super) async fn read(mut response: Response) -> reqwest::Result<Vec<u8>> {
    let mut body = Vec::new();
    while body.len() < BODY_BYTES_MAX {
        let Some(chunk) = response.chunk().await? else { break };
        let room = BODY_BYTES_MAX - body.len();
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
    }
    Ok(body)
}

/// Who has answered: an instance may greet its users with a login, a wake endpoint that does is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Who {
    Endpoint,
    Instance,
}

/// Reads it only if something is expected of it, or if it may be a login in place of an endpoint.
pub(super) async fn judge(expect: &Expect, response: Response, who: Who) -> reqwest::Result<Body> {
    let is_page = is_html(&response);
    let is_open = expect.body_contains.is_none() && !expect.json;
    if is_open && !(is_page && who == Who::Endpoint) {
        return Ok(Body::Expected);
    }
    let body = read(response).await?;
    // A parser that only looks over JSON takes bytes that are no text for text.
    let is_text = str::from_utf8(&body).is_ok();
    let text = String::from_utf8_lossy(&body);
    let has_text = expect.body_contains.as_deref().is_none_or(|marker| text.contains(marker));
    let is_json = !expect.json
        || (!is_page && is_text && serde_json::from_slice::<serde::de::IgnoredAny>(&body).is_ok());
    Ok(match (has_text && is_json, is_page) {
        (false, true) => Body::Page,
        (false, false) => Body::Odd,
        (true, true) if is_open && asks_for_password(&text) => Body::Page,
        (true, _) => Body::Expected,
    })
}

fn is_html(response: &Response) -> bool {
    let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    kind.is_some_and(|kind| kind.trim_start().to_ascii_lowercase().starts_with("text/html"))
}

fn asks_for_password(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    ["type=\"password\"", "type='password'", "type=password"].iter().any(|field| text.contains(field))
}
