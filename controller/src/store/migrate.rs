//! The tables' versions: forward at every opening, back when an operator says so.

use sqlx::migrate::{Migrate, MigrateError, Migrator};

use jiff::Timestamp;

use super::{Backend, Store, StoreError, error::During};

static SQLITE: Migrator = sqlx::migrate!("migrations/sqlite");
static POSTGRES: Migrator = sqlx::migrate!("migrations/postgres");

/// A controller says once a second that it is there; one that was not heard of for so long is not.
const IN_USE_S: i64 = 10;

/// One version of the tables.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct MigrationRow {
    pub version: i64,
    pub name: String,
    pub applied: bool,
    /// Whether it can be taken back.
    pub way_back: bool,
}

impl Store {
    fn migrator(&self) -> &'static Migrator {
        match self.backend {
            Backend::Sqlite => &SQLITE,
            Backend::Postgres => &POSTGRES,
        }
    }

    fn migrating<T>(&self, done: Result<T, MigrateError>) -> Result<T, StoreError> {
        done.map_err(|source| StoreError::Migrate { database: self.shown.to_string(), source })
    }

    /// Brings the tables to the newest version this program knows.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        self.migrating(self.migrator().run(self.pool.all()).await)
    }

    /// Every version this program knows, and whether the database has it; in order. Fails when the database has one
    /// that this program does not know.
    pub async fn migrations(&self) -> Result<Vec<MigrationRow>, StoreError> {
        let migrator = self.migrator();
        let read = async {
            let mut connection = self.pool.all().acquire().await?;
            connection.ensure_migrations_table(&migrator.table_name).await?;
            connection.list_applied_migrations(&migrator.table_name).await
        };
        let applied: Vec<i64> = self.migrating(read.await)?.iter().map(|known| known.version).collect();
        if let Some(unknown) = applied.iter().find(|version| !migrator.version_exists(**version)) {
            return self.migrating(Err(MigrateError::VersionMissing(*unknown)));
        }
        let up = migrator.iter().filter(|migration| !migration.migration_type.is_down_migration());
        let rows = up.map(|migration| MigrationRow {
            version: migration.version,
            name: migration.description.to_string(),
            applied: applied.contains(&migration.version),
            way_back: migrator
                .iter()
                .any(|other| other.version == migration.version && other.migration_type.is_down_migration()),
        });
        Ok(rows.collect())
    }

    /// Fails while a controller uses a database on a server, as others would at their next statement.
    pub async fn free_of_controllers(&self, now: Timestamp) -> Result<(), StoreError> {
        if self.backend == Backend::Sqlite {
            return Ok(());
        }
        // Tables of a version without controllers have none.
        let sql = "SELECT to_regclass('controllers') IS NOT NULL";
        let known: bool =
            sqlx::query_scalar(sql).fetch_one(&self.pool).await.during("look for controllers")?;
        let controllers = if known { self.controllers_list().await? } else { Vec::new() };
        let newest = controllers.into_iter().max_by_key(|controller| controller.seen_at);
        let Some(newest) = newest else { return Ok(()) };
        let age_s = now.duration_since(newest.seen_at).as_secs();
        if age_s < IN_USE_S {
            return Err(StoreError::InUse { controller: newest.controller, age_s });
        }
        Ok(())
    }

    /// Brings the tables to `version`, forward or back. Nothing is changed when there is no way.
    pub async fn migrate_to(&self, version: i64) -> Result<(), StoreError> {
        let rows = self.migrations().await?;
        if !rows.iter().any(|row| row.version == version) {
            return Err(StoreError::NoMigration(version));
        }
        let stuck = rows.iter().find(|row| row.applied && row.version > version && !row.way_back);
        if let Some(stuck) = stuck {
            return Err(StoreError::NoWayBack { version: stuck.version, name: stuck.name.clone() });
        }
        let migrator = self.migrator();
        self.migrating(migrator.undo(self.pool.all(), version).await)?;
        self.migrating(migrator.run_to(version, self.pool.all()).await)
    }
}
