//! The database a command works on without a controller.

use std::path::Path;

use super::failure::Failure;
use crate::{
    config::Config,
    store::{Database, Store},
};

/// The one of the configuration, or the embedded one in `dir`.
pub(super) fn of(config: &Config, dir: Option<&Path>) -> Result<Database, Failure> {
    Ok(match dir {
        Some(dir) => Database::File(dir.join("reveille.db")),
        None => config.database()?,
    })
}

/// Opens it with its tables up to date. A file must be there: nothing is to be found in a new one.
pub(super) async fn open(database: &Database) -> Result<Store, Failure> {
    must_be(database)?;
    Ok(Store::open_at(database).await?)
}

/// Opens it as it is.
pub(super) async fn connect(database: &Database) -> Result<Store, Failure> {
    must_be(database)?;
    Ok(Store::connect(database).await?)
}

fn must_be(database: &Database) -> Result<(), Failure> {
    match database {
        Database::File(path) if !path.is_file() => Err(Failure::Input(format!(
            "there is no database {}; `reveille serve` makes one, --database names another directory",
            path.display()
        ))),
        _ => Ok(()),
    }
}
