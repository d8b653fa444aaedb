//! Which database: a file, or a server. What is shown of a server never holds a password.

use std::{fmt, path::PathBuf, str::FromStr};

use serde::{Deserialize, Serialize, Serializer};
use sqlx::postgres::PgConnectOptions;

/// Where the rows are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Database {
    /// Embedded: a file of SQLite.
    File(PathBuf),
    /// Shared: PostgreSQL.
    Server(DatabaseUrl),
}

impl fmt::Display for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Server(url) => url.fmt(f),
        }
    }
}

/// `postgres://user:password@host:port/database?options`. The text is taken as it is; [`Self::check`] says what is
/// wrong with it.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct DatabaseUrl(String);

impl DatabaseUrl {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// With the password: for whoever writes it into a file that only its owner can read.
    pub fn exposed(&self) -> &str {
        &self.0
    }

    /// Whether it can be used; the problem does not repeat it.
    pub fn check(&self) -> Result<(), String> {
        if !["postgres://", "postgresql://"].iter().any(|scheme| self.0.starts_with(scheme)) {
            return Err("does not begin with postgres://".into());
        }
        let options =
            PgConnectOptions::from_str(&self.0).map_err(|error| format!("cannot be read: {error}"))?;
        let named = options.get_database().is_some_and(|name| !name.is_empty());
        if named { Ok(()) } else { Err("names no database: postgres://user@host/database".into()) }
    }

    /// The same without what is secret.
    fn without_password(&self) -> String {
        let Some((scheme, rest)) = self.0.split_once("://") else { return String::new() };
        let (rest, query) = rest.split_once('?').map_or((rest, None), |(rest, query)| (rest, Some(query)));
        // A password that should have been encoded may hold a slash.
        let (user, place) = rest.rsplit_once('@').map_or((None, rest), |(user, place)| (Some(user), place));
        let user = user.map(|user| user.split(':').next().unwrap_or_default());
        let options = query.into_iter().flat_map(|query| query.split('&'));
        let options: Vec<_> =
            options.filter(|option| !option.to_ascii_lowercase().contains("password")).collect();
        let user = user.map_or_else(String::new, |user| format!("{user}@"));
        let options = if options.is_empty() { String::new() } else { format!("?{}", options.join("&")) };
        format!("{scheme}://{user}{place}{options}")
    }
}

/// Host and database.
impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match PgConnectOptions::from_str(&self.0) {
            // Of what is no URL of PostgreSQL nobody knows which part is secret.
            Ok(options) if self.check().is_ok() => {
                let database = options.get_database().unwrap_or_default();
                write!(f, "postgres://{}:{}/{database}", options.get_host(), options.get_port())
            }
            _ => f.write_str("postgres://"),
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseUrl({self})")
    }
}

/// For `reveille config show`: what is shown can be loaded again, but for the password.
impl Serialize for DatabaseUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.without_password())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_shown() {
        for text in [
            "postgres://ann:s3cret@db.example.com:5433/reveille?sslmode=require",
            "postgresql://ann:s3cr/et@db.example.com:5433/reveille",
            "postgres://ann@db.example.com:5433/reveille?password=s3cret&sslmode=require",
            "postgres://ann:s3cret@",
            "postgres:s3cret",
        ] {
            let url = DatabaseUrl::new(text);
            let json = serde_json::to_string(&url).unwrap();
            let shown = format!("{url} {url:?} {} {json} {:?}", Database::Server(url.clone()), url.check());
            assert!(!shown.contains("s3cr"), "{shown}");
        }
        let url = DatabaseUrl::new("postgres://ann:s3cret@db.example.com:5433/reveille?sslmode=require");
        assert_eq!(url.to_string(), "postgres://db.example.com:5433/reveille");
        assert_eq!(url.without_password(), "postgres://ann@db.example.com:5433/reveille?sslmode=require");
    }

    #[test]
    fn what_is_no_postgres_or_names_no_database_is_refused() {
        assert_eq!(DatabaseUrl::new("postgres://ann@h/reveille").check(), Ok(()));
        for text in
            ["mysql://h/reveille", "sqlite:reveille.db", "h/reveille", "postgres://h", "postgres://h:x/r"]
        {
            assert!(DatabaseUrl::new(text).check().is_err(), "{text}");
        }
    }
}
