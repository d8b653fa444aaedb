//! How a program waits for what the runtime's clock does not govern: a disk, a database, work for another thread.
//!
//! In production it lets other tasks go on meanwhile. The proving ground runs programs under a clock that stands still while
//! there is work and leaps when there is none: there the thread itself waits, so that no time passes, and nothing else
//! happens, between a question and its answer. It lives beside the clock, for the same reason: both ends wait.

use std::{
    cell::Cell,
    fmt, io,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake},
    thread::{self, Thread},
};

use tokio::{
    runtime::Handle,
    task::{self, JoinError},
};

/// What is asked of a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    Statement,
    /// A whole transaction, which writes.
    Transaction,
    /// The answer to a transaction, which is through.
    Answer,
}

/// Where whoever asks a database waits for the turn: it opens in its own time, or turns away. An answer that is turned away is
/// lost, and what was asked for is done all the same.
pub type Gate = Arc<dyn Fn(Asked) -> Pin<Box<dyn Future<Output = io::Result<()>> + Send>> + Send + Sync>;

/// Cheap to clone; by default tasks wait and threads do not.
#[derive(Clone, Default)]
pub struct Waits {
    elsewhere: Option<Handle>,
    gate: Option<Gate>,
}

thread_local! {
    /// Whether this thread waits in place now.
    static IS_WAITING: Cell<bool> = const { Cell::new(false) };
}

impl Waits {
    /// The thread waits. What is waited for lives in the runtime of `elsewhere`, which must run on threads of its own.
    pub fn in_place(elsewhere: Handle) -> Self {
        Self { elsewhere: Some(elsewhere), gate: None }
    }

    /// The same, behind a gate: a database that is slow by the runtime's clock.
    #[must_use]
    pub fn behind(self, gate: Gate) -> Self {
        Self { gate: Some(gate), ..self }
    }

    /// Waits at the gate, if there is one. Who is through already is not held within what is waited for: the thread would
    /// stand still in front of a gate that opens by the clock it holds.
    ///
    /// # Errors
    /// When the gate turns away.
    pub async fn turn(&self, asked: Asked) -> io::Result<()> {
        match self.gate.as_ref().filter(|_| !IS_WAITING.get()) {
            Some(gate) => gate(asked).await,
            None => Ok(()),
        }
    }

    /// Whether the thread waits.
    pub fn are_in_place(&self) -> bool {
        self.elsewhere.is_some()
    }

    /// Waits for `answer`.
    pub async fn until<F: Future>(&self, answer: F) -> F::Output {
        match &self.elsewhere {
            None => answer.await,
            Some(elsewhere) => {
                let _entered = elsewhere.enter();
                // A task that has used up its turn would be told to wait for the next one, which does not come.
                here(task::unconstrained(answer))
            }
        }
    }

    /// Does `work`, which blocks. Fails when it panics.
    pub async fn done<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, JoinError> {
        match &self.elsewhere {
            None => task::spawn_blocking(work).await,
            Some(_) => Ok(work()),
        }
    }
}

impl fmt::Debug for Waits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.are_in_place() { "Waits(in place)" } else { "Waits(aside)" })
    }
}

/// Wakes a thread that is parked. The flag is its own: one wait may lie within another on the same thread, and would
/// otherwise use up what was meant for the outer one.
struct Unpark {
    thread: Thread,
    woken: AtomicBool,
}

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.woken.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

/// What this thread did before is what it does again afterwards, even where what was waited for panics.
struct Waiting(bool);

impl Drop for Waiting {
    fn drop(&mut self) {
        IS_WAITING.set(self.0);
    }
}

/// Polls until it is ready, without leaving this thread.
fn here<F: Future>(answer: F) -> F::Output {
    let _waiting = Waiting(IS_WAITING.replace(true));
    let mut answer = pin!(answer);
    let unpark = Arc::new(Unpark { thread: thread::current(), woken: AtomicBool::new(false) });
    let waker = Arc::clone(&unpark).into();
    let mut context = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(answer) = answer.as_mut().poll(&mut context) {
            return answer;
        }
        while !unpark.woken.swap(false, Ordering::Acquire) {
            thread::park();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::{
        runtime::{Builder, Runtime},
        sync::oneshot,
        time::Instant,
    };

    use super::*;

    fn elsewhere() -> Runtime {
        Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime")
    }

    fn stopped_clock() -> Runtime {
        Builder::new_current_thread().enable_all().start_paused(true).build().expect("a runtime")
    }

    /// An answer of the other runtime, a few real milliseconds from now.
    async fn late(answer: u32) -> u32 {
        let (say, said) = oneshot::channel();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(3)).await;
            say.send(answer).expect("somebody waits");
        });
        said.await.expect("answered")
    }

    #[test]
    fn no_time_passes_and_nobody_else_has_a_turn_while_the_thread_waits() {
        let elsewhere = elsewhere();
        let waits = Waits::in_place(elsewhere.handle().clone());
        stopped_clock().block_on(async move {
            let began = Instant::now();
            let other = tokio::spawn(async move { began.elapsed() });
            let answer = waits.until(async { late(1).await + waits.until(late(2)).await }).await;
            assert_eq!(answer, 3);
            assert!(!other.is_finished(), "it waits for its turn");
            assert_eq!(began.elapsed(), Duration::ZERO);
            assert_eq!(other.await.expect("ends"), Duration::ZERO);
        });
        drop(elsewhere);
    }

    #[test]
    fn more_answers_than_a_turn_has_room_for() {
        let elsewhere = elsewhere();
        let waits = Waits::in_place(elsewhere.handle().clone());
        let sum = stopped_clock().block_on(waits.until(async {
            let (say, mut said) = tokio::sync::mpsc::channel(1000);
            for number in 0..1000_u64 {
                say.send(number).await.expect("there is room");
            }
            drop(say);
            let mut sum = 0;
            while let Some(number) = said.recv().await {
                sum += number;
            }
            sum
        }));
        assert_eq!(sum, 499_500);
        drop(elsewhere);
    }

    #[test]
    fn a_gate_holds_who_asks_and_nobody_within() {
        let elsewhere = elsewhere();
        let gate: Gate = Arc::new(|asked| {
            Box::pin(async move {
                tokio::time::sleep(Duration::from_secs(9)).await;
                if asked == Asked::Answer { Err(io::ErrorKind::ConnectionReset.into()) } else { Ok(()) }
            })
        });
        let waits = Waits::in_place(elsewhere.handle().clone()).behind(gate);
        stopped_clock().block_on(async move {
            let began = Instant::now();
            waits.turn(Asked::Statement).await.expect("it opens");
            assert_eq!(began.elapsed(), Duration::from_secs(9));
            waits.until(waits.turn(Asked::Answer)).await.expect("nobody is turned away within");
            assert_eq!(began.elapsed(), Duration::from_secs(9));
            assert!(waits.turn(Asked::Answer).await.is_err());
        });
        drop(elsewhere);
    }

    #[tokio::test]
    async fn aside_is_the_default_and_a_panic_is_an_error() {
        let waits = Waits::default();
        assert_eq!(waits.until(async { 4 }).await, 4);
        assert_eq!(waits.done(|| 5).await.expect("no panic"), 5);
        assert!(waits.done(|| panic!("as it may be")).await.is_err());
    }
}
