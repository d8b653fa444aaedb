//! Answers of the endpoints that are not what a caller hopes for.

use std::{convert::Infallible, time::Duration};

use axum::{
    body::{Body, Bytes},
    http::{
        StatusCode,
        header::{CONTENT_TYPE, RETRY_AFTER},
    },
    response::{IntoResponse, Response},
};
use futures::stream;
use reveille_proto::clock::Clock;
use serde_json::Value;

use crate::experiment::catalogue::endpoint::{Body as Instead, Garbage, RetryAfter, Throttled429};

/// Of a body that is only large.
const CHUNK_BYTES: u64 = 64 * 1024;

const LOGIN_PAGE: &str = "<!DOCTYPE html><html><head><title>Log in</title></head><body><form method=\"post\">\
    <input name=\"user\"><input type=\"password\" name=\"password\"></form></body></html>\n";

pub(super) fn throttled(fault: &Throttled429) -> Response {
    let value = match fault.retry_after {
        RetryAfter::Seconds => fault.retry_after_s.to_string(),
        // Of a day long past, and in a form that HTTP knows.
        RetryAfter::Date => "Mon, 02 Mar 2026 00:00:00 GMT".to_owned(),
        RetryAfter::Malformed => "soon".to_owned(),
        RetryAfter::Absurd => "31536000".to_owned(),
        RetryAfter::Missing => return StatusCode::TOO_MANY_REQUESTS.into_response(),
    };
    (StatusCode::TOO_MANY_REQUESTS, [(RETRY_AFTER, value)]).into_response()
}

/// A yes by its status, and none by its body.
pub(super) fn garbage(fault: &Garbage) -> Response {
    let json = [(CONTENT_TYPE, "application/json")];
    match fault.body {
        Instead::LoginPage => {
            (StatusCode::OK, [(CONTENT_TYPE, "text/html; charset=utf-8")], LOGIN_PAGE).into_response()
        }
        Instead::TruncatedJson => (StatusCode::OK, json, r#"{"instance":"dev0"#).into_response(),
        Instead::WrongShape => (StatusCode::OK, json, r#"[["ok",1],null,{"result":[]}]"#).into_response(),
        Instead::Huge => (StatusCode::OK, Body::from_stream(much(fault.body_bytes))).into_response(),
    }
}

fn much(bytes: u64) -> impl futures::Stream<Item = Result<Bytes, Infallible>> + Send + 'static {
    let chunk = Bytes::from(vec![b'x'; CHUNK_BYTES as usize]);
    stream::unfold((chunk, bytes), |(chunk, left)| async move {
        let length = left.min(CHUNK_BYTES);
        (length > 0).then(|| (Ok(chunk.slice(..length as usize)), (chunk, left - length)))
    })
}

/// An answer of which so many bytes come in a second.
pub(super) fn dripped(clock: Clock, status: StatusCode, answer: &Value, bytes_per_s: u64) -> Response {
    let rest = Bytes::from(answer.to_string());
    let drops = stream::unfold((clock, rest), move |(clock, mut rest)| async move {
        if rest.is_empty() {
            return None;
        }
        clock.sleep(Duration::from_secs(1)).await;
        let drop = rest.split_to(rest.len().min(bytes_per_s.max(1) as usize));
        Some((Ok::<_, Infallible>(drop), (clock, rest)))
    });
    (status, [(CONTENT_TYPE, "application/json")], Body::from_stream(drops)).into_response()
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    async fn body(response: Response) -> Bytes {
        axum::body::to_bytes(response.into_body(), 1 << 24).await.expect("a body")
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_dripped_comes_whole_and_in_its_time() {
        let began = tokio::time::Instant::now();
        let clock = Clock::scaled(Timestamp::UNIX_EPOCH, 1.0);
        let answer = dripped(clock, StatusCode::ACCEPTED, &serde_json::json!({"state": "booting"}), 2);
        assert_eq!(body(answer).await, r#"{"state":"booting"}"#);
        assert_eq!(began.elapsed().as_secs(), 10);
    }

    #[tokio::test]
    async fn garbage_is_a_yes_of_every_kind() {
        for instead in [Instead::LoginPage, Instead::TruncatedJson, Instead::WrongShape, Instead::Huge] {
            let answer = garbage(&Garbage { body: instead, body_bytes: 100_000, ..Garbage::default() });
            assert_eq!(answer.status(), StatusCode::OK);
            let body = body(answer).await;
            assert_eq!(body.len() == 100_000, instead == Instead::Huge);
            assert!(serde_json::from_slice::<Value>(&body).is_ok() == (instead == Instead::WrongShape));
        }
    }
}
