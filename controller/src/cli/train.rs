//! `reveille train`: fits the model to a database, with or without a controller running on it.

use std::path::PathBuf;

use clap::Args;
use reveille_proto::clock::Clock;

use super::{Exit, args::ConfigFile, failure::Failure, screen::Screen};
use crate::{config::Config, store::Store, tasks};

#[derive(Debug, Args)]
pub(super) struct TrainArgs {
    /// Directory of the database [default: the configuration's data directory]
    #[arg(long, value_name = "DIR")]
    database: Option<PathBuf>,
    #[command(flatten)]
    file: ConfigFile,
}

pub(super) async fn run(screen: &Screen, args: &TrainArgs) -> Result<Exit, Failure> {
    let config = Config::load(args.file.config.as_deref())?;
    let dir = args.database.clone().map_or_else(|| config.data_dir(), Ok)?;
    let path = dir.join("reveille.db");
    if !path.is_file() {
        return Err(Failure::Input(format!(
            "there is no database {}; `reveille serve` makes one, --database names another directory",
            path.display()
        )));
    }
    let store = Store::open(&path).await?;
    let learned = tasks::learn_once(&store, &config, Clock::system().now()).await;
    store.close().await;
    let learned = learned.map_err(Failure::internal)?;
    let rejected = learned.rejected.as_deref();
    if screen.is_json() {
        let answer = serde_json::json!({ "version": learned.version, "instances": learned.instances, "rejected": rejected });
        Screen::print(&answer.to_string())?;
    } else if let Some(why) = rejected {
        Screen::print(&format!("version {} was rejected, the one before goes on: {why}", learned.version))?;
    } else {
        Screen::print(&format!("version {} serves, with {} instances", learned.version, learned.instances))?;
    }
    Ok(if rejected.is_some() { Exit::No } else { Exit::Ok })
}
