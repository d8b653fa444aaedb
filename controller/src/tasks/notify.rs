//! Empties the outbox: what is due goes to its receiver, and what became of it is kept.
//!
//! The leader does it. A row is delivered at least once: it was written with the move that caused it, and is done with only
//! when the receiver's yes is on disk. Of one receiver and instance only the first row that is pending goes out, so that
//! they arrive in order; and nothing here waits for a receiver, so that none keeps another one back.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use jiff::SignedDuration;
use tokio::task::JoinSet;
use tracing::{debug, warn};

use super::{Task, TaskError};
use crate::{
    app::Shared,
    deliver::{Answer, Carrier, Courier, Parcel},
    notify::{Next, after_failure},
    store::{Outgoing, Sent, StoreError},
};

/// Deliveries to one receiver at once.
const UNDER_WAY_MAX: usize = 8;

/// The loop.
#[derive(Debug)]
pub struct Notify {
    shared: Shared,
    couriers: BTreeMap<String, Arc<Courier>>,
    under_way: UnderWay,
    /// Cut off with the loop: what was not kept is sent again, under the same id.
    deliveries: JoinSet<()>,
}

/// Numbers of the notifications that are being delivered, by receiver.
type UnderWay = Arc<Mutex<BTreeMap<String, BTreeSet<i64>>>>;

/// A delivery that is under way, until this is dropped, however it ends.
struct Seat {
    shared: Shared,
    under_way: UnderWay,
    receiver: String,
    id: i64,
}

impl Seat {
    fn take(shared: &Shared, under_way: &UnderWay, receiver: &str, id: i64) -> Self {
        let mut seats = under_way.lock().unwrap_or_else(PoisonError::into_inner);
        seats.entry(receiver.to_owned()).or_default().insert(id);
        Self { shared: shared.clone(), under_way: Arc::clone(under_way), receiver: receiver.to_owned(), id }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut seats = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(ids) = seats.get_mut(&self.receiver) {
            ids.remove(&self.id);
        }
        drop(seats);
        // The next of its instance may go.
        self.shared.signals.notify.notify_one();
    }
}

impl Notify {
    /// Reads the secrets of all receivers. Webhooks go as `carrier` carries them, where there is one.
    pub fn new(shared: Shared, carrier: Option<&Arc<dyn Carrier>>) -> Result<Self, TaskError> {
        let couriers =
            Courier::all(&shared.config.notify, carrier).map_err(|e| TaskError::Config(e.to_string()))?;
        let couriers = couriers.into_iter().map(|courier| (courier.name.clone(), Arc::new(courier)));
        Ok(Self {
            couriers: couriers.collect(),
            under_way: UnderWay::default(),
            deliveries: JoinSet::new(),
            shared,
        })
    }

    fn ids_under_way(&self, receiver: &str) -> BTreeSet<i64> {
        let seats = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        seats.get(receiver).cloned().unwrap_or_default()
    }

    /// Sends what is due for one receiver, as far as there is room.
    async fn send(&mut self, courier: &Arc<Courier>) -> Result<usize, StoreError> {
        let now = self.shared.clock.now();
        if !self.shared.receivers.may_be_told(&courier.name, now) {
            return Ok(0);
        }
        let ids = self.ids_under_way(&courier.name);
        let room = UNDER_WAY_MAX.saturating_sub(ids.len());
        if room == 0 {
            return Ok(0);
        }
        let fence = self.shared.lead.fence();
        let store = &self.shared.store;
        let taken = store.notifications_claim(&courier.name, now, (room, &ids), fence.as_ref()).await?;
        let count = taken.len();
        for one in taken {
            let seat = Seat::take(&self.shared, &self.under_way, &courier.name, one.notification_id);
            let courier = Arc::clone(courier);
            self.deliveries.spawn(async move {
                deliver(&seat.shared, &courier, &one).await;
                drop(seat);
            });
        }
        Ok(count)
    }
}

/// Tries once, and keeps what became of it.
async fn deliver(shared: &Shared, courier: &Courier, one: &Outgoing) {
    let parcel = Parcel { message_id: &one.message_id, body: &one.body, created_at: one.created_at };
    let answer = courier.deliver(&parcel, shared.clock.now()).await;
    let sent = weighed(shared, courier, one, answer);
    let (now, fence) = (shared.clock.now(), shared.lead.fence());
    let kept = shared.store.notification_sent(one.notification_id, &sent, now, fence.as_ref()).await;
    if let Err(error) = kept {
        let error = anyhow::Error::new(error);
        warn!(
            receiver = courier.name,
            error = format!("{error:#}"),
            "a delivery was not kept; it is made again"
        );
    }
}

/// What an answer makes of a notification, and of its receiver.
fn weighed(shared: &Shared, courier: &Courier, one: &Outgoing, answer: Answer) -> Sent {
    let now = shared.clock.now();
    let (receiver, message_id) = (courier.name.as_str(), one.message_id.as_str());
    let (problem, retry_after_s) = match answer {
        Answer::Delivered => {
            debug!(receiver, message_id, event = one.event, "delivered");
            shared.metrics.notification(receiver, "delivered");
            return Sent::Delivered;
        }
        Answer::Gone => {
            warn!(
                receiver,
                "answered 410 (gone): nothing is sent to it until the controller is started again"
            );
            shared.receivers.rests_for_good(receiver);
            ("it answered 410 (gone): nothing is sent until the controller is started again".to_owned(), None)
        }
        Answer::Failed { problem, retry_after_s, is_of_receiver } => {
            if let Some(rest_s) = retry_after_s.filter(|_| is_of_receiver) {
                shared.receivers.rests(receiver, now, rest_s);
            }
            (problem, retry_after_s)
        }
    };
    let give_up_after = SignedDuration::from_secs(shared.config.notify.give_up_after_s.into());
    let times = (one.created_at, now);
    match after_failure(times, one.attempts, retry_after_s, shared.jitter(), give_up_after) {
        Next::Again { due_at } => {
            debug!(receiver, message_id, problem, %due_at, "a delivery failed");
            shared.metrics.notification(receiver, "failed");
            Sent::Again { due_at, problem }
        }
        Next::GiveUp => {
            warn!(receiver, message_id, event = one.event, problem, "a notification is given up");
            shared.metrics.notification(receiver, "given_up");
            Sent::GivenUp { problem }
        }
    }
}

impl Task for Notify {
    const NAME: &'static str = "notify";
    const LEADER_ONLY: bool = true;

    fn period(&self) -> Duration {
        Duration::from_secs(1)
    }

    async fn activate(&mut self) -> Result<String, TaskError> {
        while self.deliveries.try_join_next().is_some() {}
        let due = self.shared.store.notifications_due(self.shared.clock.now()).await?;
        let mut sent = 0;
        for courier in due.iter().filter_map(|name| self.couriers.get(name).cloned()).collect::<Vec<_>>() {
            sent += self.send(&courier).await?;
        }
        Ok(if sent > 0 { format!("{sent} notifications on their way") } else { String::new() })
    }
}
