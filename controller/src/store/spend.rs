//! Table `spend`, and the idle time of forecast wakes by day: what the budget was spent on.

use std::collections::BTreeMap;

use super::{Store, StoreError, error::During};

/// What the forecast wakes of one UTC day cost.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct DaySpend {
    /// UTC days since 1970.
    pub day: i32,
    /// Instances that were forecast on that day, the most of any plan; 0 when no plan said.
    pub instances: u64,
    /// Seconds that instances were awake without a user because of wakes that began to serve on that day, as far as
    /// verdicts are in.
    pub idle_s: f64,
    /// Those wakes.
    pub wakes: u64,
}

impl Store {
    /// Days from `from_day` on with forecasts or wakes by forecast, in order. Wakes count on the day they began to
    /// serve, and only with a verdict: the last window of a day that goes on is not in it yet.
    pub async fn spend_of(&self, from_day: i32) -> Result<Vec<DaySpend>, StoreError> {
        let instances: Vec<(i32, i64)> =
            sqlx::query_as("SELECT day, instances FROM spend WHERE day >= $1 ORDER BY day")
                .bind(from_day)
                .fetch_all(&self.pool)
                .await
                .during("read how many were forecast")?;
        let sql = "SELECT serving_at / 86400000 AS day, sum(idle_s), count(*) FROM wakes JOIN outcomes USING (wake_id) \
                   WHERE reason = 'forecast' AND serving_at >= $1 GROUP BY day ORDER BY day";
        let wakes: Vec<(i32, f64, i64)> = sqlx::query_as(sql)
            .bind(i64::from(from_day) * 86_400_000)
            .fetch_all(&self.pool)
            .await
            .during("add up idle time")?;
        let mut days: BTreeMap<i32, DaySpend> = BTreeMap::new();
        let of = |day| DaySpend { day, ..DaySpend::default() };
        for (day, instances) in instances {
            days.entry(day).or_insert_with(|| of(day)).instances = instances as u64;
        }
        for (day, idle_s, wakes) in wakes {
            let spend = days.entry(day).or_insert_with(|| of(day));
            (spend.idle_s, spend.wakes) = (idle_s, wakes as u64);
        }
        Ok(days.into_values().collect())
    }

    /// Keeps how many instances a plan forecast; the most of a day stands.
    pub async fn spend_keep_instances(&self, day: i32, instances: u64) -> Result<(), StoreError> {
        let sql = "INSERT INTO spend (day, instances) VALUES ($1, $2) \
                   ON CONFLICT (day) DO UPDATE SET \
                   instances = CASE WHEN spend.instances > $2 THEN spend.instances ELSE $2 END";
        sqlx::query(sql)
            .bind(day)
            .bind(instances as i64)
            .execute(&self.pool)
            .await
            .during("keep how many were forecast")
            .map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::{Home, both};

    const DAY_MS: i64 = 86_400_000;

    /// A wake that began to serve an hour into `day`, and its verdict.
    async fn wake(store: &Store, id: &str, reason: &str, day: i64, idle_s: f64) {
        let at = day * DAY_MS + 3_600_000;
        let sql = "INSERT INTO wakes (wake_id, instance_id, reason, priority, requested_by, created_at, due_at, \
                   expires_at, state, state_data, attempt, serving_at, ended_at, end_reason) \
                   VALUES ($1, $1, $2, 1, 'test', $3, $3, $3, 'ended', '{}', 1, $3, $3, 'woken')";
        sqlx::query(sql).bind(id).bind(reason).bind(at).execute(&store.pool).await.expect("kept");
        let sql = "INSERT INTO outcomes (wake_id, verdict, idle_s, waited_s, saved_s, judged_at) \
                   VALUES ($1, 'unused', $2, 0, 0, 0)";
        sqlx::query(sql).bind(id).bind(idle_s).execute(&store.pool).await.expect("kept");
    }

    both!(idle_time_of_forecast_wakes_is_added_up_by_the_day_they_served);

    async fn idle_time_of_forecast_wakes_is_added_up_by_the_day_they_served(home: Home) {
        let store = home.open().await;
        for (day, instances) in [(10, 4), (11, 7), (11, 5), (12, 6)] {
            store.spend_keep_instances(day, instances).await.expect("kept");
        }
        for (id, reason, day, idle_s) in [
            ("a", "forecast", 10, 1_000.0),
            ("b", "forecast", 11, 500.0),
            ("c", "forecast", 11, 250.5),
            ("d", "demand", 11, 9_999.0),
            ("e", "forecast", 13, 1.0),
        ] {
            wake(&store, id, reason, day, idle_s).await;
        }
        let day = |day, instances, idle_s, wakes| DaySpend { day, instances, idle_s, wakes };
        let expected = [day(11, 7, 750.5, 2), day(12, 6, 0.0, 0), day(13, 0, 1.0, 1)];
        assert_eq!(store.spend_of(11).await.expect("readable"), expected);
    }
}
