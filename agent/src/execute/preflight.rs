//! May it, must it be woken: what its own answer and its platform's word say together. A rule without a look at anything.
//!
//! | the instance answers as itself | the platform says | then |
//! |---|---|---|
//! | yes | anything, or nothing | it is awake: no call |
//! | no | asleep, or there is no platform to ask | call |
//! | no | starting, awake | no call; wait and look until the deadline |
//! | no | upgrading | refused; another attempt may find it otherwise |
//! | no | reclaimed, owner gone, quiet, opted out | refused for good |
//! | no | nothing one understands | refused; another attempt may hear more |
//!
//! The instance itself is believed before its platform, whose word may be old. Where the platform says that it is up and it
//! does not answer, somebody else has woken it or it is on its way: a call could only be a second one.

use super::Refusal;
use crate::config::StatusWord;

/// What comes of a preflight.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Finding {
    Awake,
    Call,
    /// It should come up without us.
    Wait,
    No(Refusal),
}

/// `word` is `None` where there is no platform to ask.
pub(super) fn finding(answers: bool, word: Option<Result<StatusWord, String>>) -> Finding {
    if answers {
        return Finding::Awake;
    }
    match word {
        None | Some(Ok(StatusWord::Asleep)) => Finding::Call,
        Some(Ok(StatusWord::Starting | StatusWord::Awake)) => Finding::Wait,
        Some(Ok(
            word @ (StatusWord::Upgrading
            | StatusWord::Reclaimed
            | StatusWord::OwnerGone
            | StatusWord::Quiet
            | StatusWord::OptedOut),
        )) => Finding::No(Refusal::Platform { word }),
        Some(Err(problem)) => Finding::No(Refusal::StatusUnknown { problem }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_instance_is_believed_before_its_platform() {
        for word in
            [None, Some(Ok(StatusWord::Asleep)), Some(Ok(StatusWord::OptedOut)), Some(Err("?".into()))]
        {
            assert_eq!(finding(true, word), Finding::Awake);
        }
    }

    #[test]
    fn each_word_of_the_platform_has_its_consequence() {
        use StatusWord::{Asleep, Awake, OptedOut, OwnerGone, Quiet, Reclaimed, Starting, Upgrading};
        assert_eq!(finding(false, None), Finding::Call);
        assert_eq!(finding(false, Some(Ok(Asleep))), Finding::Call);
        assert_eq!(finding(false, Some(Ok(Starting))), Finding::Wait);
        assert_eq!(finding(false, Some(Ok(Awake))), Finding::Wait);
        for (word, code, retryable) in [
            (Upgrading, "upgrading", true),
            (Reclaimed, "reclaimed", false),
            (OwnerGone, "owner_gone", false),
            (Quiet, "quiet", false),
            (OptedOut, "opted_out", false),
        ] {
            let Finding::No(refusal) = finding(false, Some(Ok(word))) else { panic!("{word:?}") };
            assert_eq!((refusal.code(), refusal.retryable()), (code, retryable));
        }
        let Finding::No(unknown) = finding(false, Some(Err("it answered 500".into()))) else {
            panic!("a no")
        };
        assert_eq!((unknown.code(), unknown.retryable()), ("status_unknown", true));
    }
}
