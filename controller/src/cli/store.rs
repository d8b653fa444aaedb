//! `reveille store`: versions of the database's tables, without a running controller.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use reveille_proto::clock::Clock;

use super::{
    Exit,
    args::ConfigFile,
    database,
    failure::Failure,
    screen::{Screen, number, table},
};
use crate::{
    app,
    config::Config,
    store::{Database, MigrationRow},
};

#[derive(Debug, Args)]
pub(super) struct StoreArgs {
    #[command(subcommand)]
    command: StoreCommand,
}

#[derive(Debug, Subcommand)]
enum StoreCommand {
    /// Which versions the database has
    Status(Place),
    /// Bring the tables to a version, forward or back; stop all controllers first
    Migrate {
        /// Version to go to [default: the newest]
        #[arg(long, value_name = "VERSION")]
        to: Option<i64>,
        #[command(flatten)]
        place: Place,
    },
}

#[derive(Debug, Args)]
struct Place {
    /// Directory of an embedded database [default: the configuration's database]
    #[arg(long, value_name = "DIR")]
    database: Option<PathBuf>,
    #[command(flatten)]
    file: ConfigFile,
}

impl Place {
    fn database(&self) -> Result<Database, Failure> {
        database::of(&Config::load(self.file.config.as_deref())?, self.database.as_deref())
    }
}

pub(super) async fn run(screen: &Screen, args: &StoreArgs) -> Result<Exit, Failure> {
    match &args.command {
        StoreCommand::Status(place) => status(screen, &place.database()?).await,
        StoreCommand::Migrate { to, place } => migrate(screen, &place.database()?, *to).await,
    }
}

async fn status(screen: &Screen, database: &Database) -> Result<Exit, Failure> {
    let store = database::connect(database).await?;
    let rows = store.migrations().await;
    store.close().await;
    show(screen, database, &rows?)
}

async fn migrate(screen: &Screen, database: &Database, to: Option<i64>) -> Result<Exit, Failure> {
    // A controller that runs on tables of another version would fail at its next statement.
    let _lock = match database {
        Database::File(path) => path.parent().filter(|_| path.is_file()).map(app::lock).transpose()?,
        Database::Server(_) => None,
    };
    let store = database::connect(database).await?;
    if let Err(error) = store.free_of_controllers(Clock::system().now()).await {
        store.close().await;
        return Err(error.into());
    }
    let done = match to {
        Some(version) => store.migrate_to(version).await,
        None => store.migrate().await,
    };
    let rows = store.migrations().await;
    store.close().await;
    done?;
    show(screen, database, &rows?)
}

fn show(screen: &Screen, database: &Database, rows: &[MigrationRow]) -> Result<Exit, Failure> {
    if screen.is_json() {
        let told = serde_json::json!({ "database": database.to_string(), "versions": rows });
        Screen::print(&told.to_string())?;
        return Ok(Exit::Ok);
    }
    let yes = |is: bool| if is { "yes" } else { "no" };
    let mut table = table(["version", "tables", "applied", "can be taken back"]);
    for row in rows {
        table.add_row([
            number(row.version),
            row.name.as_str().into(),
            yes(row.applied).into(),
            yes(row.way_back).into(),
        ]);
    }
    Screen::print(&format!("{database}\n\n{table}"))?;
    Ok(Exit::Ok)
}
