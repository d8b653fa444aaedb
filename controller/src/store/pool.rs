//! Connections to the database, and what becomes of them when it does not answer any more.
//!
//! A network that is cut says nothing: a statement on its way is then waited for until TCP gives up, a quarter of an hour
//! later, and the same holds for every connection that was idle. Whoever finds out that the database does not answer
//! says so with [`Pool::give_up`]: all that is under way fails, and no connection of before is used again.

use std::{
    io,
    ops::{Deref, DerefMut},
    sync::Arc,
    time::Duration,
};

use futures::{
    StreamExt, TryStreamExt as _,
    future::BoxFuture,
    stream::{self, BoxStream},
};
use reveille_proto::waits::{Asked, Waits};
use sqlx::{
    Any, AnyConnection, AnyPool, Connection, Database, Describe, Either, Execute, Executor, SqlStr,
    Transaction,
    any::{AnyConnectOptions, AnyPoolOptions},
};
use tokio::{sync::watch, time::Instant};

use super::{
    Backend,
    kept::{self, Kept},
};

/// A transaction on either database.
pub(super) enum Begun {
    Pooled(Transaction<'static, Any>),
    InPlace(kept::Begun),
}

impl Begun {
    pub(super) async fn commit(self) -> Result<(), sqlx::Error> {
        match self {
            Self::Pooled(begun) => begun.commit().await,
            Self::InPlace(begun) => begun.commit().await,
        }
    }
}

impl Deref for Begun {
    type Target = AnyConnection;

    fn deref(&self) -> &AnyConnection {
        match self {
            Self::Pooled(begun) => begun,
            Self::InPlace(begun) => begun.connection(),
        }
    }
}

impl DerefMut for Begun {
    fn deref_mut(&mut self) -> &mut AnyConnection {
        match self {
            Self::Pooled(begun) => begun,
            Self::InPlace(begun) => begun.connection_mut(),
        }
    }
}

/// How long a connection may take to say that it is still one.
const PING_TIMEOUT: Duration = Duration::from_secs(2);

/// When the database was last given up.
type GivenUp = watch::Sender<Option<Instant>>;

/// Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Pool {
    inner: AnyPool,
    given_up: Arc<GivenUp>,
    waits: Waits,
    /// Of who waits in place.
    kept: Kept,
}

fn no_answer() -> sqlx::Error {
    sqlx::Error::Io(io::Error::new(io::ErrorKind::TimedOut, "the database does not answer"))
}

async fn ping(connection: &mut AnyConnection) -> Result<bool, sqlx::Error> {
    tokio::time::timeout(PING_TIMEOUT, connection.ping()).await.map_err(|_| no_answer())?.map(|()| true)
}

/// Keeps connections that cannot be used any more from whoever comes next, in bounded time.
fn watched(options: AnyPoolOptions, given_up: &Arc<GivenUp>) -> AnyPoolOptions {
    let given_up = Arc::clone(given_up);
    options
        .test_before_acquire(false)
        .before_acquire(move |connection, meta| {
            let at = *given_up.borrow();
            Box::pin(async move {
                let is_of_before = at.is_some_and(|at| meta.age >= at.elapsed());
                if is_of_before { Ok(false) } else { ping(connection).await }
            })
        })
        // A statement that was given up leaves its connection in the middle of an answer. The driver pings once more, without
        // a bound: a line that is cut between the two keeps one place of the pool until TCP gives up.
        .after_release(|connection, _| Box::pin(ping(connection)))
}

impl Pool {
    pub(super) async fn connect(
        options: AnyPoolOptions,
        backend: Backend,
        to: AnyConnectOptions,
        waits: &Waits,
    ) -> Result<Self, sqlx::Error> {
        let given_up = Arc::new(watch::Sender::new(None));
        // A file needs none of it, and its tests stop the clock these waits go by.
        let options = match backend {
            Backend::Sqlite => options.test_before_acquire(false),
            Backend::Postgres => watched(options, &given_up),
        };
        let inner = Box::pin(waits.until(options.connect_with(to))).await?;
        Ok(Self { inner, given_up, waits: waits.clone(), kept: Kept::default() })
    }

    /// The database does not answer: what is under way fails, and connections of before are not used again.
    pub(super) fn give_up(&self) {
        self.given_up.send_replace(Some(Instant::now()));
    }

    /// Waits for `work`, unless the database is given up meanwhile: then it is dropped where it is.
    pub(super) async fn answered<T>(&self, work: impl Future<Output = T>) -> Result<T, sqlx::Error> {
        self.answered_in_turn(Asked::Statement, work).await
    }

    /// As [`Pool::answered`], of a whole transaction.
    pub(super) async fn finished<T>(&self, work: impl Future<Output = T>) -> Result<T, sqlx::Error> {
        self.answered_in_turn(Asked::Transaction, work).await
    }

    async fn answered_in_turn<T>(
        &self,
        asked: Asked,
        work: impl Future<Output = T>,
    ) -> Result<T, sqlx::Error> {
        let mut given_up = self.given_up.subscribe();
        tokio::select! {
            biased;
            turn = self.waits.turn(asked) => turn?,
            _ = given_up.changed() => return Err(no_answer()),
        }
        let answered = async {
            tokio::select! {
                biased;
                done = work => Ok(done),
                _ = given_up.changed() => Err(no_answer()),
            }
        };
        let done = self.waits.until(answered).await?;
        if asked == Asked::Transaction {
            self.waits.turn(Asked::Answer).await?;
        }
        Ok(done)
    }

    /// Closes every connection.
    pub(super) async fn close(&self) {
        let close = async {
            self.kept.close().await;
            self.inner.close().await;
        };
        self.waits.until(close).await;
    }

    pub(super) async fn begin_with(&self, statement: &'static str) -> Result<Begun, sqlx::Error> {
        if self.waits.are_in_place() {
            let from = (&self.kept, &self.inner);
            return self
                .answered(kept::Begun::begin(from, statement, &self.waits))
                .await?
                .map(Begun::InPlace);
        }
        self.answered(self.inner.begin_with(statement)).await?.map(Begun::Pooled)
    }

    pub(super) fn all(&self) -> &AnyPool {
        &self.inner
    }

    /// All that a statement gives. The connection of one that fails is not kept.
    async fn fetch_in_place<'q, E: Execute<'q, Any> + 'q>(
        &self,
        query: E,
    ) -> Result<Vec<Given>, sqlx::Error> {
        let mut connection = self.kept.take(&self.inner).await?;
        let given = connection.fetch_many(query).try_collect().await?;
        self.kept.keep(connection);
        Ok(given)
    }

    async fn fetch_one_in_place<'q, E: Execute<'q, Any> + 'q>(
        &self,
        query: E,
    ) -> Result<Option<<Any as Database>::Row>, sqlx::Error> {
        let mut connection = self.kept.take(&self.inner).await?;
        let row = connection.fetch_optional(query).await?;
        self.kept.keep(connection);
        Ok(row)
    }
}

/// A row, or how many rows a statement changed.
type Given = Either<<Any as Database>::QueryResult, <Any as Database>::Row>;

type Rows<'e> = BoxStream<'e, Result<Given, sqlx::Error>>;

impl<'p> Executor<'p> for &Pool {
    type Database = Any;

    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> Rows<'e>
    where
        'p: 'e,
        E: 'q + Execute<'q, Any>,
    {
        if self.waits.are_in_place() {
            let this = self.clone();
            let all = async move {
                let rows = this.answered(this.fetch_in_place(query)).await.and_then(|rows| rows);
                stream::iter(
                    rows.map_or_else(|error| vec![Err(error)], |rows| rows.into_iter().map(Ok).collect()),
                )
            };
            return stream::once(all).flatten().boxed();
        }
        let state = (self.inner.fetch_many(query), self.given_up.subscribe());
        let next = |state: Option<(Rows<'e>, watch::Receiver<_>)>| async move {
            let (mut rows, mut given_up) = state?;
            tokio::select! {
                biased;
                row = rows.next() => row.map(|row| (row, Some((rows, given_up)))),
                _ = given_up.changed() => Some((Err(no_answer()), None)),
            }
        };
        stream::unfold(Some(state), next).boxed()
    }

    fn fetch_optional<'e, 'q: 'e, E>(
        self,
        query: E,
    ) -> BoxFuture<'e, Result<Option<<Any as Database>::Row>, sqlx::Error>>
    where
        'p: 'e,
        E: 'q + Execute<'q, Any>,
    {
        let this = self.clone();
        if self.waits.are_in_place() {
            return Box::pin(async move { this.answered(this.fetch_one_in_place(query)).await? });
        }
        let row = self.inner.fetch_optional(query);
        Box::pin(async move { this.answered(row).await? })
    }

    fn prepare_with<'e>(
        self,
        sql: SqlStr,
        parameters: &'e [<Any as Database>::TypeInfo],
    ) -> BoxFuture<'e, Result<<Any as Database>::Statement, sqlx::Error>>
    where
        'p: 'e,
    {
        self.inner.prepare_with(sql, parameters)
    }

    fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, Result<Describe<Any>, sqlx::Error>>
    where
        'p: 'e,
    {
        self.inner.describe(sql)
    }
}
