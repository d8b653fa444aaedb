//! `reveille config check` and `reveille config show`

use std::path::Path;

use super::{Exit, failure::Failure, screen::Screen};
use crate::config::Config;

pub(super) fn check(screen: &Screen, path: Option<&Path>) -> Result<Exit, Failure> {
    let warnings = Config::load(path)?.warnings();
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
