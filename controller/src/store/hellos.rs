//! Hellos, many in one commit: a fleet that comes back at once must not wait for a disk five thousand times.

use std::collections::BTreeMap;

use jiff::Timestamp;
use reveille_proto::{HostId, InstanceId, edge::Hello};
use serde::Serialize;

use super::{
    Backend, Store, StoreError, Tx,
    error::During,
    row::ms,
    rows::{self, Kind, plain},
};

/// A hello, and what the epoch of its session must at least be.
#[derive(Debug, Clone)]
pub struct Said {
    pub hello: Hello,
    pub epoch_min: u64,
}

/// What became of a hello.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Greeting {
    /// Which session of the host this is: it rises with every hello, to whatever controller.
    pub session_epoch: u64,
    /// Whether the host lists other instances or cohorts than before.
    pub is_changed: bool,
    /// The instances that another host listed before.
    pub moved: Vec<String>,
}

/// A row of `hosts`.
#[derive(Serialize)]
struct HostSaid<'a> {
    host_id: &'a HostId,
    host_class: String,
    zone: String,
    cores: f64,
    agent_version: String,
    journal_id: String,
    epoch_min: u64,
}

impl<'a> HostSaid<'a> {
    fn new(Said { hello, epoch_min }: &'a Said) -> Self {
        Self {
            host_id: &hello.host,
            host_class: plain(&hello.host_class),
            zone: plain(&hello.zone),
            cores: hello.cores,
            agent_version: plain(&hello.agent_version),
            journal_id: plain(&hello.journal_id),
            epoch_min: *epoch_min,
        }
    }
}

/// An instance of an inventory.
#[derive(Serialize)]
struct Listed<'a> {
    instance_id: &'a InstanceId,
    cohort: String,
}

/// The cohorts by instance, of one host.
type Inventory = BTreeMap<String, String>;

impl Store {
    /// As [`Self::hosts_hello`], of one host.
    pub async fn host_hello(
        &self,
        hello: &Hello,
        controller: &str,
        epoch_min: u64,
        at: Timestamp,
    ) -> Result<Greeting, StoreError> {
        let said = Said { hello: hello.clone(), epoch_min };
        let mut greetings = self.hosts_hello(&[&said], controller, at).await?;
        greetings.pop().ok_or(StoreError::Overtaken)
    }

    /// Keeps what agents say of themselves to `controller`, and moves the instances they list to their hosts: all of it,
    /// or nothing. No host may be there twice.
    pub async fn hosts_hello(
        &self,
        said: &[&Said],
        controller: &str,
        at: Timestamp,
    ) -> Result<Vec<Greeting>, StoreError> {
        self.retried(|| self.greet(said, controller, at)).await
    }

    async fn greet(
        &self,
        said: &[&Said],
        controller: &str,
        at: Timestamp,
    ) -> Result<Vec<Greeting>, StoreError> {
        let mut tx = self.begin().await?;
        self.backend.change_sessions(&mut tx).await?;
        // The row of a host stands for its inventory too: whoever has it locked may read and change that.
        let epochs = take_hosts(&mut tx, self.backend, said, controller, at).await?;
        let before = inventories(&mut tx, self.backend, said).await?;
        let mut greetings = Vec::with_capacity(said.len());
        for Said { hello, .. } in said {
            let session_epoch = *epochs.get(hello.host.as_str()).ok_or(StoreError::Overtaken)?;
            let is_changed = !is_listed(before.get(hello.host.as_str()), hello);
            let moved =
                if is_changed { take_inventory(&mut tx, self.backend, hello).await? } else { Vec::new() };
            greetings.push(Greeting { session_epoch, is_changed, moved });
        }
        tx.commit().await.during("commit hellos")?;
        Ok(greetings)
    }
}

/// Keeps the rows of the hosts. Returns the epochs of their sessions.
async fn take_hosts(
    tx: &mut Tx,
    backend: Backend,
    said: &[&Said],
    controller: &str,
    at: Timestamp,
) -> Result<BTreeMap<String, u64>, StoreError> {
    let columns = [
        ("host_id", Kind::Text),
        ("host_class", Kind::Text),
        ("zone", Kind::Text),
        ("cores", Kind::Real),
        ("agent_version", Kind::Text),
        ("journal_id", Kind::Text),
        ("epoch_min", Kind::Int),
    ];
    // Locked in one order, so that two controllers do not wait for each other. `WHERE 1 = 1` keeps SQLite from reading
    // ON CONFLICT as part of a join.
    let sql = format!(
        "INSERT INTO hosts (host_id, host_class, zone, cores, agent_version, journal_id, connected_at, last_seen_at, \
         controller_id, session_epoch) SELECT host_id, host_class, zone, cores, agent_version, journal_id, \
         CAST($2 AS BIGINT), CAST($2 AS BIGINT), CAST($3 AS TEXT), epoch_min FROM {} AS said WHERE 1 = 1 ORDER BY host_id \
         ON CONFLICT (host_id) DO UPDATE SET host_class = excluded.host_class, zone = excluded.zone, \
         cores = excluded.cores, agent_version = excluded.agent_version, journal_id = excluded.journal_id, \
         connected_at = excluded.connected_at, last_seen_at = excluded.last_seen_at, \
         controller_id = excluded.controller_id, session_epoch = CASE \
         WHEN hosts.session_epoch < excluded.session_epoch THEN excluded.session_epoch ELSE hosts.session_epoch + 1 END \
         RETURNING host_id, session_epoch",
        rows::table(backend, &columns)
    );
    let hosts: Vec<HostSaid<'_>> = said.iter().map(|said| HostSaid::new(said)).collect();
    let epochs: Vec<(String, i64)> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(rows::json(&hosts))
        .bind(ms(at))
        .bind(controller)
        .fetch_all(&mut **tx)
        .await
        .during("keep hosts")?;
    Ok(epochs.into_iter().map(|(host, epoch)| (host, epoch as u64)).collect())
}

/// What the hosts listed before.
async fn inventories(
    tx: &mut Tx,
    backend: Backend,
    said: &[&Said],
) -> Result<BTreeMap<String, Inventory>, StoreError> {
    let sql =
        format!("SELECT host_id, instance_id, cohort FROM instances WHERE host_id IN {}", rows::ids(backend));
    let rows: Vec<(String, String, String)> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(rows::ids_json(said.iter().map(|said| &said.hello.host)))
        .fetch_all(&mut **tx)
        .await
        .during("read the inventories of hosts")?;
    let mut inventories: BTreeMap<String, Inventory> = BTreeMap::new();
    for (host, instance, cohort) in rows {
        inventories.entry(host).or_default().insert(instance, cohort);
    }
    Ok(inventories)
}

/// The last word on an instance that is listed twice stands.
fn items(hello: &Hello) -> BTreeMap<&InstanceId, String> {
    hello.inventory.iter().map(|item| (&item.instance, plain(&item.cohort))).collect()
}

/// Whether taking the inventory would change nothing.
fn is_listed(before: Option<&Inventory>, hello: &Hello) -> bool {
    let items = items(hello);
    let Some(before) = before else { return items.is_empty() };
    let is_same = |(instance, cohort): (&&InstanceId, &String)| {
        before.get(instance.as_str()).is_some_and(|known| cohort.is_empty() || known == cohort)
    };
    items.len() == before.len() && items.iter().all(is_same)
}

/// Moves the instances of an inventory to its host. Returns those that another host listed before.
async fn take_inventory(tx: &mut Tx, backend: Backend, hello: &Hello) -> Result<Vec<String>, StoreError> {
    let listed = rows::ids_json(hello.inventory.iter().map(|item| &item.instance));
    // Locked in one order, so that two hosts that list the same instances do not wait for each other.
    let sql = format!(
        "SELECT instance_id, host_id FROM instances WHERE instance_id IN (SELECT instance_id FROM instances \
         WHERE host_id = $2 UNION ALL SELECT * FROM {} AS listed) ORDER BY instance_id{}",
        rows::ids(backend),
        backend.for_update()
    );
    let before: Vec<(String, Option<String>)> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(listed)
        .bind(hello.host.as_str())
        .fetch_all(&mut **tx)
        .await
        .during("read the instances of an inventory")?;
    // Instances no longer listed must not be sent to this host any more.
    sqlx::query("UPDATE instances SET host_id = NULL WHERE host_id = $1")
        .bind(hello.host.as_str())
        .execute(&mut **tx)
        .await
        .during("clear a host's inventory")?;
    let columns = [("instance_id", Kind::Text), ("cohort", Kind::Text)];
    let sql = format!(
        "INSERT INTO instances (instance_id, host_id, cohort) SELECT instance_id, $2, cohort FROM {} AS listed \
         WHERE 1 = 1 ON CONFLICT (instance_id) DO UPDATE SET host_id = excluded.host_id, \
         cohort = CASE WHEN excluded.cohort = '' THEN instances.cohort ELSE excluded.cohort END",
        rows::table(backend, &columns)
    );
    let listed: Vec<_> =
        items(hello).into_iter().map(|(instance_id, cohort)| Listed { instance_id, cohort }).collect();
    sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(rows::json(&listed))
        .bind(hello.host.as_str())
        .execute(&mut **tx)
        .await
        .during("keep the instances of an inventory")?;
    let elsewhere = |(instance, host): (String, Option<String>)| {
        host.filter(|host| host != hello.host.as_str()).map(|_| instance)
    };
    Ok(before.into_iter().filter_map(elsewhere).collect())
}
