//! Tables `wakes` and `transitions`: many moves in one commit, each compared with what it was made from.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use reveille_proto::{HostId, WakeId};
use serde::Serialize;
use sqlx::AssertSqlSafe;

use super::{
    Backend, Store, StoreError, Transition, Tx,
    changes::{ChangedRow, Standing, changes, update, update_all},
    error::During,
    row::Place,
    rows::{self, Kind},
    transitions::{self, Story},
};
use crate::wake::{Effect, Event, Illegal, RetryRule, Wake, step};

/// A move of one wake: what it was, and what an event made of it.
#[derive(Debug, Clone, PartialEq)]
pub struct WakeMove {
    pub before: Wake,
    pub after: Wake,
    /// Name of the event.
    pub event: &'static str,
    pub at: Timestamp,
    /// Of the controller whose run this is; 0 for none.
    pub epoch: u64,
    pub detail: String,
}

impl WakeMove {
    /// What `event` makes of `wake`, and what follows once that is committed. No move when it changes nothing.
    pub fn step(wake: Wake, event: &Event, rule: &RetryRule) -> Result<(Option<Self>, Vec<Effect>), Illegal> {
        let (after, effects) = step(&wake, event, rule)?;
        if after == wake {
            return Ok((None, effects));
        }
        let epoch = after.state.run().or(wake.state.run()).map_or(0, |run| run.epoch);
        let (name, at, detail) = (event.name(), event.at(), after.detail.clone());
        Ok((Some(Self { before: wake, after, event: name, at, epoch, detail }), effects))
    }

    /// The host that runs the attempt, before or after.
    fn host(&self) -> Option<&HostId> {
        self.after.state.run().or(self.before.state.run()).map(|run| &run.host)
    }

    fn transition(&self) -> Transition {
        Transition {
            wake: self.before.id,
            seq: self.before.moves as u32 + 2,
            at: self.at,
            event: self.event.into(),
            from: self.before.state.name().into(),
            to: self.after.state.name().into(),
            epoch: self.epoch,
            detail: self.detail.clone(),
        }
    }
}

/// What became of a move.
#[derive(Debug, Clone, PartialEq)]
pub enum Moved {
    /// The wake as it stands now.
    Done(Box<Wake>),
    /// Somebody else has moved the wake, or has its host's session: nothing was written.
    Lost,
}

/// The sessions a controller believes to hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sessions {
    pub controller: String,
    /// Epoch of the session of each host, as [`Store::host_hello`] gave it.
    pub epochs: BTreeMap<HostId, u64>,
}

impl Store {
    /// Commits moves together: every wake that still stands as `before` says becomes `after`, with its row in
    /// `transitions`; all others are lost and have none. Returns what became of each, in the order given.
    ///
    /// With `sessions`, a move of an attempt on a host is lost unless the controller still holds that very session.
    pub async fn wakes_move(
        &self,
        moves: &[WakeMove],
        sessions: Option<&Sessions>,
    ) -> Result<Vec<Moved>, StoreError> {
        if moves.is_empty() {
            return Ok(Vec::new());
        }
        // Nearly always all of them are as they were seen: then one number says so, not a row for each.
        if let Some(moved) = self.retried(|| self.commit_all(moves, sessions)).await? {
            return Ok(moved);
        }
        self.retried(|| self.commit_some(moves, sessions)).await
    }

    /// Commits all moves or, when a session is not held or a wake does not stand as was seen, none of them.
    async fn commit_all(
        &self,
        moves: &[WakeMove],
        sessions: Option<&Sessions>,
    ) -> Result<Option<Vec<Moved>>, StoreError> {
        let tried = first_of_each(moves, |_| true);
        let changes = changes(self.backend, changed_rows(&tried), "");
        let told = story(&tried);
        let story = Story::of(self.backend, &told);
        let held = sessions.map(Held::of);
        let mut tx = self.begin().await?;
        if let Some(held) = held
            && !held.all(&mut tx, self.backend).await?
        {
            return Ok(None);
        }
        if update_all(&mut tx, changes).await? != tried.len() as u64 {
            return Ok(None);
        }
        story.append(&mut tx).await?;
        self.notify_of_ends(&mut tx, tried.values().map(|(_, moved)| &moved.after)).await?;
        tx.commit().await.during("commit moves of wakes")?;
        Ok(Some(became(moves.len(), tried)))
    }

    /// Commits the moves whose sessions are held and whose wakes stand as was seen.
    async fn commit_some(
        &self,
        moves: &[WakeMove],
        sessions: Option<&Sessions>,
    ) -> Result<Vec<Moved>, StoreError> {
        let mut tx = self.begin().await?;
        let held = match sessions {
            None => None,
            Some(sessions) => Some(held(&mut tx, self.backend, sessions).await?),
        };
        let may_move = |moved: &WakeMove| {
            let on_host = held.as_ref().zip(moved.host());
            on_host.is_none_or(|(held, host)| held.contains(host))
        };
        let mut tried = first_of_each(moves, may_move);
        let done = update(&mut tx, self.backend, changed_rows(&tried)).await?;
        tried.retain(|id, _| done.contains(id));
        transitions::append(&mut tx, self.backend, &story(&tried)).await?;
        self.notify_of_ends(&mut tx, tried.values().map(|(_, moved)| &moved.after)).await?;
        tx.commit().await.during("commit moves of wakes")?;
        Ok(became(moves.len(), tried))
    }
}

/// Moves by their wakes, each with its place among all.
type Tried<'a> = BTreeMap<WakeId, (usize, &'a WakeMove)>;

/// One statement cannot change a row twice: of several moves of one wake, the first is tried. In order of wake, so that
/// two controllers do not wait for each other.
fn first_of_each(moves: &[WakeMove], may_move: impl Fn(&WakeMove) -> bool) -> Tried<'_> {
    let mut tried = BTreeMap::new();
    for (place, moved) in moves.iter().enumerate().filter(|(_, moved)| may_move(moved)) {
        tried.entry(moved.before.id).or_insert((place, moved));
    }
    tried
}

fn changed_rows<'a>(tried: &Tried<'a>) -> Vec<ChangedRow<'a>> {
    let row =
        |(_, moved): &(usize, &'a WakeMove)| ChangedRow::of(&moved.after, &Standing::of(&moved.before), 1);
    tried.values().map(row).collect()
}

fn story<'a>(tried: &Tried<'a>) -> Vec<transitions::Told<'a>> {
    tried.values().map(|(_, moved)| (moved.transition(), &moved.before.instance)).collect()
}

/// What became of so many moves, of which these are committed.
fn became(moves: usize, committed: Tried<'_>) -> Vec<Moved> {
    let mut told = vec![Moved::Lost; moves];
    for (place, moved) in committed.into_values() {
        let after = Wake { moves: moved.before.moves + 1, ..moved.after.clone() };
        told[place] = Moved::Done(Box::new(after));
    }
    told
}

/// A session as the fence compares it.
#[derive(Serialize)]
struct HeldRow<'a> {
    host_id: &'a HostId,
    session_epoch: u64,
}

/// The question whether sessions are still those.
struct Held<'a> {
    sessions: &'a Sessions,
    json: String,
}

impl<'a> Held<'a> {
    fn of(sessions: &'a Sessions) -> Self {
        let said = sessions.epochs.iter().map(|(host_id, epoch)| HeldRow { host_id, session_epoch: *epoch });
        Self { sessions, json: rows::json(&said.collect::<Vec<_>>()) }
    }

    /// Whether all are; they stay so until the commit.
    async fn all(self, tx: &mut Tx, backend: Backend) -> Result<bool, StoreError> {
        backend.keep_sessions(tx).await?;
        let sql = format!(
            "SELECT COUNT(*) FROM {} AS said JOIN hosts ON hosts.host_id = said.host_id \
             AND hosts.session_epoch = said.session_epoch WHERE hosts.controller_id = $2",
            rows::table(backend, &[("host_id", Kind::Text), ("session_epoch", Kind::Int)])
        );
        let held: i64 = sqlx::query_scalar(AssertSqlSafe(sql))
            .bind(self.json)
            .bind(&self.sessions.controller)
            .fetch_one(&mut **tx)
            .await
            .during("look at the sessions of hosts")?;
        Ok(held as usize == self.sessions.epochs.len())
    }
}

/// The hosts whose sessions are still those; they stay so until the commit.
async fn held(tx: &mut Tx, backend: Backend, sessions: &Sessions) -> Result<BTreeSet<HostId>, StoreError> {
    backend.keep_sessions(tx).await?;
    let sql = format!(
        "SELECT host_id, session_epoch FROM hosts WHERE controller_id = $2 AND host_id IN {}",
        rows::ids(backend)
    );
    let rows: Vec<(String, i64)> = sqlx::query_as(AssertSqlSafe(sql))
        .bind(rows::ids_json(sessions.epochs.keys()))
        .bind(&sessions.controller)
        .fetch_all(&mut **tx)
        .await
        .during("look at the sessions of hosts")?;
    let mut held = BTreeSet::new();
    for (id, session_epoch) in rows {
        let host: HostId = Place { table: "hosts", row: &id }.parse("host_id", &id)?;
        if sessions.epochs.get(&host) == Some(&(session_epoch as u64)) {
            held.insert(host);
        }
    }
    Ok(held)
}

/// Steps a wake that is locked, and writes the move.
pub(super) async fn advance(
    tx: &mut Tx,
    backend: Backend,
    wake: Wake,
    event: &Event,
    rule: &RetryRule,
) -> Result<(Wake, Vec<Effect>), StoreError> {
    let mut line = Line::new(wake);
    let effects = line.step(event, rule)?;
    write(tx, backend, std::slice::from_ref(&line)).await?;
    Ok((line.wake, effects))
}

/// A wake that goes through one event after the other before it is written.
pub(super) struct Line {
    pub(super) wake: Wake,
    before: Standing,
    story: Vec<Transition>,
}

impl Line {
    pub(super) fn new(wake: Wake) -> Self {
        Self { before: Standing::of(&wake), wake, story: Vec::new() }
    }

    pub(super) fn has_moved(&self) -> bool {
        !self.story.is_empty()
    }

    pub(super) fn step(&mut self, event: &Event, rule: &RetryRule) -> Result<Vec<Effect>, Illegal> {
        let (moved, effects) = WakeMove::step(self.wake.clone(), event, rule)?;
        if let Some(moved) = moved {
            self.story.push(moved.transition());
            self.wake = Wake { moves: moved.before.moves + 1, ..moved.after };
        }
        Ok(effects)
    }
}

/// Writes wakes that are locked, each with its story.
pub(super) async fn write(tx: &mut Tx, backend: Backend, lines: &[Line]) -> Result<(), StoreError> {
    let moved: Vec<_> = lines.iter().filter(|line| !line.story.is_empty()).collect();
    let rows: Vec<_> =
        moved.iter().map(|line| ChangedRow::of(&line.wake, &line.before, line.story.len() as u64)).collect();
    let done = update(tx, backend, rows).await?;
    if let Some(lost) = moved.iter().find(|line| !done.contains(&line.wake.id)) {
        let row = lost.wake.id.to_string();
        return Err(Place { table: "wakes", row: &row }.bad("it is over and cannot move"));
    }
    let story: Vec<_> = moved
        .iter()
        .copied()
        .flat_map(|line| line.story.iter().map(|row| (row.clone(), &line.wake.instance)))
        .collect();
    transitions::append(tx, backend, &story).await
}
