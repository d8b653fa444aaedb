//! Reading requests; what cannot be read is a problem that names the part.

use axum::{
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Path, Query, Request},
    http::{StatusCode, request::Parts},
};
use serde::de::DeserializeOwned;

use super::Problem;
use crate::api::ControlError;

/// Who asks, from `x-reveille-user`; for the record only, it gives no rights.
pub(super) const USER_HEADER: &str = "x-reveille-user";
/// Who asks when nobody is named.
const USER_DEFAULT: &str = "operator";
const USER_CHARACTERS_MAX: usize = 100;

/// The query string.
pub(super) struct Asked<T>(pub(super) T);

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let query = Query::<T>::try_from_uri(&parts.uri);
        query.map(|Query(value)| Self(value)).map_err(|e| {
            let said = e.body_text();
            // After the prefix, which speaks of a library's work, stands the parameter's name.
            let problem = said.strip_prefix("Failed to deserialize query string: ").unwrap_or(&said);
            let detail = format!("the query is not what is expected: {problem}");
            Problem::new(StatusCode::BAD_REQUEST, "invalid", detail)
        })
    }
}

/// The variable part of the path.
pub(super) struct Named<T>(pub(super) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Named<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = Path::<T>::from_request_parts(parts, state).await;
        path.map(|Path(value)| Self(value))
            .map_err(|e| Problem::new(StatusCode::BAD_REQUEST, "invalid", e.body_text()))
    }
}

/// The JSON body; an empty one is the default, where there is one.
pub(super) struct Body<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let bytes = Bytes::from_request(request, state)
            .await
            .map_err(|e| Problem::new(e.status(), "invalid", e.body_text()))?;
        let bytes = if bytes.is_empty() { b"{}" } else { bytes.as_ref() };
        serde_json::from_slice(bytes).map(Self).map_err(|e| {
            Problem::new(StatusCode::BAD_REQUEST, "invalid", format!("the body is not what is expected: {e}"))
        })
    }
}

/// See [`USER_HEADER`].
pub(super) struct By(pub(super) String);

impl<S: Sync> FromRequestParts<S> for By {
    type Rejection = ControlError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ControlError> {
        let Some(header) = parts.headers.get(USER_HEADER) else { return Ok(Self(USER_DEFAULT.into())) };
        let name = header.to_str().unwrap_or_default().trim();
        if name.is_empty() || name.len() > USER_CHARACTERS_MAX {
            let problem = format!("must be 1 to {USER_CHARACTERS_MAX} visible ASCII characters");
            return Err(ControlError::invalid(USER_HEADER, problem));
        }
        Ok(Self(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Params {
        #[serde(default)]
        #[expect(dead_code, reason = "only read")]
        page_size: u32,
        #[expect(dead_code, reason = "only read")]
        at: Option<jiff::Timestamp>,
    }

    #[tokio::test]
    async fn a_bad_parameter_is_named() {
        for (query, expected) in [
            ("page_size=x", "the query is not what is expected: page_size: "),
            ("at=y", "the query is not what is expected: at: "),
            ("other=1", "unknown field `other`, expected `page_size` or `at`"),
            ("page_size=1&page_size=2", "the query is not what is expected: duplicate field `page_size`"),
        ] {
            let request = Request::builder().uri(format!("/v1/wakes?{query}")).body(()).unwrap();
            let asked = Asked::<Params>::from_request_parts(&mut request.into_parts().0, &()).await;
            let Err(problem) = asked else { panic!("{query} was taken") };
            assert!(problem.detail.contains(expected), "{}", problem.detail);
        }
    }
}
