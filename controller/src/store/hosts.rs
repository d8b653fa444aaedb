//! Tables `hosts` and `host_load`: what agents last said of themselves, and the highest load per hour.

use std::collections::BTreeMap;

use jiff::Timestamp;
use reveille_proto::{HostId, InstanceId, edge::Hello};

use super::{
    Backend, Store, StoreError,
    backend::Tx,
    error::During,
    retry::retried,
    row::{Place, ms},
    rows::{self, Kind},
};

/// A host as its agent last described it.
#[derive(Debug, Clone, PartialEq)]
pub struct HostRow {
    pub host: HostId,
    pub class: String,
    pub zone: String,
    pub cores: f64,
    pub agent_version: String,
    pub journal_id: String,
    pub connected_at: Timestamp,
    pub last_seen_at: Timestamp,
    pub instances: u32,
}

/// What became of a hello.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Greeting {
    /// Which session of the host this is: it rises with every hello, to whatever controller.
    pub session_epoch: u64,
    /// The instances that another host listed before.
    pub moved: Vec<String>,
}

/// An instance of an inventory.
#[derive(serde::Serialize)]
struct Listed<'a> {
    instance_id: &'a InstanceId,
    cohort: &'a str,
}

const HOUR_MS: i64 = 3_600_000;

type Row = (String, String, String, f64, String, String, i64, i64, i64);

impl Store {
    /// Keeps what an agent says of itself to `controller`, and moves the instances it lists to its host. The session's
    /// epoch is at least `epoch_min`.
    pub async fn host_hello(
        &self,
        hello: &Hello,
        controller: &str,
        epoch_min: u64,
        at: Timestamp,
    ) -> Result<Greeting, StoreError> {
        retried(|| self.greet(hello, controller, epoch_min, at)).await
    }

    async fn greet(
        &self,
        hello: &Hello,
        controller: &str,
        epoch_min: u64,
        at: Timestamp,
    ) -> Result<Greeting, StoreError> {
        let mut tx = self.begin().await?;
        let sql = "INSERT INTO hosts (host_id, host_class, zone, cores, agent_version, journal_id, connected_at, last_seen_at, \
                   controller_id, session_epoch) VALUES ($1, $2, $3, $4, $5, $6, $7, $7, $8, $9) \
                   ON CONFLICT (host_id) DO UPDATE SET host_class = $2, zone = $3, cores = $4, agent_version = $5, \
                   journal_id = $6, connected_at = $7, last_seen_at = $7, controller_id = $8, \
                   session_epoch = CASE WHEN hosts.session_epoch < $9 THEN $9 ELSE hosts.session_epoch + 1 END \
                   RETURNING session_epoch";
        let session_epoch: i64 = sqlx::query_scalar(sql)
            .bind(hello.host.as_str())
            .bind(&hello.host_class)
            .bind(&hello.zone)
            .bind(hello.cores)
            .bind(&hello.agent_version)
            .bind(&hello.journal_id)
            .bind(ms(at))
            .bind(controller)
            .bind(epoch_min as i64)
            .fetch_one(&mut *tx)
            .await
            .during("keep a host")?;
        let moved = take_inventory(&mut tx, self.backend, hello).await?;
        tx.commit().await.during("commit a hello")?;
        Ok(Greeting { session_epoch: session_epoch as u64, moved })
    }

    /// Keeps that a session is over, unless the host has opened another one meanwhile.
    pub async fn host_left(
        &self,
        host: &HostId,
        controller: &str,
        session_epoch: u64,
    ) -> Result<(), StoreError> {
        let sql = "UPDATE hosts SET controller_id = NULL \
                   WHERE host_id = $1 AND controller_id = $2 AND session_epoch = $3";
        sqlx::query(sql)
            .bind(host.as_str())
            .bind(controller)
            .bind(session_epoch as i64)
            .execute(&self.pool)
            .await
            .during("keep that a host has left")
            .map(drop)
    }

    /// The hosts whose sessions `controller` holds, with the epoch of each session; in order of host.
    pub async fn hosts_of(&self, controller: &str) -> Result<Vec<(HostId, u64)>, StoreError> {
        let sql = "SELECT host_id, session_epoch FROM hosts WHERE controller_id = $1 ORDER BY host_id";
        let rows: Vec<(String, i64)> = sqlx::query_as(sql)
            .bind(controller)
            .fetch_all(&self.pool)
            .await
            .during("read the hosts of a controller")?;
        let read = rows.into_iter().map(|(id, session_epoch)| {
            Ok((Place { table: "hosts", row: &id }.parse("host_id", &id)?, session_epoch as u64))
        });
        read.collect()
    }

    pub async fn hosts_list(&self) -> Result<Vec<HostRow>, StoreError> {
        let sql = "SELECT host_id, host_class, zone, cores, agent_version, journal_id, connected_at, last_seen_at, \
                   (SELECT count(*) FROM instances WHERE instances.host_id = hosts.host_id) FROM hosts ORDER BY host_id";
        let rows: Vec<Row> = sqlx::query_as(sql).fetch_all(&self.pool).await.during("list hosts")?;
        let read =
            rows.into_iter().map(|(id, class, zone, cores, version, journal_id, connected, seen, count)| {
                let at = Place { table: "hosts", row: &id };
                Ok(HostRow {
                    host: at.parse("host_id", &id)?,
                    class,
                    zone,
                    cores,
                    agent_version: version,
                    journal_id,
                    connected_at: at.time("connected_at", connected)?,
                    last_seen_at: at.time("last_seen_at", seen)?,
                    instances: count as u32,
                })
            });
        read.collect()
    }

    /// Adds load samples of one host to its hour: how many, the highest, how many above the ceiling.
    pub async fn host_load_add(
        &self,
        host: &HostId,
        at: Timestamp,
        samples: u32,
        cpu_percent_max: f64,
        over_ceiling: u32,
    ) -> Result<(), StoreError> {
        let sql = "INSERT INTO host_load (host_id, hour, samples, cpu_percent_max, over_ceiling) VALUES ($1, $2, $3, $4, $5) \
                   ON CONFLICT (host_id, hour) DO UPDATE SET samples = host_load.samples + excluded.samples, \
                   cpu_percent_max = CASE WHEN host_load.cpu_percent_max > excluded.cpu_percent_max \
                   THEN host_load.cpu_percent_max ELSE excluded.cpu_percent_max END, \
                   over_ceiling = host_load.over_ceiling + excluded.over_ceiling";
        sqlx::query(sql)
            .bind(host.as_str())
            .bind(ms(at).div_euclid(HOUR_MS))
            .bind(i64::from(samples))
            .bind(cpu_percent_max)
            .bind(i64::from(over_ceiling))
            .execute(&self.pool)
            .await
            .during("keep a host's load")?;
        sqlx::query("UPDATE hosts SET last_seen_at = $1 WHERE host_id = $2")
            .bind(ms(at))
            .bind(host.as_str())
            .execute(&self.pool)
            .await
            .during("keep when a host was seen")
            .map(|_| ())
    }

    /// Per host: the highest CPU in percent of each hour of a span, ascending.
    pub async fn host_load_hours(
        &self,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<BTreeMap<HostId, Vec<f64>>, StoreError> {
        let sql = "SELECT host_id, cpu_percent_max FROM host_load WHERE hour >= $1 AND hour < $2 \
                   ORDER BY host_id, cpu_percent_max";
        let rows: Vec<(String, f64)> = sqlx::query_as(sql)
            .bind(ms(from).div_euclid(HOUR_MS))
            .bind(ms(to).div_euclid(HOUR_MS))
            .fetch_all(&self.pool)
            .await
            .during("read the load of hosts by the hour")?;
        let mut hosts: BTreeMap<HostId, Vec<f64>> = BTreeMap::new();
        for (id, cpu_percent_max) in rows {
            let host = Place { table: "host_load", row: &id }.parse("host_id", &id)?;
            hosts.entry(host).or_default().push(cpu_percent_max);
        }
        Ok(hosts)
    }

    /// Per host: highest CPU in percent and the share of samples above the ceiling, over a span.
    pub async fn host_load_max(
        &self,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<(HostId, f64, f64)>, StoreError> {
        let sql = "SELECT host_id, max(cpu_percent_max), CAST(sum(over_ceiling) AS DOUBLE PRECISION) \
                   / CASE WHEN sum(samples) > 0 THEN CAST(sum(samples) AS DOUBLE PRECISION) ELSE 1.0 END FROM host_load \
                   WHERE hour >= $1 AND hour <= $2 GROUP BY host_id ORDER BY host_id";
        let rows: Vec<(String, f64, f64)> = sqlx::query_as(sql)
            .bind(ms(from).div_euclid(HOUR_MS))
            .bind(ms(to).div_euclid(HOUR_MS))
            .fetch_all(&self.pool)
            .await
            .during("read the load of hosts")?;
        let read = rows.into_iter().map(|(id, max, share)| {
            let host = Place { table: "host_load", row: &id }.parse("host_id", &id)?;
            Ok((host, max, share))
        });
        read.collect()
    }
}

/// Moves the instances of an inventory to its host. Returns those that another host listed before.
async fn take_inventory(tx: &mut Tx, backend: Backend, hello: &Hello) -> Result<Vec<String>, StoreError> {
    let listed = rows::ids_json(hello.inventory.iter().map(|item| &item.instance));
    // Locked in one order, so that two hosts that list the same instances do not wait for each other.
    let sql = format!(
        "SELECT instance_id, host_id FROM instances WHERE host_id = $2 OR instance_id IN {} ORDER BY instance_id{}",
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
    // The last word on an instance that is listed twice stands.
    let items: BTreeMap<_, _> = hello.inventory.iter().map(|item| (&item.instance, &item.cohort)).collect();
    let columns = [("instance_id", Kind::Text), ("cohort", Kind::Text)];
    // `WHERE 1 = 1` keeps SQLite from reading ON CONFLICT as part of a join.
    let sql = format!(
        "INSERT INTO instances (instance_id, host_id, cohort) SELECT instance_id, $2, cohort FROM {} AS listed \
         WHERE 1 = 1 ON CONFLICT (instance_id) DO UPDATE SET host_id = excluded.host_id, \
         cohort = CASE WHEN excluded.cohort = '' THEN instances.cohort ELSE excluded.cohort END",
        rows::table(backend, &columns)
    );
    let listed: Vec<_> = items.iter().map(|(instance_id, cohort)| Listed { instance_id, cohort }).collect();
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
