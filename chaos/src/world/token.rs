//! The token the portal takes, and the file in which whoever calls finds it. When it expires, the portal takes another one, which
//! somebody else writes into the file: with the first refusal, or not at all for a while.

use std::{io, path::PathBuf};

/// By default the portal asks for none.
#[derive(Debug, Default)]
pub struct Token {
    file: Option<PathBuf>,
    /// How often it expired.
    turn: u64,
    /// The one that is in the file.
    given: u64,
}

impl Token {
    /// From now on the portal takes the token in `file`.
    pub fn keep_in(&mut self, file: PathBuf) -> io::Result<()> {
        *self = Self { file: Some(file), ..Self::default() };
        self.write()
    }

    /// The portal takes another one from now on.
    pub fn expire(&mut self) {
        self.turn += 1;
    }

    /// Whether the portal takes what a caller has; `authorization` is the header of that name.
    pub fn takes(&self, authorization: Option<&str>) -> bool {
        self.file.is_none()
            || authorization.and_then(|has| has.strip_prefix("Bearer ")) == Some(&*self.text())
    }

    /// Whether it is another one than in the beginning.
    pub fn is_new(&self) -> bool {
        self.turn > 0
    }

    /// The new one is where callers look.
    pub fn hand_out(&mut self) -> io::Result<()> {
        if self.given == self.turn {
            return Ok(());
        }
        self.given = self.turn;
        self.write()
    }

    fn text(&self) -> String {
        format!("portal-token-{}", self.turn)
    }

    fn write(&self) -> io::Result<()> {
        self.file.as_ref().map_or(Ok(()), |file| std::fs::write(file, format!("Bearer {}\n", self.text())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expired_token_is_refused_until_the_file_has_the_next() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("portal.token");
        let read = || std::fs::read_to_string(&file).expect("readable").trim_end().to_owned();
        let mut token = Token::default();
        assert!(token.takes(None), "it asks for none");
        token.keep_in(file.clone()).expect("written");
        assert!(token.takes(Some(&read())) && !token.takes(None) && !token.is_new());
        token.expire();
        assert!(!token.takes(Some(&read())));
        token.hand_out().expect("written");
        assert!(token.takes(Some(&read())) && token.is_new());
    }
}
