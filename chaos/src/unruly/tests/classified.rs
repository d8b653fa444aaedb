//! What the agent takes each answer for: only a certain no is a no, and nothing doubtful is a yes.

use std::{fs, time::Duration};

use reveille_agent::driver::CallOutcome;

use super::rig::{Rig, WAKE, call, is_unknown};
use crate::{
    unruly::{
        Ended, Manner,
        manner::{
            ExpiredAuth, Garbage, LostResponse, Reset, ServerError, Silent, SlowDrip, SlowHeaders, Throttled,
        },
    },
    world::stream,
};

const FAST: Duration = Duration::from_millis(2);
const SLOW: Duration = Duration::from_millis(100);

#[tokio::test]
async fn an_endpoint_that_behaves_is_believed_and_keeps_books() {
    let rig = Rig::new(Manner::Behaves).await;
    assert_eq!(rig.call().await, CallOutcome::Accepted);
    let seen = rig.seen().await;
    assert_eq!((seen.had_effect, seen.ended), (true, Ended::Answered { status: 202 }));
    let effect = &rig.unruly.effects()[0];
    assert_eq!((effect.instance.as_str(), effect.wake.as_deref()), ("dev1", Some(WAKE)));
    assert_eq!(effect.idem.as_deref(), Some("key-1"));
    assert_eq!(rig.hits(), 0);
}

#[tokio::test]
async fn a_reset_is_unknown_whether_it_came_before_the_effect_or_after() {
    for has_effect in [false, true] {
        let rig = Rig::new(Manner::Reset(Reset { has_effect })).await;
        let outcome = rig.call().await;
        assert!(is_unknown(&outcome), "{has_effect}: {outcome:?}");
        assert_eq!((rig.seen().await.ended, rig.effects()), (Ended::Reset, usize::from(has_effect)));
        assert_eq!(rig.hits(), 1);
    }
}

#[tokio::test]
async fn an_answer_that_is_lost_on_its_way_is_unknown() {
    for half in [false, true] {
        let rig = Rig::new(Manner::LostResponse(LostResponse { half })).await.expecting_json();
        let outcome = rig.call().await;
        assert!(is_unknown(&outcome), "{half}: {outcome:?}");
        assert_eq!((rig.seen().await.ended, rig.effects()), (Ended::Cut, 1));
    }
}

#[tokio::test]
async fn silence_is_given_up_in_time_and_unknown() {
    let rig = Rig::new(Manner::Silent(Silent { has_effect: true })).await;
    let outcome = rig.call().await;
    assert!(is_unknown(&outcome), "{outcome:?}");
    assert_eq!((rig.seen().await.ended, rig.effects()), (Ended::HungUp, 1));
}

#[tokio::test]
async fn a_body_that_drips_has_the_time_of_the_request_and_no_more() {
    let quick = Rig::new(Manner::SlowDrip(SlowDrip { every: FAST, bytes: 20 })).await.expecting_json();
    assert_eq!(quick.call().await, CallOutcome::Accepted);
    let slow = Rig::new(Manner::SlowDrip(SlowDrip { every: SLOW, bytes: 1000 })).await.expecting_json();
    let outcome = slow.call().await;
    assert!(is_unknown(&outcome), "{outcome:?}");
    assert_eq!(slow.seen().await.ended, Ended::HungUp);
}

#[tokio::test]
async fn a_head_that_never_ends_is_given_up() {
    let rig = Rig::new(Manner::SlowHeaders(SlowHeaders { every: FAST })).await;
    let outcome = rig.call().await;
    assert!(is_unknown(&outcome), "{outcome:?}");
    assert_eq!(rig.seen().await.ended, Ended::HungUp);
}

#[tokio::test]
async fn garbage_is_never_success() {
    use Garbage::{LoginPage, NoHttp, NoText, TenMegabytes, TooShort, TruncatedJson};
    for garbage in [LoginPage, TruncatedJson, TenMegabytes, TooShort, NoText, NoHttp] {
        let rig = Rig::new(Manner::Garbage(garbage)).await.expecting_json();
        let outcome = rig.call().await;
        assert!(is_unknown(&outcome), "{garbage:?}: {outcome:?}");
        assert_eq!((rig.hits(), rig.effects()), (1, usize::from(garbage == TooShort)));
    }
}

#[tokio::test]
async fn a_login_page_is_no_success_even_where_nothing_is_expected() {
    let rig = Rig::new(Manner::Garbage(Garbage::LoginPage)).await;
    let outcome = rig.call().await;
    assert!(is_unknown(&outcome), "{outcome:?}");
}

#[tokio::test]
async fn of_a_huge_body_only_the_beginning_is_read() {
    let rig = Rig::new(Manner::Garbage(Garbage::TenMegabytes)).await.expecting_json();
    assert!(is_unknown(&rig.call().await));
    assert_eq!(rig.seen().await.ended, Ended::HungUp, "the agent did not take all of it");
}

async fn throttled(retry_after: Option<&str>) -> CallOutcome {
    let manner = Throttled { retry_after: retry_after.map(str::to_owned) };
    let rig = Rig::new(Manner::Throttled(manner)).await;
    let outcome = rig.call().await;
    assert_eq!(rig.effects(), 0);
    outcome
}

#[tokio::test]
async fn retry_after_is_honoured_bounded_and_ignored_when_it_says_nothing() {
    let never = "99999999999999999999999999";
    for (said, understood) in [
        (Some("7"), Some(7)),
        (Some("100000"), Some(600)),
        (Some(never), Some(600)),
        (Some("Fri, 31 Dec 9999 23:59:59 GMT"), Some(600)),
        (Some("-5"), None),
        (Some("soon"), None),
        (Some("1.5"), None),
        (Some(""), None),
        (None, None),
    ] {
        let outcome = throttled(said).await;
        let CallOutcome::Refused { retry_after_s, retryable: true, .. } = outcome else {
            panic!("{said:?}: {outcome:?}")
        };
        assert_eq!(retry_after_s, understood, "{said:?}");
    }
}

#[tokio::test]
async fn a_token_that_rotated_is_read_again_once_and_an_old_one_stays_refused() {
    let manner =
        |token: &str| Manner::ExpiredAuth(ExpiredAuth { header: "x-token".into(), token: token.to_owned() });
    let rig = Rig::new(manner("today")).await.with_token_file("yesterday");
    let targets = rig.targets();
    let outcome = call(&targets).await;
    assert!(matches!(outcome, CallOutcome::Refused { retryable: false, .. }), "{outcome:?}");
    assert_eq!((rig.hits(), rig.effects()), (2, 0), "once more, and no third time");
    fs::write(rig.dir.path().join("token"), "today").expect("written");
    assert_eq!(call(&targets).await, CallOutcome::Accepted);
    assert_eq!(rig.effects(), 1);
}

#[tokio::test]
async fn server_errors_are_a_no_on_their_share_and_gateway_errors_are_unknown() {
    let rig = Rig::new(Manner::ServerError(ServerError::new(500, 0.5, stream(3, 1)))).await;
    let mut refused = 0;
    for _ in 0..20 {
        // Drivers of their own: no breaker of an earlier call stands in the way.
        match rig.call().await {
            CallOutcome::Refused { retryable: true, overloaded: true, .. } => refused += 1,
            CallOutcome::Accepted => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((rig.hits(), rig.effects()), (refused, 20 - refused as usize));
    assert!((4..=16).contains(&refused), "{refused} of 20");
    let gateway = Rig::new(Manner::ServerError(ServerError::new(502, 1.0, stream(3, 1)))).await;
    assert!(is_unknown(&gateway.call().await));
}
