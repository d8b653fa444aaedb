//! A crash that leaves any first part of the journal, and a journal that cannot be written.

use super::*;

/// Does `bytes` of a journal hold an order of wake `n`, and a call of it that may have had an effect? Read by hand,
/// so that the code under test is not its own judge.
fn in_journal(bytes: &[u8], n: u8) -> (bool, bool) {
    let (mut ordered, mut called) = (false, false);
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    for line in std::str::from_utf8(&bytes[..whole]).expect("text").lines() {
        if line.contains(&wake(n).to_string()) {
            ordered |= line.contains("\"event\":\"received\"");
            called |= line.contains("\"event\":\"calling\"");
            called &= !line.contains("\"effect\":\"EFFECT_NONE\"");
        }
    }
    (ordered, called)
}

/// The journal of three wakes: one accepted, one refused three times, one unknown.
async fn full_journal() -> Vec<u8> {
    let world = World::new();
    let devs = [
        world.instance(CallOutcome::Accepted, 3),
        world.instance(refused(), u32::MAX),
        world.instance(unknown(), 3),
    ];
    let mut rig = world.rig(&devs);
    for order in [order(1, 1), order(2, 1), order(3, 1), order(2, 2), order(2, 3)] {
        rig.executor.wake(order);
        rig.result().await;
    }
    rig.executor.acked(wake(1), 1);
    rig.shut().await;
    std::fs::read(world.dir.path().join("journal.jsonl")).expect("a journal")
}

/// S4: a crash leaves some first part of the journal. Whatever part, nobody calls twice and every wake ends once.
async fn resumes_without_a_second_call(prefix: &[u8]) {
    let world = World::new();
    std::fs::write(world.dir.path().join("journal.jsonl"), prefix).expect("written");
    let devs = [1, 2, 3].map(|_| world.instance(CallOutcome::Accepted, 2));
    let mut rig = world.rig(&devs);
    rig.executor.tell_all();
    for n in 1..=3 {
        let (ordered, called) = in_journal(prefix, n);
        // The controller repeats its command, as it does when it was not acknowledged.
        rig.executor.wake(Order {
            attempt: 3,
            deadline: world.clock.now() + SignedDuration::from_mins(5),
            ..order(n, 3)
        });
        while {
            let result = rig.result().await;
            result.wake_id != wake(n).to_string() || result.attempt < 3
        } {}
        let calls = devs[usize::from(n) - 1].calls();
        assert!(
            calls <= u32::from(!called),
            "wake {n}: {calls} calls, ordered {ordered}, called before {called}"
        );
    }
    rig.shut().await;
}

#[tokio::test(start_paused = true)]
async fn a_crash_after_any_line_never_leads_to_a_second_call() {
    let journal = full_journal().await;
    assert!(in_journal(&journal, 1).1 && !in_journal(&journal, 2).1 && in_journal(&journal, 3).1);
    let ends = journal.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(i, _)| i + 1);
    for end in ends {
        resumes_without_a_second_call(&journal[..end]).await;
    }
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config::with_cases(48))]

    #[test]
    fn a_crash_at_any_byte_never_leads_to_a_second_call(share in 0.0..1.0f64) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().expect("a runtime");
        runtime.block_on(async {
            let journal = full_journal().await;
            let cut = (journal.len() as f64 * share) as usize;
            resumes_without_a_second_call(&journal[..cut]).await;
        });
    }
}

#[tokio::test(start_paused = true)]
async fn an_intent_that_is_not_on_disk_is_not_carried_out() {
    let world = World::new();
    let dev = Booting::new(&world.clock, CallOutcome::Accepted, 0).slow_to_look_at(Duration::from_secs(20));
    let dev = Arc::new(dev);
    let mut rig = world.rig(std::slice::from_ref(&dev));
    rig.executor.wake(order(1, 1));
    rig.phase(Phase::Received).await;
    rig.lose_the_disk();
    let result = rig.result().await;
    assert_eq!((ended(&result), result.retryable), ((Outcome::Refused, Effect::None), true));
    assert_eq!(dev.calls(), 0);
}

#[tokio::test]
async fn a_journal_that_cannot_be_written_means_no_call() {
    let full = Path::new("/dev/full");
    assert!(full.exists(), "Linux has a device that is always full");
    let dir = tempfile::tempdir().expect("a directory");
    let (mut file, _) = crate::execute::journal::JournalFile::open(dir.path(), "id", at(0)).expect("opened");
    file.write_to_for_tests(full);
    let clock = Clock::scaled(at(0), 1.0);
    let dev = Arc::new(Booting::new(&clock, CallOutcome::Accepted, 0));
    let mut rig = Rig::over(file, crate::execute::Book::default(), &clock, std::slice::from_ref(&dev), 1);
    rig.executor.wake(order(1, 1));
    rig.executor.drained().await;
    assert_eq!((dev.calls(), rig.executor.unfinished().len()), (0, 0));
    assert!(rig.reports.try_recv().is_err(), "what is not on disk is not acknowledged");
}
