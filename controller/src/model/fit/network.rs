//! Fits a network to weighted labels by stochastic gradient descent (Adam, Kingma & Ba 2015).

use nalgebra::{DMatrix, DVector, DVectorView};

use super::logistic::Standard;
use crate::model::{
    features::{COUNT, Features},
    head::Head,
    network::{Hinge, Network},
};

/// Rows of a step.
const BATCH: usize = 2_048;
/// Times every row is looked at.
const EPOCHS: usize = 6;
/// Length of a step at the start; it shrinks to none along half a cosine.
const RATE: f32 = 2e-3;
/// Pull of the hinges' weights toward zero.
const DECAY: f32 = 1e-4;
/// How long the mean of the gradients and that of their squares remember.
const KEEP: (f32, f32) = (0.9, 0.999);

/// What a network is fitted to: rows, whether waking was right, and how much it mattered.
#[derive(Debug, Clone, Copy)]
pub struct Lesson<'a> {
    pub rows: &'a [Features],
    pub labels: &'a [bool],
    pub weights: &'a [f32],
    pub standard: &'a Standard,
}

/// Numbers that are learned, and what Adam remembers of their gradients.
struct Learned {
    value: Matrix,
    first: Matrix,
    second: Matrix,
}

type Matrix = DMatrix<f32>;
type Vector = DVector<f32>;

impl Learned {
    fn new(value: Matrix) -> Self {
        let none = Matrix::zeros(value.nrows(), value.ncols());
        Self { first: none.clone(), second: none, value }
    }

    fn step(&mut self, gradient: &Matrix, step: Step) {
        let of = self.first.iter_mut().zip(self.second.iter_mut());
        for ((value, (first, second)), gradient) in self.value.iter_mut().zip(of).zip(gradient.iter()) {
            *first = kept(KEEP.0 * *first + (1.0 - KEEP.0) * gradient);
            *second = kept(KEEP.1 * *second + (1.0 - KEEP.1) * gradient * gradient);
            let change = step.rate * (*first / step.of_first) / ((*second / step.of_second).sqrt() + 1e-8);
            *value = kept(*value - change);
        }
    }
}

/// What is next to nothing becomes nothing: numbers below 1e-38 are a hundred times slower to work with.
fn kept(number: f32) -> f32 {
    if number.abs() < 1e-20 { 0.0 } else { number }
}

/// How far a step goes, and what the young means are divided by.
#[derive(Clone, Copy)]
struct Step {
    rate: f32,
    of_first: f32,
    of_second: f32,
}

impl Step {
    fn new(number: usize, of: usize) -> Self {
        let (at, turn) = (number as f32 + 1.0, number as f32 / of.max(1) as f32);
        Self {
            rate: RATE * 0.5 * (1.0 + (std::f32::consts::PI * turn).cos()),
            of_first: 1.0 - KEEP.0.powf(at),
            of_second: 1.0 - KEEP.1.powf(at),
        }
    }
}

/// A fixed sequence without a pattern (`SplitMix64`, Steele et al. 2014): where the hinges begin, and in which order the
/// rows are looked at.
struct Sequence(u64);

impl Sequence {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// Evenly from -`spread * sqrt(3)` to that, which has the standard deviation `spread`.
    fn even(&mut self, spread: f32) -> f32 {
        let share = (self.next() >> 40) as f32 / (1u64 << 24) as f32;
        (share * 2.0 - 1.0) * spread * 3.0f32.sqrt()
    }

    fn shuffle(&mut self, order: &mut [u32]) {
        for last in (1..order.len()).rev() {
            order.swap(last, (self.next() % (last as u64 + 1)) as usize);
        }
    }
}

/// Fits `hinges` hinges, beginning with the linear `start`. The same input gives the same network.
pub fn network(lesson: Lesson<'_>, start: &Head, hinges: usize) -> Network {
    let mut sequence = Sequence(1);
    let Lesson { rows, standard, .. } = lesson;
    let (mean, per_spread) = standard.parts();
    let empty = Network::line(0.0, mean, per_spread, [0.0; COUNT]);
    // A sum of so many numbers then has a spread of 1.
    let spread = 1.0 / (COUNT as f32).sqrt();
    let mut hidden = Learned::new(Matrix::from_fn(COUNT, hinges, |i, _| {
        let first = sequence.even(spread);
        if standard.uses(i) { first } else { 0.0 }
    }));
    let mut open_at = Learned::new(Matrix::zeros(hinges, 1));
    let mut adds = Learned::new(Matrix::from_fn(hinges, 1, |_, _| sequence.even(0.1)));
    let (intercept, linear) = standard.fold(start);
    let mut linear = Learned::new(Matrix::from_column_slice(COUNT, 1, &linear));
    let mut intercept = Learned::new(Matrix::from_element(1, 1, intercept));

    let mean_weight = lesson.weights.iter().sum::<f32>() / rows.len().max(1) as f32;
    let batch = BATCH.min(rows.len().max(1));
    let batches = rows.len() / batch;
    let mut order: Vec<u32> = (0..rows.len() as u32).collect();
    let mut z = Matrix::zeros(COUNT, batch);
    for epoch in 0..EPOCHS {
        sequence.shuffle(&mut order);
        for (number, chosen) in order.chunks_exact(batch).enumerate() {
            for (mut column, row) in z.column_iter_mut().zip(chosen) {
                column.copy_from_slice(&empty.standardised(&rows[*row as usize]));
            }
            let mut open = hidden.value.tr_mul(&z);
            for mut column in open.column_iter_mut() {
                column += open_at.value.column(0);
                column.apply(|x| *x = x.max(0.0));
            }
            let mut errors: Vector = open.tr_mul(&adds.value).column(0) + z.tr_mul(&linear.value).column(0);
            for (error, row) in errors.iter_mut().zip(chosen) {
                let probability = 1.0 / (1.0 + (-(*error + intercept.value[0])).exp());
                let label = f32::from(u8::from(lesson.labels[*row as usize]));
                *error = (probability - label) * lesson.weights[*row as usize] / mean_weight / batch as f32;
            }
            let of_adds = &open * &errors + &adds.value * DECAY;
            // From here on what the hinges' insides are to change by.
            for (mut column, error) in open.column_iter_mut().zip(errors.iter()) {
                for (open, adds) in column.iter_mut().zip(adds.value.iter()) {
                    *open = if *open > 0.0 { adds * error } else { 0.0 };
                }
            }
            let of_hidden = &z * open.transpose() + &hidden.value * DECAY;
            let step = Step::new(epoch * batches + number, EPOCHS * batches);
            hidden.step(&of_hidden, step);
            open_at.step(&Matrix::from_column_slice(hinges, 1, open.column_sum().as_slice()), step);
            adds.step(&Matrix::from_column_slice(hinges, 1, of_adds.as_slice()), step);
            linear.step(&Matrix::from_column_slice(COUNT, 1, (&z * &errors).as_slice()), step);
            intercept.step(&Matrix::from_element(1, 1, errors.sum()), step);
        }
    }
    let features = |column: DVectorView<'_, f32>| std::array::from_fn(|i| column[i]);
    let hinges = (0..hinges).map(|n| Hinge {
        intercept: open_at.value[n],
        weights: features(hidden.value.column(n)),
        adds: adds.value[n],
    });
    let linear = features(linear.value.column(0));
    Network::line(intercept.value[0], mean, per_spread, linear).with_hinges(hinges.collect())
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng, rngs::StdRng};

    use super::*;

    /// Rows on which only the product of two features tells the label.
    fn crossed() -> (Vec<Features>, Vec<bool>) {
        let mut rng = StdRng::seed_from_u64(7);
        let rows: Vec<Features> = (0..20_000)
            .map(|_| {
                let mut row = [0.0; COUNT];
                (row[0], row[1]) = (rng.random::<f32>() - 0.5, rng.random::<f32>() - 0.5);
                row
            })
            .collect();
        let labels = rows.iter().map(|row| row[0] * row[1] > 0.0).collect();
        (rows, labels)
    }

    #[test]
    fn it_learns_what_no_line_can_tell_and_the_same_each_time() {
        let (rows, labels) = crossed();
        let standard = Standard::of(&rows, |_| true);
        let weights = vec![1.0; rows.len()];
        let lesson = Lesson { rows: &rows, labels: &labels, weights: &weights, standard: &standard };
        let found = network(lesson, &Head::default(), 16);
        let right =
            rows.iter().zip(&labels).filter(|(row, label)| (found.score(row) > 0.0) == **label).count();
        assert!(right > rows.len() * 8 / 10, "{right} of {}", rows.len());
        assert_eq!(network(lesson, &Head::default(), 16), found);
    }

    #[test]
    fn a_feature_left_out_changes_nothing() {
        let (rows, labels) = crossed();
        let standard = Standard::of(&rows, |i| i != 1);
        let weights = vec![1.0; rows.len()];
        let lesson = Lesson { rows: &rows, labels: &labels, weights: &weights, standard: &standard };
        let found = network(lesson, &Head::default(), 4);
        let mut other = rows[0];
        other[1] += 1.0;
        assert_eq!(found.score(&other).to_bits(), found.score(&rows[0]).to_bits());
    }

    #[test]
    fn the_sequence_is_that_of_splitmix64() {
        let mut sequence = Sequence(1);
        let numbers: Vec<_> = (0..3).map(|_| sequence.next()).collect();
        assert_eq!(
            numbers,
            [10_451_216_379_200_822_465, 13_757_245_211_066_428_519, 17_911_839_290_282_890_590]
        );
        let mut sequence = Sequence(1);
        for expected in [0.115_287_93, 0.425_706_43, 0.815_800_6, -0.096_372_72] {
            let number = sequence.even(0.5);
            assert!((number - expected).abs() < 1e-6, "{number}");
        }
        let mut order = [0, 1, 2, 3, 4, 5, 6, 7];
        Sequence(1).shuffle(&mut order);
        assert_eq!(order, [4, 3, 2, 7, 5, 6, 0, 1]);
    }

    #[test]
    fn steps_shrink_along_half_a_cosine_and_young_means_are_made_up_for() {
        for (number, rate, of_first, of_second) in [
            (0, 2e-3, 0.1, 0.001),
            (5, 1e-3, 0.468_559, 0.005_985_02),
            (9, 4.894_348e-5, 0.651_321_6, 0.009_955_12),
        ] {
            let step = Step::new(number, 10);
            assert!((step.rate - rate).abs() < 1e-8, "{}", step.rate);
            assert!((step.of_first - of_first).abs() < 1e-6, "{}", step.of_first);
            assert!((step.of_second - of_second).abs() < 1e-6, "{}", step.of_second);
        }
    }

    #[test]
    fn a_number_moves_by_the_mean_of_its_gradients_over_the_root_of_that_of_their_squares() {
        let one = |number: f32| Matrix::from_element(1, 1, number);
        let step = |of_first, of_second| Step { rate: 0.1, of_first, of_second };
        let mut learned = Learned::new(one(1.0));
        learned.step(&one(0.5), step(0.1, 0.001));
        assert!((learned.value[0] - 0.9).abs() < 1e-5, "a whole step: {}", learned.value[0]);
        learned.step(&one(-1.0), step(0.19, 0.001_999));
        assert!((learned.value[0] - 0.936_610_4).abs() < 1e-5, "{}", learned.value[0]);
        assert!((learned.first[0] + 0.055).abs() < 1e-6 && (learned.second[0] - 0.001_249_75).abs() < 1e-6);
        // By next to nothing it moves half as far: 1e-8 beside the root of 1e-16.
        let mut learned = Learned::new(one(1.0));
        learned.step(&one(1e-8), step(0.1, 0.001));
        assert!((learned.value[0] - 0.95).abs() < 1e-4, "{}", learned.value[0]);
    }

    #[test]
    fn what_is_next_to_nothing_becomes_nothing() {
        let kept = [1e-21, -1e-21, 1e-20, 2e-20, -0.5].map(kept);
        assert_eq!(kept.map(f32::to_bits), [0.0, 0.0, 1e-20, 2e-20, -0.5].map(f32::to_bits));
    }

    /// Two steps an epoch, worked out apart from this with twice as many digits.
    #[test]
    fn a_small_network_is_fitted_as_by_the_book() {
        let row = |n: usize| {
            let mut row = [0.0; COUNT];
            (row[0], row[1]) = ((n * 7 % 11) as f32 / 11.0, (n * 5 % 13) as f32 / 13.0);
            row
        };
        let rows: Vec<Features> = (0..4_200).map(row).collect();
        let labels: Vec<bool> = rows.iter().map(|row| row[0] > row[1]).collect();
        let weights: Vec<f32> = (0..rows.len()).map(|n| (1 + n % 3) as f32).collect();
        let standard = Standard::of(&rows, |_| true);
        let mut start = Head { intercept: 0.1, ..Head::default() };
        (start.weights[0], start.weights[1]) = (0.5, -0.25);
        let lesson = Lesson { rows: &rows, labels: &labels, weights: &weights, standard: &standard };
        let found = network(lesson, &start, 2);
        let [first, second] = found.hinges() else { panic!("two hinges: {}", found.hinges().len()) };
        let numbers = [
            (found.intercept, 0.198_940_8),
            (found.linear[0], 0.156_740_1),
            (found.linear[1], -0.084_961_5),
            (first.intercept, 0.013_080_4),
            (first.adds, -0.079_978_6),
            (first.weights[0], 0.011_248_9),
            (first.weights[1], 0.102_798_7),
            (second.intercept, -0.012_352_7),
            (second.adds, -0.005_787_9),
            (second.weights[0], 0.089_942_8),
            (second.weights[1], -0.028_452_2),
        ];
        for (place, (number, expected)) in numbers.into_iter().enumerate() {
            assert!((number - expected).abs() < 2e-5, "{place}: {number} is not {expected}");
        }
        assert!(first.weights[2..].iter().all(|weight| weight.abs() < 1e-12), "the others never change");
    }
}
