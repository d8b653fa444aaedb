//! Tables `hosts` and `host_load`: what agents last said of themselves, and the highest load per hour.

use std::collections::BTreeMap;

use jiff::Timestamp;
use reveille_proto::{HostId, edge::Hello};

use super::{
    Store, StoreError,
    error::During,
    row::{Place, ms},
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

const HOUR_MS: i64 = 3_600_000;

type Row = (String, String, String, f64, String, String, i64, i64, i64);

impl Store {
    /// Keeps what an agent says of itself, and moves the instances it lists to its host. Returns the instances
    /// that another host listed before.
    pub async fn host_hello(&self, hello: &Hello, at: Timestamp) -> Result<Vec<String>, StoreError> {
        let mut tx = self.begin().await?;
        let sql = "INSERT INTO hosts (host_id, host_class, zone, cores, agent_version, journal_id, connected_at, last_seen_at) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7) ON CONFLICT (host_id) DO UPDATE SET host_class = ?2, zone = ?3, \
                   cores = ?4, agent_version = ?5, journal_id = ?6, connected_at = ?7, last_seen_at = ?7";
        sqlx::query(sql)
            .bind(hello.host.as_str())
            .bind(&hello.host_class)
            .bind(&hello.zone)
            .bind(hello.cores)
            .bind(&hello.agent_version)
            .bind(&hello.journal_id)
            .bind(ms(at))
            .execute(&mut *tx)
            .await
            .during("keep a host")?;
        // Instances no longer listed must not be sent to this host any more.
        sqlx::query("UPDATE instances SET host_id = NULL WHERE host_id = ?")
            .bind(hello.host.as_str())
            .execute(&mut *tx)
            .await
            .during("clear a host's inventory")?;
        let mut moved = Vec::new();
        for item in &hello.inventory {
            let before: Option<Option<String>> =
                sqlx::query_scalar("SELECT host_id FROM instances WHERE instance_id = ?")
                    .bind(item.instance.as_str())
                    .fetch_optional(&mut *tx)
                    .await
                    .during("read an instance")?;
            if before.flatten().is_some() {
                moved.push(item.instance.to_string());
            }
            let sql = "INSERT INTO instances (instance_id, host_id, cohort) VALUES (?1, ?2, ?3) \
                       ON CONFLICT (instance_id) DO UPDATE SET host_id = ?2, cohort = CASE WHEN ?3 = '' THEN cohort ELSE ?3 END";
            sqlx::query(sql)
                .bind(item.instance.as_str())
                .bind(hello.host.as_str())
                .bind(&item.cohort)
                .execute(&mut *tx)
                .await
                .during("keep an instance of an inventory")?;
        }
        tx.commit().await.during("commit a hello")?;
        Ok(moved)
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
        let sql = "INSERT INTO host_load (host_id, hour, samples, cpu_percent_max, over_ceiling) VALUES (?, ?, ?, ?, ?) \
                   ON CONFLICT (host_id, hour) DO UPDATE SET samples = samples + excluded.samples, \
                   cpu_percent_max = max(cpu_percent_max, excluded.cpu_percent_max), \
                   over_ceiling = over_ceiling + excluded.over_ceiling";
        sqlx::query(sql)
            .bind(host.as_str())
            .bind(ms(at).div_euclid(HOUR_MS))
            .bind(samples)
            .bind(cpu_percent_max)
            .bind(over_ceiling)
            .execute(&self.pool)
            .await
            .during("keep a host's load")?;
        sqlx::query("UPDATE hosts SET last_seen_at = ? WHERE host_id = ?")
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
        let sql = "SELECT host_id, cpu_percent_max FROM host_load WHERE hour >= ? AND hour < ? \
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
        let sql = "SELECT host_id, max(cpu_percent_max), 1.0 * sum(over_ceiling) / max(sum(samples), 1) FROM host_load \
                   WHERE hour >= ? AND hour <= ? GROUP BY host_id ORDER BY host_id";
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
