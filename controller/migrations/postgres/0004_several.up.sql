-- Several controllers on one database: who they are, who leads, and who holds which host's session.
CREATE TABLE controllers (
    controller_id TEXT COLLATE "C" PRIMARY KEY,
    epoch         BIGINT NOT NULL,
    started_at    BIGINT NOT NULL,
    seen_at       BIGINT NOT NULL,
    grpc_address  TEXT NOT NULL,
    http_address  TEXT NOT NULL,
    version       TEXT NOT NULL
);

-- beat counts renewals: whoever sees it stand still for the time to live, by its own clock, may take over. An empty
-- holder has let go.
CREATE TABLE leases (
    name   TEXT COLLATE "C" PRIMARY KEY,
    holder TEXT COLLATE "C" NOT NULL,
    epoch  BIGINT NOT NULL,
    beat   BIGINT NOT NULL
);

-- The controller that holds the host's session, and which session of the host that is.
ALTER TABLE hosts ADD COLUMN controller_id TEXT COLLATE "C";
ALTER TABLE hosts ADD COLUMN session_epoch BIGINT NOT NULL DEFAULT 0;
CREATE INDEX hosts_by_controller ON hosts (controller_id);
