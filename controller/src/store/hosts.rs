//! Tables `hosts` and `host_load`: what agents last said of themselves, and the highest load per hour.

use std::collections::BTreeMap;

use jiff::Timestamp;
use reveille_proto::HostId;
use serde::Serialize;

use super::{
    Store, StoreError,
    error::During,
    row::{Place, ms},
    rows::{self, Kind, ROWS_PER_STATEMENT},
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
    /// Who holds its session, by the store.
    pub controller: Option<String>,
    pub instances: u32,
}

/// Load samples of one host: how many, the highest, how many above the ceiling.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HostLoad {
    pub host: HostId,
    pub samples: u32,
    pub cpu_percent_max: f64,
    pub over_ceiling: u32,
}

const HOUR_MS: i64 = 3_600_000;

type Row = (String, String, String, f64, String, String, i64, i64, Option<String>, i64);

impl Store {
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
                   controller_id, (SELECT count(*) FROM instances WHERE instances.host_id = hosts.host_id) FROM hosts ORDER BY host_id";
        let rows: Vec<Row> = sqlx::query_as(sql).fetch_all(&self.pool).await.during("list hosts")?;
        let read = rows.into_iter().map(
            |(id, class, zone, cores, version, journal_id, connected, seen, controller, count)| {
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
                    controller,
                    instances: count as u32,
                })
            },
        );
        read.collect()
    }

    /// Adds load samples of one host to its hour.
    pub async fn host_load_add(&self, load: &HostLoad, at: Timestamp) -> Result<(), StoreError> {
        self.hosts_load_add(std::slice::from_ref(load), at).await
    }

    /// Adds load samples of many hosts to their hour, a host at most once: all are kept, or none.
    pub async fn hosts_load_add(&self, loads: &[HostLoad], at: Timestamp) -> Result<(), StoreError> {
        self.retried(|| self.loads_add(loads, at)).await
    }

    async fn loads_add(&self, loads: &[HostLoad], at: Timestamp) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        for some in loads.chunks(ROWS_PER_STATEMENT) {
            let columns = [
                ("host", Kind::Text),
                ("samples", Kind::Int),
                ("cpu_percent_max", Kind::Real),
                ("over_ceiling", Kind::Int),
            ];
            // In one order, so that two controllers do not wait for each other.
            let sql = format!(
                "INSERT INTO host_load (host_id, hour, samples, cpu_percent_max, over_ceiling) \
                 SELECT host, CAST($2 AS BIGINT), samples, cpu_percent_max, over_ceiling FROM {} AS added WHERE 1 = 1 ORDER BY host \
                 ON CONFLICT (host_id, hour) DO UPDATE SET samples = host_load.samples + excluded.samples, \
                 cpu_percent_max = CASE WHEN host_load.cpu_percent_max > excluded.cpu_percent_max \
                 THEN host_load.cpu_percent_max ELSE excluded.cpu_percent_max END, \
                 over_ceiling = host_load.over_ceiling + excluded.over_ceiling",
                rows::table(self.backend, &columns)
            );
            sqlx::query(sqlx::AssertSqlSafe(sql))
                .bind(rows::json(some))
                .bind(ms(at).div_euclid(HOUR_MS))
                .execute(&mut *tx)
                .await
                .during("keep the load of hosts")?;
            let sql =
                format!("UPDATE hosts SET last_seen_at = $2 WHERE host_id IN {}", rows::ids(self.backend));
            sqlx::query(sqlx::AssertSqlSafe(sql))
                .bind(rows::ids_json(some.iter().map(|load| &load.host)))
                .bind(ms(at))
                .execute(&mut *tx)
                .await
                .during("keep when hosts were seen")?;
        }
        tx.commit().await.during("commit the load of hosts")
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
