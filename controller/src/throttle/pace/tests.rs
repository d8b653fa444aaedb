use super::*;

const ROOM: Room = Room { cores: 16.0, cpu_ceiling_percent: 70.0, is_capped: false };
const BACKGROUND: f64 = 4.0;

/// Learned from starts that are quiet for `quiet_s` and then use `cores` for a minute.
fn curve(quiet_s: u32, cores: f64) -> Vec<StartCurve> {
    let mut course = Course::default();
    for second in 0..quiet_s + 60 {
        course.saw(second.into(), if second < quiet_s { 0.0 } else { cores });
    }
    let mut curve = StartCurve::assumed(1.0, 120.0);
    for _ in 0..20 {
        curve.learn(&course);
    }
    vec![curve]
}

/// Ten minutes of nothing but a background that is always the same.
fn calm() -> Pace<u32> {
    let mut pace = Pace::default();
    for _ in 0..600 {
        let measurement =
            Measurement { seconds: 1.0, cores_used: BACKGROUND, by_start: Some(&[]), granted: 1.0 };
        pace.measured(&measurement, &[]);
    }
    pace
}

/// Starts as many as are admitted.
fn filled(pace: &mut Pace<u32>, room: &Room, curves: &[StartCurve]) -> u32 {
    let mut started = 0;
    while pace.admits(0, room, curves).is_ok() {
        pace.start(started, 0);
        started += 1;
        assert!(started < 100, "there is no end to it");
    }
    started
}

/// `seconds` in which each start uses so many cores.
fn pass(pace: &mut Pace<u32>, seconds: u32, each: f64, curves: &[StartCurve]) {
    for _ in 0..seconds {
        let by_start = vec![each; pace.started().len()];
        let cores_used = BACKGROUND + by_start.iter().sum::<f64>();
        pace.measured(
            &Measurement { seconds: 1.0, cores_used, by_start: Some(&by_start), granted: 1.0 },
            curves,
        );
    }
}

#[test]
fn as_many_start_as_fit_under_the_ceiling() {
    let curves = curve(0, 2.0);
    let mut pace = calm();
    assert_eq!(filled(&mut pace, &ROOM, &curves), 3, "of 7.2 cores");
    let most = pace.admits(0, &ROOM, &curves).expect_err("full");
    assert!((most - 12.0 - JUMP_SHARE * ROOM.cores).abs() < 0.01, "{most}");
}

#[test]
fn what_would_fit_alone_is_told_whatever_runs() {
    let curves = curve(0, 2.0);
    let mut pace = calm();
    assert_eq!(pace.fit(0, &ROOM, &curves, 8), 3);
    filled(&mut pace, &ROOM, &curves);
    assert_eq!((pace.fit(0, &ROOM, &curves, 8), pace.fit(0, &ROOM, &curves, 2)), (3, 2));
}

#[test]
fn what_would_fit_alone_stands_beside_the_usual_background_and_its_usual_jumps() {
    let mut pace = calm();
    assert_eq!(pace.fit(0, &ROOM, &curve(600, 2.0), 8), 3, "it is there as well when the bursts come");
    pace.measured(&background(1.0, 9.0), &[]);
    pace.measured(&background(1.0, 4.0), &[]);
    assert_eq!(pace.fit(0, &ROOM, &curve(0, 2.0), 8), 2, "a core is left free for jumps");
}

#[test]
fn bursts_that_are_still_to_come_count() {
    let curves = curve(60, 2.0);
    let mut pace = calm();
    assert_eq!(filled(&mut pace, &ROOM, &curves), 3);
    pass(&mut pace, 30, 0.0, &curves);
    assert!(pace.admits(0, &ROOM, &curves).is_err(), "nothing is measured of them yet");
    pass(&mut pace, 30, 0.0, &curves);
    pass(&mut pace, 56, 2.0, &curves);
    assert!(pace.admits(0, &ROOM, &curves).is_ok(), "their bursts are over before its own begins");
}

#[test]
fn starts_that_are_dearer_than_their_curve_let_fewer_follow() {
    let (curves, mut pace) = (curve(0, 0.5), calm());
    pace.start(0, 0);
    pass(&mut pace, 30, 0.5, &curves);
    let mut dear = pace.clone();
    dear.end(&0, &mut curves.clone());
    pace.end(&0, &mut curves.clone());
    dear.start(1, 0);
    pace.start(1, 0);
    pass(&mut pace, 30, 0.5, &curves);
    pass(&mut dear, 30, 1.5, &curves);
    let as_usual = filled(&mut pace, &ROOM, &curves);
    let fewer = filled(&mut dear, &ROOM, &curves);
    assert!(fewer < as_usual * 2 / 3, "{fewer} of {as_usual}");
}

#[test]
fn the_group_gets_what_is_left_under_the_ceiling() {
    let room = Room { is_capped: true, ..ROOM };
    let mut pace = calm();
    assert!((pace.group_cores(&room) - 7.2).abs() < 0.01);
    let spike = Measurement { seconds: 1.0, cores_used: 10.0, by_start: Some(&[]), granted: 1.0 };
    pace.measured(&spike, &[]);
    assert!(pace.group_cores(&room) < 1.3, "{}", pace.group_cores(&room));
    pace.measured(&Measurement { seconds: 1.0, cores_used: 16.0, ..spike }, &[]);
    assert!((pace.group_cores(&room) - 0.8).abs() < 1e-9, "never nothing");
}

#[test]
fn a_start_that_got_half_of_what_it_wanted_made_half_the_progress_and_is_learned_whole() {
    let (mut curves, mut pace) = (curve(0, 2.0), calm());
    pace.start(0, 0);
    for _ in 0..120 {
        let measurement = Measurement { seconds: 1.0, cores_used: 5.0, by_start: Some(&[1.0]), granted: 0.5 };
        pace.measured(&measurement, &curves);
    }
    assert!((pace.started()[0].progress_s - 60.0).abs() < 1e-9);
    let before = curves[0].clone();
    pace.end(&0, &mut curves);
    assert!((curves[0].work_core_s() - before.work_core_s()).abs() < 1e-3);
    assert!(pace.started().is_empty());
}

#[test]
fn where_only_the_host_is_measured_the_background_is_followed_while_nothing_starts() {
    let mut pace = Pace::<u32>::default();
    let mut host = |seconds: u32, cores_used: f64| {
        for _ in 0..seconds {
            let measurement = Measurement { seconds: 1.0, cores_used, by_start: None, granted: 1.0 };
            pace.measured(&measurement, &[]);
        }
        (pace.last, pace.level)
    };
    let (last, level) = host(10, 1.0);
    assert!((last - 1.0).abs() < 1e-9 && (level - 1.0).abs() < 1e-9);
    let (last, level) = host(2_000, 9.0);
    assert!((last - 9.0).abs() < 1e-9 && level > 8.9, "it rose: {last} {level}");
    assert!((host(1, 2.0).0 - 2.0).abs() < 1e-9);
    assert!((pace.idle_s() - 2_011.0).abs() < 1e-6);
    pace.start(0, 0);
    assert!(pace.idle_s() < 1e-9);
}

/// So many seconds, in which nothing but the background used so many cores.
fn background(seconds: f64, cores_used: f64) -> Measurement<'static> {
    Measurement { seconds, cores_used, by_start: Some(&[]), granted: 1.0 }
}

fn assert_near(value: f64, expected: f64) {
    assert!((value - expected).abs() < 1e-3, "{value} is not {expected}");
}

#[test]
fn one_measurement_of_four_seconds_counts_as_four_of_one() {
    let (mut four, mut one) = (calm(), calm());
    (0..4).for_each(|_| four.measured(&background(1.0, 9.0), &[]));
    one.measured(&background(4.0, 9.0), &[]);
    assert_near(one.level(), 4.0 + 5.0 * 0.0120);
    assert!((one.level() - four.level()).abs() < 1e-9);
    assert!((one.idle_s() - four.idle_s()).abs() < 1e-9);
}

#[test]
fn what_took_long_or_no_time_counts_as_thirty_seconds_or_a_twentieth_of_one() {
    let idle = |seconds| {
        let mut pace = Pace::<u32>::default();
        pace.measured(&background(seconds, 1.0), &[]);
        pace.idle_s()
    };
    assert_near(idle(3_600.0), 30.0);
    assert_near(idle(0.0), 0.05);
}

#[test]
fn the_background_wanders_by_its_usual_change_and_a_jump_counts_as_three_of_it() {
    let mut pace = calm();
    pace.measured(&background(1.0, 5.0), &[]);
    assert_near(pace.change, 0.02);
    let mut slow = calm();
    slow.measured(&background(4.0, 6.0), &[]);
    assert_near(slow.change, (1.0 - 0.98_f64.powi(4)) * 1.0);
    pace.measured(&background(1.0, 15.0), &[]);
    assert_near(pace.change, 0.02 + 0.02 * (9.0 * 0.02 - 0.02));
    pace.measured(&background(1.0, 15.0), &[]);
    assert_near(pace.change, (0.02 + 0.02 * 8.0 * 0.02) * 0.98);
}

#[test]
fn a_host_that_is_first_measured_with_starts_on_it_has_the_background_they_leave() {
    let curves = curve(0, 2.0);
    let mut pace = Pace::default();
    pace.start(0, 0);
    let half = Measurement { seconds: 1.0, cores_used: 5.0, by_start: None, granted: 0.5 };
    pace.measured(&half, &curves);
    assert_near(pace.level(), 4.0);
    assert_near(pace.started()[0].progress_s, 0.5);
}

#[test]
fn what_is_above_the_background_is_shared_as_was_expected_and_evenly_where_nothing_was() {
    let mut curves = [curve(0, 1.0), curve(0, 3.0), curve(60, 1.0)].concat();
    let learned = |classes: [usize; 2], curves: &mut [StartCurve]| {
        let mut pace = calm();
        for (key, class) in (0..).zip(classes) {
            pace.start(key, class);
        }
        for _ in 0..5 {
            let host = Measurement { seconds: 1.0, cores_used: 12.0, by_start: None, granted: 1.0 };
            pace.measured(&host, curves);
        }
        assert_near(pace.last, 4.0);
        pace.started().iter().map(|started| started.course.clone()).collect::<Vec<_>>()
    };
    let used = |course: &Course| {
        let mut fresh = StartCurve::assumed(1.0, 5.0);
        fresh.learn(course);
        fresh.cores(0.0)
    };
    let of_both = learned([0, 1], &mut curves);
    assert_near(used(&of_both[0]), 2.0);
    assert_near(used(&of_both[1]), 6.0);
    let of_quiet_ones = learned([2, 2], &mut curves);
    assert_near(used(&of_quiet_ones[0]), 4.0);
}

#[test]
fn a_start_that_got_nothing_made_no_progress_and_teaches_nothing() {
    let (mut curves, mut pace) = (curve(0, 2.0), calm());
    pace.start(0, 0);
    let starved = Measurement { seconds: 1.0, cores_used: 4.0, by_start: Some(&[0.0]), granted: 0.0 };
    (0..60).for_each(|_| pace.measured(&starved, &curves));
    assert!(pace.started()[0].progress_s.abs() < 1e-9);
    assert_near(pace.off(), 1.0);
    pace.end(&0, &mut curves);
    assert_near(curves[0].cores(0.0), 2.0 * 0.95);
}

#[test]
fn half_a_minute_in_which_it_got_half_is_a_quarter_of_progress_and_dearer_than_it_looks() {
    let (mut curves, mut pace) = (vec![StartCurve::assumed(1.0, 120.0)], calm());
    pace.start(0, 0);
    let slow = Measurement { seconds: 30.0, cores_used: 5.0, by_start: Some(&[1.0]), granted: 0.5 };
    pace.measured(&slow, &curves);
    assert_near(pace.started()[0].progress_s, 15.0);
    // It was expected to want 1 core, and wanted 2.
    assert_near(pace.off(), 2.0);
    pace.end(&0, &mut curves);
    assert_near(curves[0].cores(0.0), 2.0);
    assert_near(curves[0].work_core_s(), 30.0);
}

#[test]
fn starts_are_taken_to_be_as_much_dearer_as_they_lately_were_up_to_four_times() {
    let off = |each: f64| {
        let (curves, mut pace) = (curve(0, 1.0), calm());
        pace.start(0, 0);
        pass(&mut pace, 50, each, &curves);
        pace.off()
    };
    assert_near(off(0.2), 1.0);
    assert_near(off(1.0), 1.0);
    assert_near(off(2.5), 2.5);
    assert_near(off(9.0), 4.0);
    // Where next to nothing was expected a few cores say nothing.
    let (curves, mut pace) = (curve(0, 1.0), calm());
    pace.start(0, 0);
    pass(&mut pace, 1, 3.0, &curves);
    assert_near(pace.off(), 1.0);
}

#[test]
fn a_host_with_a_jumping_background_and_unsure_curves_is_filled_with_more_care() {
    let mut curves = vec![StartCurve::assumed(1.0, 120.0)];
    for cores in [1.0, 3.0].repeat(10) {
        let mut course = Course::default();
        course.saw_for(0.0, 60.0, cores);
        curves[0].learn(&course);
    }
    let step = curves[0].from(0.0)[0];
    let mut pace = calm();
    pace.measured(&background(1.0, 5.0), &[]);
    let unsure = (f64::from(step.variance) + 0.02).sqrt();
    let most = pace.admits(0, &ROOM, &curves).expect("one fits");
    // The background is highest now, and 2 cores are expected from the first step on.
    assert_near(most, 0.043 * 16.0 + 5.0 + f64::from(step.mean) + 1.4 * unsure);
    // 3 deviations of the change of a second are left free where starts are capped.
    let capped = Room { is_capped: true, ..ROOM };
    assert_near(pace.group_cores(&capped), 11.2 - 5.0 - 3.0 * 0.02_f64.sqrt());
    // 5.78 cores and a tenth.
    assert!(pace.admits(0, &capped, &curve(60, 6.3)).is_ok());
    assert!(pace.admits(0, &capped, &curve(60, 6.4)).is_err());
}

#[test]
fn of_starts_that_were_twice_as_dear_as_expected_both_mean_and_deviation_are_doubled() {
    let (mut curves, mut pace) = (vec![StartCurve::assumed(1.0, 120.0)], calm());
    for cores in [1.0, 3.0].repeat(10) {
        let mut course = Course::default();
        course.saw_for(0.0, 60.0, cores);
        curves[0].learn(&course);
    }
    let (mean, deviation) = {
        let step = curves[0].from(0.0)[0];
        (f64::from(step.mean), f64::from(step.variance).sqrt())
    };
    pace.start(0, 0);
    pass(&mut pace, 50, 2.0 * mean, &curves);
    pace.forget(&0);
    let most = pace.admits(0, &ROOM, &curves).unwrap_or_else(|too_much| too_much);
    assert_near(most, 0.043 * 16.0 + BACKGROUND + 2.0 * mean + 1.4 * 2.0 * deviation);
}

#[test]
fn capped_starts_fill_their_group_in_their_highest_minute_and_a_tenth_more() {
    let capped = Room { is_capped: true, ..ROOM };
    let pace = calm();
    // 11.2 cores less 4 of the background, and a tenth.
    assert_near(pace.admits(0, &capped, &curve(60, 7.9)).expect("fits"), 11.2);
    assert_near(pace.admits(0, &capped, &curve(60, 5.0)).expect("fits"), 9.0);
    assert_near(pace.admits(0, &capped, &curve(60, 8.0)).expect_err("too large"), 12.0);
    // A burst of half a minute takes a minute where the group is full.
    let mut short = Course::default();
    short.saw_for(0.0, 30.0, 14.0);
    let mut burst = StartCurve::assumed(1.0, 120.0);
    burst.learn(&short);
    assert_near(pace.admits(0, &capped, &[burst]).expect("fits"), 11.0);
}

#[test]
fn a_background_that_rose_is_expected_to_come_back_within_minutes() {
    let mut pace = calm();
    pace.measured(&background(1.0, 8.0), &[]);
    let level = pace.level();
    assert_near(level, 4.012);
    // After a quiet minute e^-1 of the rise is left.
    let in_a_minute = level + (8.0 - level) * (-1.0_f64).exp();
    assert_near(pace.expects_alone(0, &curve(60, 4.0)), in_a_minute + 4.0);
    assert_near(pace.expects_alone(0, &curve(60, 1.0)), 8.0);
    assert_near(pace.expects_alone(0, &[]), 8.0);
}

#[test]
fn a_start_that_is_forgotten_is_the_only_one_that_goes_and_teaches_nothing() {
    let mut pace = calm();
    (0..3).for_each(|key| pace.start(key, 0));
    pace.forget(&1);
    assert_eq!(pace.started().iter().map(|started| started.key).collect::<Vec<_>>(), [0, 2]);
}

#[test]
fn where_only_the_host_is_measured_what_is_above_the_background_is_theirs() {
    let (mut curves, mut pace) = (curve(0, 1.0), calm());
    pace.start(0, 0);
    pace.start(1, 0);
    for _ in 0..60 {
        let measurement =
            Measurement { seconds: 1.0, cores_used: BACKGROUND + 6.0, by_start: None, granted: 1.0 };
        pace.measured(&measurement, &curves);
    }
    for key in 0..2 {
        pace.end(&key, &mut curves);
    }
    assert!(curves[0].cores(30.0) > 1.15, "they took 3 each: {}", curves[0].cores(30.0));
}
