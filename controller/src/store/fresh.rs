//! A database of its own for each run of the proving ground, on a server it is superuser of.

use std::str::FromStr;

use sqlx::{AssertSqlSafe, ConnectOptions, Executor, postgres::PgConnectOptions};

use super::{DatabaseUrl, StoreError, error::During};

/// Databases that come and go on one server.
#[derive(Debug, Clone)]
pub struct FreshDatabases(PgConnectOptions);

impl FreshDatabases {
    /// `server` names a database of a superuser, who may make others.
    pub fn on(server: &DatabaseUrl) -> Result<Self, StoreError> {
        PgConnectOptions::from_str(server.exposed()).during("read the URL of a server").map(Self)
    }

    /// Makes an empty database. Its name must be a plain word.
    pub async fn create(&self, name: &str) -> Result<DatabaseUrl, StoreError> {
        self.execute(format!("CREATE DATABASE {}", quoted(name)), "make a database").await?;
        Ok(DatabaseUrl::new(self.0.clone().database(name).to_url_lossy().as_str()))
    }

    /// Drops it, whoever is connected.
    pub async fn discard(&self, name: &str) -> Result<(), StoreError> {
        let sql = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", quoted(name));
        self.execute(sql, "drop a database").await
    }

    async fn execute(&self, sql: String, what: &'static str) -> Result<(), StoreError> {
        let mut connection = self.0.connect().await.during(what)?;
        connection.execute(AssertSqlSafe(sql)).await.during(what).map(drop)
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        postgres::Server,
        store::{Database, Store},
    };

    #[tokio::test]
    async fn a_database_is_made_used_and_gone() {
        let Some(server) = Server::start(false).unwrap() else {
            eprintln!("SKIPPED: databases that come and go (PostgreSQL is not here)");
            return;
        };
        let fresh = FreshDatabases::on(&DatabaseUrl::new(server.url("postgres"))).unwrap();
        let url = fresh.create("run_1").await.unwrap();
        let store = Store::open_at(&Database::Server(url.clone())).await.unwrap();
        store.ping().await.unwrap();
        store.close().await;
        fresh.discard("run_1").await.unwrap();
        assert!(Store::connect(&Database::Server(url)).await.is_err(), "it is gone");
        fresh.discard("run_1").await.unwrap();
    }
}
