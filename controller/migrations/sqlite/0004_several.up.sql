-- Several controllers on one database: who they are, who leads, and who holds which host's session.
CREATE TABLE controllers (
    controller_id TEXT PRIMARY KEY,
    epoch         INTEGER NOT NULL,
    started_at    INTEGER NOT NULL,
    seen_at       INTEGER NOT NULL,
    grpc_address  TEXT NOT NULL,
    http_address  TEXT NOT NULL,
    version       TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- beat counts renewals: whoever sees it stand still for the time to live, by its own clock, may take over. An empty
-- holder has let go.
CREATE TABLE leases (
    name   TEXT PRIMARY KEY,
    holder TEXT NOT NULL,
    epoch  INTEGER NOT NULL,
    beat   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The controller that holds the host's session, and which session of the host that is.
ALTER TABLE hosts ADD COLUMN controller_id TEXT;
ALTER TABLE hosts ADD COLUMN session_epoch INTEGER NOT NULL DEFAULT 0;
CREATE INDEX hosts_by_controller ON hosts (controller_id);
