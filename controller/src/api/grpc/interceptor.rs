//! Lets calls with the right bearer token through.

use tonic::{Request, Status, service::Interceptor};

use crate::api::{Token, Tokens, auth::bearer};

impl Tokens {
    /// For the Control service.
    pub fn operator_interceptor(&self) -> impl Interceptor + Clone + Send + Sync + 'static + use<> {
        interceptor(self.operator.clone(), "the operator's token is needed")
    }

    /// For the agents' sessions.
    pub fn agent_interceptor(&self) -> impl Interceptor + Clone + Send + Sync + 'static + use<> {
        interceptor(self.agent.clone(), "the agents' token is needed")
    }
}

fn interceptor(
    token: Token,
    refusal: &'static str,
) -> impl Interceptor + Clone + Send + Sync + 'static + use<> {
    move |request: Request<()>| {
        let header = request.metadata().get("authorization").and_then(|value| value.to_str().ok());
        if header.and_then(bearer).is_some_and(|secret| token.admits(secret)) {
            Ok(request)
        } else {
            Err(Status::unauthenticated(format!("{refusal}: `authorization: Bearer TOKEN`")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(interceptor: &mut impl Interceptor, header: Option<&str>) -> bool {
        let mut request = Request::new(());
        if let Some(header) = header {
            request.metadata_mut().insert("authorization", header.parse().unwrap());
        }
        interceptor.call(request).is_ok()
    }

    #[test]
    fn only_the_right_token_passes() {
        let mut guard = interceptor(Token::new("right"), "no");
        assert!(asked(&mut guard, Some("Bearer right")));
        assert!(!asked(&mut guard, Some("Bearer wrong")));
        assert!(!asked(&mut guard, Some("right")));
        assert!(!asked(&mut guard, None));
    }
}
