//! Opening a database, and counting epochs.

use std::{fmt::Write, path::Path, sync::Once, time::Duration};

use jiff::Timestamp;
use reveille_proto::points::Points;
use sqlx::{
    Executor,
    any::{AnyConnectOptions, AnyPoolOptions},
};

use super::{Backend, Database, StoreError, Tx, error::During, pool::Pool, row::ms};
use crate::notify::Receivers;

/// Connections to a file; writers take turns anyway.
const FILE_CONNECTIONS_MAX: u32 = 4;
/// Connections of one controller to a server.
const SERVER_CONNECTIONS_MAX: u32 = 16;
/// How long a writer waits for its turn, and anybody for a connection.
const BUSY_TIMEOUT: Duration = Duration::from_secs(30);

/// What every connection to a file is told first: a commit is on disk before anything depends on it.
const FILE_SETTINGS: &str = "PRAGMA busy_timeout = 30000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
                             PRAGMA cache_size = -32768; PRAGMA wal_autocheckpoint = 8192; \
                             PRAGMA foreign_keys = ON";

/// What every connection to a server is told first: a batch is planned for the tables as they are, not as they were when
/// its statement was first used, perhaps empty.
const SERVER_SETTINGS: &str = "SET plan_cache_mode = force_custom_plan";

/// Makes a new database file for its owner only; SQLite gives its companions the same permissions.
fn keep_private(path: &Path) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}

/// The file as a URL. It must be there: its full name has no dots a URL would take out.
fn file_url(path: &Path) -> std::io::Result<String> {
    let full = std::fs::canonicalize(path)?;
    let mut url = String::from("sqlite://");
    for byte in full.as_os_str().as_encoded_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' => {
                url.push(char::from(*byte));
            }
            other => write!(url, "%{other:02X}").expect("text can be written to"),
        }
    }
    Ok(url)
}

/// The database. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    pub(super) pool: Pool,
    pub(super) backend: Backend,
    /// For errors.
    pub(super) shown: std::sync::Arc<str>,
    points: Points,
    /// Who is told of what is written here.
    pub(super) receivers: std::sync::Arc<Receivers>,
}

impl Store {
    /// Opens the file, makes it where there is none, and brings its tables up to date.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        Self::open_at(&Database::File(path.to_owned())).await
    }

    /// Opens a database and brings its tables up to date.
    pub async fn open_at(database: &Database) -> Result<Self, StoreError> {
        let store = Self::connect(database).await?;
        store.migrate().await?;
        Ok(store)
    }

    /// Opens a database as it is.
    pub async fn connect(database: &Database) -> Result<Self, StoreError> {
        static DRIVERS: Once = Once::new();
        DRIVERS.call_once(sqlx::any::install_default_drivers);
        let shown = database.to_string();
        let failed = |source| StoreError::Open { database: shown.clone(), source };
        let (backend, url, connections_max) = match database {
            Database::File(path) => {
                keep_private(path).map_err(|error| failed(error.into()))?;
                let url = file_url(path).map_err(|error| failed(error.into()))?;
                (Backend::Sqlite, url, FILE_CONNECTIONS_MAX)
            }
            Database::Server(url) => (Backend::Postgres, url.exposed().to_owned(), SERVER_CONNECTIONS_MAX),
        };
        let options: AnyConnectOptions = url.parse().map_err(failed)?;
        let pool_options = AnyPoolOptions::new()
            .max_connections(connections_max)
            .acquire_timeout(BUSY_TIMEOUT)
            .after_connect(move |connection, _| {
                Box::pin(async move {
                    match backend {
                        Backend::Sqlite => connection.execute(FILE_SETTINGS).await.map(drop),
                        Backend::Postgres => connection.execute(SERVER_SETTINGS).await.map(drop),
                    }
                })
            });
        let pool = Pool::connect(pool_options, backend, options).await.map_err(failed)?;
        Ok(Self {
            pool,
            backend,
            shown: shown.into(),
            points: Points::default(),
            receivers: std::sync::Arc::default(),
        })
    }

    /// The same database, whose rows of wakes' stories are told as points.
    pub fn telling(self, points: Points) -> Self {
        Self { points, ..self }
    }

    /// The same database, in which notifications are written down with what they tell of.
    pub fn notifying(self, receivers: Receivers) -> Self {
        Self { receivers: receivers.into(), ..self }
    }

    /// A transaction in which what was read stays true.
    pub(super) async fn begin(&self) -> Result<Tx, StoreError> {
        let begun = self.pool.begin_with(self.backend.begin()).await.during("begin a transaction")?;
        Ok(Tx::new(begun, self.points.clone()))
    }

    /// A number higher than that of every controller that used this database before.
    pub async fn epoch_begin(&self, at: Timestamp, version: &str) -> Result<u64, StoreError> {
        let sql = "INSERT INTO epochs (started_at, version) VALUES ($1, $2) RETURNING epoch";
        let epoch: i64 = sqlx::query_scalar(sql)
            .bind(ms(at))
            .bind(version)
            .fetch_one(&self.pool)
            .await
            .during("begin an epoch")?;
        Ok(epoch as u64)
    }

    /// Whether other controllers may use it at the same time.
    pub fn is_shared(&self) -> bool {
        self.backend == Backend::Postgres
    }

    /// The database has not answered for too long: whatever is under way fails now, and every connection is made anew.
    pub fn give_up(&self) {
        self.pool.give_up();
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<(), StoreError> {
        sqlx::query("SELECT 1").execute(&self.pool).await.during("reach the database").map(|_| ())
    }

    /// Waits until every connection is given back, then closes the database.
    pub async fn close(&self) {
        self.pool.all().close().await;
    }
}
