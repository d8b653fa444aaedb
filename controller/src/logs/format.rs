//! The formats side by side: one source's lines in, records out.

use super::{
    combined::parse_combined,
    config::{LogFormat, SourceConfig},
    error::LogsError,
    f5::Template,
    json::Mapping,
    record::AccessRecord,
    reject::RejectReason,
    time::DayCache,
};

/// What a parser keeps from line to line.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    pub(super) days: DayCache,
    /// Holds what a record borrows when the line itself does not hold it in one piece.
    pub(super) text: Vec<u8>,
}

/// How the lines of one source are read.
#[derive(Debug, Clone)]
pub(super) enum Parser {
    Combined,
    F5(Template),
    Json(Box<Mapping>),
}

impl Parser {
    /// Compiles what `source` says; `key` is its place in the configuration, for errors.
    pub(super) fn new(source: &SourceConfig, key: &str) -> Result<Self, LogsError> {
        Ok(match source.format {
            LogFormat::Combined => Self::Combined,
            LogFormat::F5 => Self::F5(Template::new(&source.template, &format!("{key}.template"))?),
            LogFormat::Json => Self::Json(Box::new(Mapping::new(&source.fields, &format!("{key}.fields"))?)),
        })
    }

    /// Reads one line, which has no line end.
    pub(super) fn parse<'a>(
        &self,
        line: &'a [u8],
        scratch: &'a mut Scratch,
    ) -> Result<AccessRecord<'a>, RejectReason> {
        match self {
            Self::Combined => parse_combined(line, &mut scratch.days),
            Self::F5(template) => template.parse(line, scratch),
            Self::Json(mapping) => mapping.parse(line, scratch),
        }
    }
}
