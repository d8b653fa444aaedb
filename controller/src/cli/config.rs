//! `reveille config check` and `reveille config show`

use std::path::Path;

use super::{Exit, failure::Failure, screen::Screen};
use crate::{api::Tokens, config::Config, tls::Certificates};

pub(super) fn check(screen: &Screen, path: Option<&Path>) -> Result<Exit, Failure> {
    let config = Config::load(path)?;
    Tokens::check(&config).map_err(|error| Failure::File(error.into()))?;
    Certificates::read(&config.tls).map_err(|error| Failure::File(error.into()))?;
    let warnings = config.warnings();
    let of = path.map_or_else(|| "defaults and environment".into(), |path| path.display().to_string());
    if screen.is_json() {
        Screen::print(
            &serde_json::json!({ "ok": true, "configuration": of, "warnings": warnings }).to_string(),
        )?;
    } else {
        let told = warnings.iter().map(|warning| format!("warning: {warning}"));
        let lines: Vec<String> = std::iter::once(format!("{of}: can be used")).chain(told).collect();
        Screen::print(&lines.join("\n"))?;
    }
    Ok(Exit::Ok)
}

/// Secrets stand in files of their own, so that all of it may be shown.
pub(super) fn show(screen: &Screen, path: Option<&Path>) -> Result<Exit, Failure> {
    let config = Config::load(path)?;
    let text = if screen.is_json() {
        serde_json::to_string_pretty(&config).map_err(Failure::internal)?
    } else {
        toml::to_string_pretty(&config).map_err(Failure::internal)?
    };
    Screen::print(&text)?;
    Ok(Exit::Ok)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::Output;

    #[test]
    fn files_that_serve_would_refuse_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let (path, token) = (dir.path().join("controller.toml"), dir.path().join("token"));
        let screen = Screen::new(Output::Json);
        std::fs::write(&token, "x").unwrap();
        for text in [
            format!("[auth]\noperator_token_file = {token:?}"),
            format!("[tls]\ncertificate_file = {token:?}\nkey_file = {token:?}"),
        ] {
            std::fs::write(&path, &text).unwrap();
            let refused = check(&screen, Some(&path)).unwrap_err();
            assert!(matches!(refused, Failure::File(_)), "{text}: {refused}");
        }
    }

    #[test]
    fn what_is_shown_can_be_loaded_again() {
        let text = toml::to_string_pretty(&Config::default()).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("shown.toml");
        std::fs::write(&path, &text).unwrap();
        let again = Config::load(Some(&path)).unwrap();
        assert_eq!(toml::to_string_pretty(&again).unwrap(), text);
    }
}
