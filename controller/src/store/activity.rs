//! Table `activity`: the quarter hours in which an instance was seen, as 96 bits a day.

use reveille_proto::InstanceId;

use super::{Store, StoreError, Tx, error::During, row::Place};
use crate::visits::{Activity, Sighting};

/// 96 quarter hours.
const MASK_BYTES: usize = 12;

fn to_blob(mask: u128) -> Vec<u8> {
    mask.to_le_bytes()[..MASK_BYTES].to_vec()
}

fn from_blob(place: Place<'_>, blob: &[u8]) -> Result<u128, StoreError> {
    let mut bytes = [0u8; 16];
    if blob.len() != MASK_BYTES {
        return Err(place.bad(format!("quarters is {} bytes long, not {MASK_BYTES}", blob.len())));
    }
    bytes[..MASK_BYTES].copy_from_slice(blob);
    Ok(u128::from_le_bytes(bytes))
}

impl Store {
    /// Whether no instance was ever seen.
    pub async fn activity_is_empty(&self) -> Result<bool, StoreError> {
        let any: Option<i64> = sqlx::query_scalar("SELECT 1 FROM activity LIMIT 1")
            .fetch_optional(&self.pool)
            .await
            .during("look for activity")?;
        Ok(any.is_none())
    }

    /// Calls `each` with the activity of every instance from UTC day `from_day` on, in order of id.
    pub async fn activity_each(
        &self,
        from_day: i32,
        each: &mut (dyn FnMut(InstanceId, Activity) + Send),
    ) -> Result<(), StoreError> {
        use futures::TryStreamExt;
        let sql = "SELECT instance_id, day, quarters FROM activity WHERE day >= $1 ORDER BY instance_id, day";
        let mut rows = sqlx::query_as::<_, (String, i32, Vec<u8>)>(sql).bind(from_day).fetch(&self.pool);
        let mut current: Option<(InstanceId, Activity)> = None;
        while let Some((id, day, blob)) = rows.try_next().await.during("read activity")? {
            let place = Place { table: "activity", row: &id };
            let mask = from_blob(place, &blob)?;
            if current.as_ref().is_none_or(|(instance, _)| instance.as_str() != id) {
                let next = (place.parse("instance_id", &id)?, Activity::default());
                if let Some((instance, activity)) = current.replace(next) {
                    each(instance, activity);
                }
            }
            if let Some((_, activity)) = &mut current {
                activity.merge(day, mask);
            }
        }
        if let Some((instance, activity)) = current {
            each(instance, activity);
        }
        Ok(())
    }
}

pub(super) async fn absorb(
    tx: &mut Tx,
    instance: &InstanceId,
    sightings: &[Sighting],
) -> Result<(), StoreError> {
    let mut fresh = Activity::default();
    for sighting in sightings {
        fresh.insert(sighting.at);
    }
    for (day, mask) in fresh.days() {
        let known: Option<Vec<u8>> =
            sqlx::query_scalar("SELECT quarters FROM activity WHERE instance_id = $1 AND day = $2")
                .bind(instance.as_str())
                .bind(day)
                .fetch_optional(&mut **tx)
                .await
                .during("read a day of activity")?;
        let place = Place { table: "activity", row: instance.as_str() };
        let before = known.map(|blob| from_blob(place, &blob)).transpose()?;
        let after = before.unwrap_or(0) | mask;
        if before == Some(after) {
            continue;
        }
        let sql = "INSERT INTO activity (instance_id, day, quarters) VALUES ($1, $2, $3) \
                   ON CONFLICT (instance_id, day) DO UPDATE SET quarters = $3";
        sqlx::query(sql)
            .bind(instance.as_str())
            .bind(day)
            .bind(to_blob(after))
            .execute(&mut **tx)
            .await
            .during("keep a day of activity")?;
    }
    Ok(())
}
