//! What could be had by somebody who knows the future.

use super::spec::{CEILING, SECONDS_MAX, Storm};

/// The makespan in seconds of a scheduler that knows every boot and the background: the longest and highest first, each as
/// soon as it fits under the ceiling for its whole course (first fit decreasing).
pub fn clairvoyant_s(storm: &Storm) -> f64 {
    // Fewer tries a second would miss places, more find few.
    const FAILS_MAX: usize = 12;
    let mut plan = storm.background.clone();
    let ceiling: Vec<f64> = plan.iter().map(|cores| cores.max(CEILING * storm.cores)).collect();
    let mut courses: Vec<Vec<f64>> = storm.boots.iter().map(|(_, boot)| boot.course()).collect();
    let size = |course: &[f64]| course.len() as f64 * course.iter().copied().fold(0.0, f64::max);
    courses.sort_by(|a, b| size(b).total_cmp(&size(a)));
    let mut end = 0;
    for second in 0..SECONDS_MAX {
        if courses.is_empty() {
            break;
        }
        let mut fails = 0;
        courses.retain(|course| {
            if fails > FAILS_MAX {
                return true;
            }
            let span = second..second + course.len();
            let fits = span.end <= plan.len()
                && plan[span.clone()]
                    .iter()
                    .zip(&ceiling[span.clone()])
                    .zip(course)
                    .all(|((plan, ceiling), cores)| plan + cores <= ceiling + 1e-9);
            if fits {
                plan[span.clone()].iter_mut().zip(course).for_each(|(plan, cores)| *plan += cores);
                end = end.max(span.end);
            } else {
                fails += 1;
            }
            !fits
        });
    }
    end as f64
}

/// The makespan in seconds if work were a fluid: nobody can be faster.
pub fn fluid_s(storm: &Storm) -> f64 {
    let mut work: f64 = storm.boots.iter().map(|(_, boot)| boot.work_core_s()).sum();
    let longest = storm.boots.iter().map(|(_, boot)| boot.wall_min_s()).max().unwrap_or_default();
    let mut seconds = 0;
    for background in &storm.background {
        if work <= 0.0 {
            break;
        }
        work -= (CEILING * storm.cores - background).max(0.0);
        seconds += 1;
    }
    (seconds + 1).max(longest) as f64
}
