//! Whether each move of a wake has its row: looked up in the controller's database, past the controller.

use reveille_controller::{
    store::{Store, StoreError, Transition},
    wake::Wake,
};
use reveille_proto::WakeId;

/// Moves of this wake that no row tells of, or that do not follow from the one before. `None` while there is no such wake.
///
/// # Errors
/// When the database cannot be read.
pub async fn gaps(store: &Store, wake: WakeId) -> Result<Option<u64>, StoreError> {
    let Some(wake_now) = store.wake_get(wake).await? else { return Ok(None) };
    Ok(Some(missing(&wake_now, &store.transitions_of(wake).await?)))
}

fn missing(wake: &Wake, rows: &[Transition]) -> u64 {
    // The creation, and each move.
    let wanted = wake.moves + 1;
    let followed = rows.iter().scan((0, ""), |(seq, state), row| {
        let follows = row.seq == *seq + 1 && row.from == *state;
        (*seq, *state) = (row.seq, &row.to);
        Some(follows)
    });
    let broken = followed.filter(|follows| !follows).count() as u64;
    let is_elsewhere = rows.last().is_none_or(|last| last.to != wake.state.name());
    wanted.abs_diff(rows.len() as u64).max(broken).max(u64::from(is_elsewhere))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(seq: u32, from: &str, to: &str) -> Transition {
        Transition {
            wake: "0190a1b2-0000-7000-8000-000000000001".parse().expect("valid"),
            seq,
            at: jiff::Timestamp::UNIX_EPOCH,
            event: String::new(),
            from: from.to_owned(),
            to: to.to_owned(),
            epoch: 0,
            detail: String::new(),
        }
    }

    #[tokio::test]
    async fn a_move_without_its_row_is_a_gap() {
        let dir = tempfile::tempdir().expect("a directory");
        let store = Store::open(&dir.path().join("reveille.db")).await.expect("opens");
        let now = jiff::Timestamp::UNIX_EPOCH;
        let id: WakeId = row(1, "", "").wake;
        assert_eq!(gaps(&store, id).await.expect("readable"), None);
        let new = reveille_controller::store::NewWake {
            id,
            instance: "dev1".parse().expect("valid"),
            reason: reveille_controller::wake::Reason::Demand,
            requested_by: "test".into(),
            plan_id: None,
            probability: None,
            created_at: now,
            due_at: now,
            serve_at: None,
            expires_at: now + jiff::SignedDuration::from_mins(10),
        };
        let rule = reveille_controller::wake::RetryRule::default();
        store.wake_request(&new, &rule).await.expect("queued");
        assert_eq!(gaps(&store, id).await.expect("readable"), Some(0));
        let wake = store.wake_get(id).await.expect("readable").expect("there");
        let created = row(1, "", "queued");
        assert_eq!(missing(&wake, &[]), 1);
        let ended = Wake { moves: 1, ..wake.clone() };
        assert_eq!(missing(&ended, std::slice::from_ref(&created)), 1);
        assert_eq!(missing(&ended, &[created.clone(), row(2, "dispatched", "queued")]), 1);
        assert_eq!(missing(&ended, &[created, row(2, "queued", "queued")]), 0);
    }
}
