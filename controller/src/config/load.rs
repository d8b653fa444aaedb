//! From file and environment to a checked [`Config`]; errors name file, line and key.

use std::path::{Path, PathBuf};

use etcetera::BaseStrategy;
use figment::{
    Figment,
    providers::{Env, Format, Serialized, Toml},
};

use super::Config;
use crate::store::{Database, DatabaseUrl};

/// Environment variables with this prefix set keys.
pub const ENV_PREFIX: &str = "REVEILLE_";

/// Variables with the prefix that are not keys of the file.
const NOT_KEYS: [&str; 6] = ["config", "address", "token", "token_file", "output", "bless"];

/// Variables of the agent, which may run in the same surroundings.
const AGENT_PREFIX: &str = "agent_";

/// Whether a variable, without its prefix, sets a key of the file. Names come as they are written, in upper case.
fn is_key(name: &str) -> bool {
    !name.to_ascii_lowercase().starts_with(AGENT_PREFIX)
        && !NOT_KEYS.iter().any(|other| name.eq_ignore_ascii_case(other))
}

/// A configuration that cannot be used, and why.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("failed to read the configuration {path}")]
    Read { path: PathBuf, source: std::io::Error },
    /// The message of the parser holds line, column and key.
    #[error("failed to parse {path}: {message}")]
    Parse { path: PathBuf, message: String },
    /// File and environment together; the message names the key and where its value came from.
    #[error("bad configuration: {0}")]
    Merge(Box<figment::Error>),
    #[error("bad configuration: `{key}` {problem}")]
    Value { key: String, problem: String },
}

impl ConfigError {
    pub(crate) fn value(key: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Value { key: key.into(), problem: problem.into() }
    }
}

impl Config {
    /// Defaults, then the file, then the environment; checked.
    pub fn load(path: Option<&Path>) -> Result<Self, ConfigError> {
        let mut figment = Figment::from(Serialized::defaults(Config::default()));
        if let Some(path) = path {
            let text = std::fs::read_to_string(path)
                .map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
            // Parsed on its own first: this parser's errors carry the line.
            toml::from_str::<Config>(&text)
                .map_err(|e| ConfigError::Parse { path: path.to_owned(), message: masked(&e.to_string()) })?;
            figment = figment.merge(Toml::string(&text));
        }
        let env = Env::prefixed(ENV_PREFIX).filter(|key| is_key(key.as_str())).split("__");
        let config: Self = figment.merge(env).extract().map_err(|e| ConfigError::Merge(Box::new(e)))?;
        config.check()?;
        Ok(config)
    }

    /// IANA zone of the instances of a cohort that name none: the cohort's, else the default.
    pub fn time_zone_of(&self, cohort: &str) -> &str {
        let own = self.cohorts.iter().find(|known| known.name == cohort);
        own.map_or(&self.model.time_zone, |cohort| &cohort.time_zone)
    }

    /// Where the database and the tokens are.
    pub fn data_dir(&self) -> Result<PathBuf, ConfigError> {
        if let Some(dir) = &self.store.data_dir {
            return Ok(dir.clone());
        }
        let base = etcetera::choose_base_strategy().map_err(|e| {
            ConfigError::value("store.data_dir", format!("is not set and there is no home: {e}"))
        })?;
        Ok(base.data_dir().join("reveille"))
    }

    /// Where the rows are: on the server that is named, else in a file of the data directory.
    pub fn database(&self) -> Result<Database, ConfigError> {
        let (key, url) = match (&self.store.database_url, &self.store.database_url_file) {
            (None, None) => return Ok(Database::File(self.data_dir()?.join("reveille.db"))),
            (Some(_), Some(_)) => {
                let problem = "and `store.database_url_file` are both set; one of them is enough";
                return Err(ConfigError::value("store.database_url", problem));
            }
            (Some(url), None) => ("store.database_url", url.clone()),
            (None, Some(path)) => {
                let key = "store.database_url_file";
                let text = std::fs::read_to_string(path).map_err(|error| {
                    ConfigError::value(key, format!("cannot be read, {}: {error}", path.display()))
                })?;
                (key, DatabaseUrl::new(text.trim()))
            }
        };
        url.check().map_err(|problem| ConfigError::value(key, problem))?;
        Ok(Database::Server(url))
    }
}

/// A parser shows the line it stumbles over: without what stands before the `@` of a URL.
fn masked(message: &str) -> String {
    let words = message.split_inclusive(char::is_whitespace);
    let mask = |word: &str| match (word.find("://"), word.rfind('@')) {
        (Some(scheme), Some(at)) if scheme < at => format!("{}..{}", &word[..scheme + 3], &word[at..]),
        _ => word.to_owned(),
    };
    words.map(mask).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_named_once_and_its_password_is_not_shown() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("database.url");
        std::fs::write(&file, "postgres://ann:s3cret@db/reveille\n").unwrap();
        let mut config = Config::default();
        config.store.database_url_file = Some(file.clone());
        assert_eq!(config.database().unwrap().to_string(), "postgres://db:5432/reveille");
        config.store.database_url = Some(DatabaseUrl::new("postgres://ann:s3cret@db/reveille"));
        assert!(config.database().unwrap_err().to_string().contains("both set"));
        config.store.database_url_file = None;
        let shown = toml::to_string(&config).unwrap();
        assert!(shown.contains("postgres://ann@db/reveille") && !shown.contains("s3cret"), "{shown}");
        config.store.database_url = Some(DatabaseUrl::new("mysql://ann:s3cret@db/reveille"));
        let error = config.check().unwrap_err().to_string();
        assert!(
            error.contains("`store.database_url` does not begin") && !error.contains("s3cret"),
            "{error}"
        );
    }

    #[test]
    fn a_parser_that_shows_the_line_does_not_show_the_password() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("bad.toml");
        std::fs::write(&path, "[store]\ndatabase_url = \"postgres://ann:s3cret@db/reveille").unwrap();
        let error = Config::load(Some(&path)).unwrap_err().to_string();
        assert!(error.contains("database_url") && !error.contains("s3cret"), "{error}");
    }

    #[test]
    fn variables_of_the_command_line_are_no_keys() {
        for name in
            ["ADDRESS", "TOKEN", "TOKEN_FILE", "CONFIG", "OUTPUT", "AGENT_CONFIG", "AGENT__GUARD__WAKES_MAX"]
        {
            assert!(!is_key(name), "{name}");
        }
        assert!(is_key("LISTEN__HTTP"));
    }
}
