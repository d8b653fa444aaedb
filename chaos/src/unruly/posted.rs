//! The manner in force, for as long as it is: until another one is posted, or its lease is over.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::Manner;
use crate::fault::FaultProof;

/// Cheap to clone; every clone is the same posting.
#[derive(Debug, Clone)]
pub(super) struct Posted(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    manner: Manner,
    from_s: i64,
    lease: Option<(Instant, i64)>,
    replaced: CancellationToken,
    replaced_at_s: AtomicU64,
    met: AtomicU64,
    hits: AtomicU64,
}

impl Posted {
    /// From `now_s` (seconds since 1970) on.
    pub(super) fn new(manner: Manner, lease: Option<Duration>, now_s: i64) -> Self {
        let lease = lease.map(|lease| (Instant::now() + lease, now_s + lease.as_secs().cast_signed()));
        let (replaced, zero) = (CancellationToken::new(), AtomicU64::default);
        Self(Arc::new(Inner {
            manner,
            from_s: now_s,
            lease,
            replaced,
            replaced_at_s: zero(),
            met: zero(),
            hits: zero(),
        }))
    }

    /// None when it is over: then the endpoint behaves.
    pub(super) fn manner(&self) -> Option<&Manner> {
        (!self.is_over()).then_some(&self.0.manner)
    }

    pub(super) fn replace(&self, now_s: i64) {
        self.0.replaced_at_s.store(now_s.cast_unsigned(), Ordering::Relaxed);
        self.0.replaced.cancel();
    }

    fn is_over(&self) -> bool {
        self.0.replaced.is_cancelled() || self.0.lease.is_some_and(|(until, _)| until <= Instant::now())
    }

    /// Waits until it is over.
    pub(super) async fn over(&self) {
        let until = self.0.lease.map(|(until, _)| until);
        tokio::select! {
            () = self.0.replaced.cancelled() => {}
            () = sleep_until(until.unwrap_or_else(Instant::now)), if until.is_some() => {}
        }
    }

    /// A request met it.
    pub(super) fn meet(&self) {
        self.0.met.fetch_add(1, Ordering::Relaxed);
    }

    /// It bit.
    pub(super) fn bite(&self) {
        self.0.hits.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn proof(&self) -> FaultProof {
        let Inner { manner, from_s, lease, replaced, replaced_at_s, met, hits } = &*self.0;
        let replaced_at_s =
            replaced.is_cancelled().then(|| replaced_at_s.load(Ordering::Relaxed).cast_signed());
        let until_s = replaced_at_s.into_iter().chain(lease.map(|(_, until_s)| until_s)).min();
        FaultProof {
            kind: manner.kind(),
            from_s: *from_s,
            until_s: until_s.unwrap_or(i64::MAX),
            hits: hits.load(Ordering::Relaxed),
            opportunities: met.load(Ordering::Relaxed),
            on: !self.is_over(),
        }
    }
}
