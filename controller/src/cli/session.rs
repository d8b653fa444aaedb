//! One command's talk with a controller: ask, then show.

use serde::de::DeserializeOwned;

use super::{
    Exit,
    args::Global,
    client::{Answer, Client},
    failure::Failure,
    screen::Screen,
    target::Target,
};

#[derive(Debug)]
pub(super) struct Session {
    pub(super) client: Client,
    pub(super) screen: Screen,
}

impl Session {
    pub(super) fn open(global: &Global, screen: Screen) -> Result<Self, Failure> {
        Ok(Self { client: Client::new(Target::find(global)?)?, screen })
    }

    /// JSON is the answer's own; otherwise `render` makes text of it.
    pub(super) fn show<T: DeserializeOwned>(
        &self,
        answer: &Answer,
        render: impl FnOnce(&T, &Screen) -> String,
    ) -> Result<Exit, Failure> {
        if self.screen.is_json() {
            Screen::print(&answer.0)?;
        } else {
            Screen::print(&render(&answer.read()?, &self.screen))?;
        }
        Ok(Exit::Ok)
    }
}
