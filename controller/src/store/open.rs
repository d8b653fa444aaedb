//! Opening a database, and counting epochs.

use std::{
    fmt::Write,
    path::Path,
    sync::{Arc, Once},
    time::Duration,
};

use jiff::Timestamp;
use reveille_proto::{points::Points, waits::Waits};
use sqlx::{
    Executor,
    any::{AnyConnectOptions, AnyPoolOptions},
};
use tokio::sync::Mutex;

use super::{Backend, Database, StoreError, Tx, error::During, pool::Pool, row::ms};
use crate::notify::Receivers;

/// Connections to a file that read, or write with one statement; transactions have one of their own.
const FILE_CONNECTIONS_MAX: u32 = 4;
/// Connections of one controller to a server.
const SERVER_CONNECTIONS_MAX: u32 = 16;
/// How long a writer waits for its turn, and anybody for a connection.
const BUSY_TIMEOUT: Duration = Duration::from_secs(30);

/// What every connection to a file is told first: a commit is on disk before anything depends on it. Little cache, as
/// one is worth nothing any more once another connection has written.
const FILE_SETTINGS: &str = "PRAGMA busy_timeout = 30000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
                             PRAGMA cache_size = -2048; PRAGMA wal_autocheckpoint = 8192; \
                             PRAGMA foreign_keys = ON";
/// What the connection of transactions is told besides.
const WRITER_SETTINGS: &str = "PRAGMA cache_size = -16384";

/// What every connection to a server is told first: a batch is planned for the tables as they are, not as they were when
/// its statement was first used, perhaps empty. And a controller that is stopped or cut off in the middle of a transaction
/// loses it after three seconds, with the locks others wait for: between two statements none takes a tenth of that.
const SERVER_SETTINGS: &str = "SET plan_cache_mode = force_custom_plan; \
                               SET idle_in_transaction_session_timeout = 3000";

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

/// The connection of all transactions of this process to a file: its cache holds what they read, and they take turns
/// instead of looking again and again, ever less often, whether the file is free.
#[derive(Debug, Clone)]
struct Writer {
    pool: Pool,
    turns: Arc<Mutex<()>>,
}

async fn connect(
    connections_max: u32,
    settings: &'static [&'static str],
    backend: Backend,
    to: AnyConnectOptions,
    waits: &Waits,
) -> Result<Pool, sqlx::Error> {
    let options = AnyPoolOptions::new()
        .max_connections(connections_max)
        .acquire_timeout(BUSY_TIMEOUT)
        .after_connect(move |connection, _| {
            Box::pin(async move {
                for statements in settings {
                    connection.execute(*statements).await?;
                }
                Ok(())
            })
        });
    Pool::connect(options, backend, to, waits).await
}

/// The database. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    pub(super) pool: Pool,
    pub(super) backend: Backend,
    /// For errors.
    pub(super) shown: Arc<str>,
    points: Points,
    /// Of a file. On a server, transactions use any connection.
    writer: Option<Writer>,
    /// Who is told of what is written here.
    pub(super) receivers: Arc<Receivers>,
}

impl Store {
    /// Opens the file, makes it where there is none, and brings its tables up to date.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        Self::open_at(&Database::File(path.to_owned())).await
    }

    /// Opens a database and brings its tables up to date.
    pub async fn open_at(database: &Database) -> Result<Self, StoreError> {
        Self::open_waiting(database, &Waits::default()).await
    }

    /// The same; answers are waited for as `waits` says.
    pub async fn open_waiting(database: &Database, waits: &Waits) -> Result<Self, StoreError> {
        let store = Box::pin(Self::connect_waiting(database, waits)).await?;
        // Making tables is a large thing to carry around.
        Box::pin(waits.until(store.migrate())).await?;
        Ok(store)
    }

    /// Opens a database as it is.
    pub async fn connect(database: &Database) -> Result<Self, StoreError> {
        Self::connect_waiting(database, &Waits::default()).await
    }

    /// The same; answers are waited for as `waits` says.
    pub async fn connect_waiting(database: &Database, waits: &Waits) -> Result<Self, StoreError> {
        static DRIVERS: Once = Once::new();
        DRIVERS.call_once(sqlx::any::install_default_drivers);
        let shown = database.to_string();
        let failed = |source| StoreError::Open { database: shown.clone(), source };
        let (backend, url) = match database {
            Database::File(path) => {
                keep_private(path).map_err(|error| failed(error.into()))?;
                (Backend::Sqlite, file_url(path).map_err(|error| failed(error.into()))?)
            }
            Database::Server(url) => (Backend::Postgres, url.exposed().to_owned()),
        };
        let to: AnyConnectOptions = url.parse().map_err(failed)?;
        let connected = match backend {
            Backend::Sqlite => {
                connect(FILE_CONNECTIONS_MAX, &[FILE_SETTINGS], backend, to.clone(), waits).await
            }
            Backend::Postgres => {
                connect(SERVER_CONNECTIONS_MAX, &[SERVER_SETTINGS], backend, to.clone(), waits).await
            }
        };
        let pool = connected.map_err(failed)?;
        let writer = match backend {
            Backend::Sqlite => {
                let connected = connect(1, &[FILE_SETTINGS, WRITER_SETTINGS], backend, to, waits).await;
                Some(Writer { pool: connected.map_err(failed)?, turns: Arc::default() })
            }
            Backend::Postgres => None,
        };
        Ok(Self {
            pool,
            backend,
            shown: shown.into(),
            points: Points::default(),
            writer,
            receivers: Arc::default(),
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
        let (pool, turn) = match &self.writer {
            Some(writer) => (&writer.pool, Some(writer.turns.clone().lock_owned().await)),
            None => (&self.pool, None),
        };
        let begun = pool.begin_with(self.backend.begin()).await.during("begin a transaction")?;
        Ok(Tx::new(begun, self.points.clone(), turn))
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
        if let Some(writer) = &self.writer {
            writer.pool.close().await;
        }
        self.pool.close().await;
    }
}
