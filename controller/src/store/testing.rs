//! A fresh store for a test, on each database it can be on.

use std::{
    panic::AssertUnwindSafe,
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
};

use futures::FutureExt;
use sqlx::{AssertSqlSafe, ConnectOptions, Executor, postgres::PgConnectOptions};

use super::{Database, DatabaseUrl, Store};
use crate::postgres;

/// A superuser's URL of a server for tests; without it, each test process starts a private one.
const URL_VARIABLE: &str = "REVEILLE_TEST_POSTGRES_URL";

/// Where one test keeps its rows. They are gone when it ends.
pub(super) struct Home {
    /// Of an embedded database.
    _dir: tempfile::TempDir,
    database: Database,
}

impl Home {
    /// Opens the database, anew when it was closed.
    pub(super) async fn open(&self) -> Store {
        Store::open_at(&self.database).await.expect("opens")
    }

    /// Opens it as it is.
    pub(super) async fn connect(&self) -> Store {
        Store::connect(&self.database).await.expect("opens")
    }
}

fn dir() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary directory")
}

/// Runs a test on a file.
pub(super) async fn on_sqlite<F: Future<Output = ()>>(test: impl FnOnce(Home) -> F) {
    let dir = dir();
    let database = Database::File(dir.path().join("reveille.db"));
    test(Home { _dir: dir, database }).await;
}

/// Runs a test on a database of its own on a server; says so where there is none.
pub(super) async fn on_postgres<F: Future<Output = ()>>(name: &str, test: impl FnOnce(Home) -> F) {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let Some(admin) = tokio::task::spawn_blocking(admin_url).await.expect("looked") else {
        eprintln!("SKIPPED: {name} (PostgreSQL is not here)");
        return;
    };
    let database = format!("reveille_test_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let options: PgConnectOptions = admin.parse().expect("a URL");
    let admin_of = async |sql: String| {
        let mut connection = options.clone().connect().await.expect("a superuser's connection");
        connection.execute(AssertSqlSafe(sql)).await.expect("a superuser may do that");
    };
    admin_of(format!("CREATE DATABASE {database}")).await;
    let url = options.clone().database(&database).to_url_lossy();
    let home = Home { _dir: dir(), database: Database::Server(DatabaseUrl::new(url.as_str())) };
    let ended = AssertUnwindSafe(test(home)).catch_unwind().await;
    admin_of(format!("DROP DATABASE {database} WITH (FORCE)")).await;
    if let Err(panic) = ended {
        std::panic::resume_unwind(panic);
    }
}

/// One server for all tests of the process.
fn admin_url() -> Option<String> {
    static SERVER: OnceLock<Option<postgres::Server>> = OnceLock::new();
    if let Ok(url) = std::env::var(URL_VARIABLE) {
        return Some(url);
    }
    let server = SERVER.get_or_init(|| postgres::Server::start(false).expect("a private server"));
    server.as_ref().map(|server| server.url("postgres"))
}

/// Makes two tests of each function: one on a file, one on a server. A function that is not named here is dead code, so
/// none is forgotten.
macro_rules! both {
    ($($test:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test]
            async fn $test() {
                $crate::store::testing::on_sqlite(super::$test).await;
            })+
        }

        mod postgres {
            $(#[tokio::test]
            async fn $test() {
                $crate::store::testing::on_postgres(stringify!($test), super::$test).await;
            })+
        }
    };
}
pub(super) use both;
