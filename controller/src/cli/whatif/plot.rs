//! The frontier, with both policies on it.

use std::path::{Path, PathBuf};

use super::report::WhatifReport;
use crate::{
    cli::failure::Failure,
    report::{
        plot::{self, Format},
        whatif::Card,
    },
};

/// A file to draw to; its format is known before the long work begins.
#[derive(Debug)]
pub(super) struct PlotFile(PathBuf, Format);

impl PlotFile {
    pub(super) fn of(path: &Path) -> Result<Self, Failure> {
        Ok(Self(path.to_owned(), Format::of(path).map_err(Failure::file)?))
    }

    pub(super) fn write(&self, report: &WhatifReport) -> Result<(), Failure> {
        let Self(path, format) = self;
        let drawing = plot::frontier(&frontier(report)).map_err(Failure::internal)?;
        let bytes = drawing.encode(*format).map_err(Failure::internal)?;
        std::fs::write(path, bytes).map_err(|error| {
            let context = format!("failed to write the plot to {}", path.display());
            Failure::File(anyhow::Error::new(error).context(context))
        })
    }
}

/// Where nothing was woken or nobody came there is no point.
pub(super) fn frontier(report: &WhatifReport) -> plot::Frontier {
    let point = |idle_h: Option<f64>, share: Option<f64>| {
        Some(plot::FrontierPoint { idle_hours_per_instance_day: idle_h?, found_awake_share: share? })
    };
    let of_card = |card: &Card| point(card.idle_h_per_instance_day, card.found_awake_share);
    let points = report.frontier.iter();
    let points = points.filter_map(|row| point(row.idle_h_per_instance_day, row.found_awake_share)).collect();
    let new = of_card(&report.new.card);
    plot::Frontier {
        series: vec![plot::FrontierSeries { name: "planner alone".to_owned(), points }],
        points: new
            .map(|point| plot::NamedPoint { name: "new policy".to_owned(), point })
            .into_iter()
            .collect(),
        current: of_card(&report.current.card),
    }
}
