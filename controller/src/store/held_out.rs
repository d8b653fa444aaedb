//! Table `held_out`: what was wished for and left undone, and beside it what was done. Together they are the trial.

use jiff::Timestamp;
use reveille_proto::InstanceId;

use super::{
    Backend, Store, StoreError, Tx,
    error::During,
    row::{Place, ms},
    rows::{self, Kind, ROWS_PER_STATEMENT},
};
use crate::{
    plan::{Omission, OmissionReason},
    policy::Mode,
    report::effect::{Arm, Wish},
};

/// A wake some plan would have made of an instance that was held out.
#[derive(Debug, Clone, PartialEq)]
pub struct HeldOutRow {
    pub instance: InstanceId,
    pub plan_id: i64,
    pub due_at: Timestamp,
    /// The clock hour it was forecast for.
    pub hour_at: Timestamp,
    pub serve_at: Timestamp,
    pub probability: f64,
}

/// Wishes of plans that acted and drew; those held out stand in the other table.
const TRIAL: &str =
    "FROM planned AS wish JOIN plans USING (plan_id) WHERE plans.mode = $1 AND hold_out_share > 0";

impl Store {
    /// Wakes left out that were to serve in `[from, to)`, in order of time.
    pub async fn held_out_between(
        &self,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<HeldOutRow>, StoreError> {
        let sql = "SELECT instance_id, hour_at, serve_at, plan_id, due_at, probability FROM held_out \
                   WHERE serve_at >= $1 AND serve_at < $2 ORDER BY serve_at, instance_id";
        let rows: Vec<(String, i64, i64, i64, i64, f64)> = sqlx::query_as(sql)
            .bind(ms(from))
            .bind(ms(to))
            .fetch_all(&self.pool)
            .await
            .during("read what was held out")?;
        let read = rows.into_iter().map(|(id, hour_at, serve_at, plan_id, due_at, probability)| {
            let at = Place { table: "held_out", row: &id };
            Ok(HeldOutRow {
                instance: at.parse("instance_id", &id)?,
                plan_id,
                due_at: at.time("due_at", due_at)?,
                hour_at: at.time("hour_at", hour_at)?,
                serve_at: at.time("serve_at", serve_at)?,
                probability,
            })
        });
        read.collect()
    }

    /// What plans of mode `act` wished for while a share was held out, to serve in `[from, to)`: woken and held out,
    /// in order of instance and time.
    pub async fn wishes_between(&self, from: Timestamp, to: Timestamp) -> Result<Vec<Wish>, StoreError> {
        let wishes = |table: &str, held_out: u8| {
            format!(
                "SELECT wish.instance_id, wish.hour_at, wish.due_at, wish.serve_at, plans.hold_out_share, {held_out} AS held_out \
                 {} AND wish.serve_at >= $2 AND wish.serve_at < $3",
                TRIAL.replace("planned", table)
            )
        };
        let sql = format!("{} UNION ALL {} ORDER BY 1, 3, 2, 6", wishes("planned", 0), wishes("held_out", 1));
        let rows: Vec<(String, i64, i64, i64, f64, i64)> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(Mode::Act.as_str())
            .bind(ms(from))
            .bind(ms(to))
            .fetch_all(&self.pool)
            .await
            .during("read the wishes of a trial")?;
        let read = rows.into_iter().map(|(id, hour_at, due_at, serve_at, hold_out_share, held_out)| {
            let at = Place { table: "planned or held_out", row: &id };
            Ok(Wish {
                instance: at.parse("instance_id", &id)?,
                hour_at: at.time("hour_at", hour_at)?,
                due_at: at.time("due_at", due_at)?,
                serve_at: at.time("serve_at", serve_at)?,
                arm: if held_out == 1 { Arm::HeldOut } else { Arm::Woken },
                hold_out_share,
            })
        });
        read.collect()
    }

    /// When the first wish of the trial was to serve; none before there is one.
    pub async fn wishes_began_at(&self) -> Result<Option<Timestamp>, StoreError> {
        let first =
            |table: &str| format!("SELECT min(wish.serve_at) AS at {}", TRIAL.replace("planned", table));
        let sql =
            format!("SELECT min(at) FROM ({} UNION ALL {}) AS firsts", first("planned"), first("held_out"));
        let at: Option<i64> = sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
            .bind(Mode::Act.as_str())
            .fetch_one(&self.pool)
            .await
            .during("look for the beginning of the trial")?;
        Place { table: "planned or held_out", row: "first" }.time_opt("serve_at", at)
    }
}

/// Keeps what a plan held out; an hour that an earlier plan held out stands as it is.
pub(super) async fn keep(
    tx: &mut Tx,
    backend: Backend,
    plan_id: i64,
    omissions: &[Omission],
) -> Result<(), StoreError> {
    let columns = [
        ("instance_id", Kind::Text),
        ("hour_at", Kind::Int),
        ("serve_at", Kind::Int),
        ("due_at", Kind::Int),
        ("probability", Kind::Real),
    ];
    let sql = format!(
        "INSERT INTO held_out (instance_id, hour_at, serve_at, plan_id, due_at, probability) \
         SELECT instance_id, hour_at, serve_at, $2, due_at, probability FROM {} AS held WHERE 1 = 1 \
         ON CONFLICT DO NOTHING",
        rows::table(backend, &columns)
    );
    let held: Vec<_> = omissions.iter().filter_map(held_out_row).collect();
    for some in held.chunks(ROWS_PER_STATEMENT) {
        sqlx::query(sqlx::AssertSqlSafe(sql.clone()))
            .bind(rows::json(some))
            .bind(plan_id)
            .execute(&mut **tx)
            .await
            .during("keep what was held out")?;
    }
    Ok(())
}

#[derive(serde::Serialize)]
struct NewRow<'a> {
    instance_id: &'a InstanceId,
    hour_at: i64,
    serve_at: i64,
    due_at: i64,
    probability: f64,
}

fn held_out_row(omission: &Omission) -> Option<NewRow<'_>> {
    let OmissionReason::HeldOut(held_out) = &omission.reason else { return None };
    Some(NewRow {
        instance_id: &omission.instance,
        hour_at: ms(held_out.hour_at),
        serve_at: ms(held_out.serve_at),
        due_at: ms(held_out.due_at),
        probability: held_out.probability,
    })
}
