//! What can be said on the command line.

use std::{path::PathBuf, str::FromStr};

use clap::Args;

use crate::logs::{InstanceFrom, LogFormat, LogsConfig, SourceConfig};

/// Read access logs and say what they tell about visits. Changes nothing.
#[derive(Debug, Clone, Args)]
pub struct MineArgs {
    /// Log files (plain, gzip or zstd), globs, or `-` for standard input; without any, the configured sources
    pub files: Vec<PathBuf>,
    /// How the lines of FILES are written [default: combined]
    #[arg(long, value_enum)]
    pub format: Option<LogFormat>,
    /// The template of the Request Logging profile, for `--format f5`
    #[arg(long)]
    pub template: Option<String>,
    /// Where a line names the instance: vhost, client, path-segment[:N], query-key:NAME or regex:PATTERN
    #[arg(long, value_name = "WHERE")]
    pub instance_from: Option<InstanceChoice>,
    /// Idle minutes that end a visit
    #[arg(long, default_value_t = 120, value_parser = clap::value_parser!(u32).range(1..))]
    pub gap_minutes: u32,
    /// How many of the busiest instances to list
    #[arg(long, default_value_t = 10)]
    pub top: usize,
}

impl MineArgs {
    /// What to read: `config` with what the command line says instead.
    pub(super) fn applied(&self, mut config: LogsConfig) -> LogsConfig {
        if !self.files.is_empty() {
            config.sources = self.files.iter().map(|file| self.source(file)).collect();
        }
        for source in &mut config.sources {
            source.format = self.format.unwrap_or(source.format);
            if let Some(template) = &self.template {
                source.template.clone_from(template);
            }
        }
        if let Some(choice) = &self.instance_from {
            choice.apply(&mut config);
        }
        config
    }

    fn source(&self, file: &std::path::Path) -> SourceConfig {
        SourceConfig::new(file.to_string_lossy(), self.format.unwrap_or_default())
    }
}

/// The value of `--instance-from`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InstanceChoice {
    Vhost,
    Client,
    /// The first segment is 1.
    PathSegment(usize),
    QueryKey(String),
    Regex(String),
}

impl InstanceChoice {
    fn apply(&self, config: &mut LogsConfig) {
        let extract = &mut config.extract;
        extract.from = match self {
            Self::Vhost => InstanceFrom::Vhost,
            Self::Client => InstanceFrom::Client,
            Self::PathSegment(n) => {
                extract.segment = *n;
                InstanceFrom::PathSegment
            }
            Self::QueryKey(key) => {
                extract.key.clone_from(key);
                InstanceFrom::QueryKey
            }
            Self::Regex(pattern) => {
                extract.pattern.clone_from(pattern);
                InstanceFrom::Regex
            }
        };
    }
}

impl FromStr for InstanceChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (word, value) = text.split_once(':').map_or((text, None), |(word, value)| (word, Some(value)));
        match (word, value.filter(|value| !value.is_empty())) {
            ("vhost", None) => Ok(Self::Vhost),
            ("client", None) => Ok(Self::Client),
            ("path-segment", None) => Ok(Self::PathSegment(1)),
            ("path-segment", Some(n)) => match n.parse() {
                Ok(n) if n > 0 => Ok(Self::PathSegment(n)),
                _ => Err(format!("{n:?} is not the number of a segment; the first is 1")),
            },
            ("query-key", Some(key)) => Ok(Self::QueryKey(key.to_owned())),
            ("regex", Some(pattern)) => Ok(Self::Regex(pattern.to_owned())),
            _ => Err("say vhost, client, path-segment[:N], query-key:NAME or regex:PATTERN".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, FromArgMatches, Parser};

    use super::*;

    #[derive(Debug, Parser)]
    struct Cli {
        #[command(flatten)]
        mine: MineArgs,
    }

    fn applied(args: &[&str], config: LogsConfig) -> LogsConfig {
        let args = std::iter::once("mine").chain(args.iter().copied());
        let matches = Cli::command().try_get_matches_from(args).expect("good arguments");
        Cli::from_arg_matches(&matches).expect("good arguments").mine.applied(config)
    }

    #[test]
    fn the_command_line_goes_before_the_configuration() {
        let config = LogsConfig {
            sources: vec![SourceConfig::new("configured.log", LogFormat::Json)],
            ..LogsConfig::default()
        };
        assert_eq!(applied(&[], config.clone()), config);
        let changed = applied(
            &["--format", "f5", "--template", "$X", "--instance-from", "path-segment:2"],
            config.clone(),
        );
        assert_eq!(changed.sources[0].path, "configured.log");
        assert_eq!((changed.sources[0].format, changed.sources[0].template.as_str()), (LogFormat::F5, "$X"));
        assert_eq!((changed.extract.from, changed.extract.segment), (InstanceFrom::PathSegment, 2));
        let given = applied(&["a.log", "-"], config);
        assert_eq!(given.sources.iter().map(|s| s.path.as_str()).collect::<Vec<_>>(), ["a.log", "-"]);
        assert_eq!(given.sources[0].format, LogFormat::Combined);
    }

    #[test]
    fn an_instance_choice_is_read_or_explained() {
        for (text, choice) in [
            ("vhost", InstanceChoice::Vhost),
            ("client", InstanceChoice::Client),
            ("path-segment", InstanceChoice::PathSegment(1)),
            ("path-segment:3", InstanceChoice::PathSegment(3)),
            ("query-key:id", InstanceChoice::QueryKey("id".into())),
            ("regex:^/(?:a|b):([^/]+)", InstanceChoice::Regex("^/(?:a|b):([^/]+)".into())),
        ] {
            assert_eq!(text.parse(), Ok(choice));
        }
        for bad in
            ["", "host", "vhost:1", "path-segment:0", "path-segment:x", "query-key", "query-key:", "regex"]
        {
            assert!(bad.parse::<InstanceChoice>().is_err(), "{bad}");
        }
    }
}
