//! Plots, where a person would rather look than read: data in, SVG, PNG or text for a terminal out.
//!
//! Nothing here reads or writes a file: who calls writes [`Drawing::encode`] to a file whose name says the
//! [`Format`]. The same input gives the same bytes. A number that cannot be drawn (not finite, or outside what it can
//! mean) is left out, counted in [`Drawing::left_out`], and named below the plot.

mod frontier;

mod frontier_text;

mod calibration;

mod ablation;

mod week;

mod week_text;

mod scaling;

mod storms;

mod drawing;

mod format;

mod png;

mod axes;

mod marks;

mod legend;

mod palette;

mod grid;

mod words;

pub use ablation::{ABLATION_IDLE_HOURS, Ablation, AblationRow, ablation};
pub use calibration::{Calibration, CalibrationBin, calibration, expected_calibration_error};
pub use drawing::{Drawing, HEIGHT_PX, PlotError, WIDTH_PX};
pub use format::{Format, UnknownFormat};
pub use frontier::{Frontier, FrontierPoint, FrontierSeries, NamedPoint, frontier};
pub use frontier_text::frontier_text;
pub use grid::Terminal;
pub use scaling::{Scaling, ScalingPoint, ScalingSeries, scaling};
pub use storms::{StormPoint, StormSeries, storms};
pub use week::{QUARTERS_PER_DAY, QUARTERS_PER_WEEK, Week, week};
pub use week_text::week_text;
