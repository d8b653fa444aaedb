-- One table per arrow of the road. Times are milliseconds since 1970 (UTC); ids are text.

-- Beside every host: what its agent last said of itself.
CREATE TABLE hosts (
    host_id       TEXT PRIMARY KEY,
    host_class    TEXT NOT NULL,
    zone          TEXT NOT NULL,
    cores         REAL NOT NULL,
    agent_version TEXT NOT NULL,
    journal_id    TEXT NOT NULL,
    connected_at  INTEGER NOT NULL,
    last_seen_at  INTEGER NOT NULL
) STRICT;

-- What hibernates. Known from a log, from an agent's inventory, or from both.
CREATE TABLE instances (
    instance_id   TEXT PRIMARY KEY,
    host_id       TEXT,
    cohort        TEXT NOT NULL DEFAULT '',
    time_zone     TEXT NOT NULL DEFAULT '',
    first_seen_at INTEGER,
    last_seen_at  INTEGER
) STRICT;
CREATE INDEX instances_by_host ON instances (host_id);

-- How far each log was read.
CREATE TABLE sources (
    source      TEXT PRIMARY KEY,
    fingerprint TEXT NOT NULL,
    byte_offset INTEGER NOT NULL,
    line        INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL
) STRICT;

-- What was read, by kind: lines, records, and rejects by reason.
CREATE TABLE source_counts (
    source TEXT NOT NULL,
    kind   TEXT NOT NULL,
    count  INTEGER NOT NULL,
    PRIMARY KEY (source, kind)
) STRICT, WITHOUT ROWID;

-- One stay of a user, between idle gaps. asked_at: the first wake request inside it.
CREATE TABLE visits (
    instance_id TEXT NOT NULL,
    arrived_at  INTEGER NOT NULL,
    departed_at INTEGER NOT NULL,
    asked_at    INTEGER,
    PRIMARY KEY (instance_id, arrived_at)
) STRICT, WITHOUT ROWID;
CREATE INDEX visits_by_arrival ON visits (arrived_at);

-- Quarter hours with a sighting: bit q of the 96 of a UTC day, low bits first.
CREATE TABLE activity (
    instance_id TEXT NOT NULL,
    day         INTEGER NOT NULL,
    quarters    BLOB NOT NULL,
    PRIMARY KEY (instance_id, day)
) STRICT, WITHOUT ROWID;

-- Versions of the model. At most one serves.
CREATE TABLE models (
    version    INTEGER PRIMARY KEY AUTOINCREMENT,
    status     TEXT NOT NULL CHECK (status IN ('serving', 'superseded', 'rejected')),
    trained_at INTEGER NOT NULL,
    data_from  INTEGER,
    data_to    INTEGER,
    instances  INTEGER NOT NULL,
    rule       TEXT NOT NULL,
    metrics    TEXT NOT NULL,
    detail     TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE UNIQUE INDEX one_model_serves ON models (status) WHERE status = 'serving';

CREATE TABLE profiles (
    version     INTEGER NOT NULL REFERENCES models (version) ON DELETE CASCADE,
    instance_id TEXT NOT NULL,
    profile     BLOB NOT NULL,
    PRIMARY KEY (version, instance_id)
) STRICT, WITHOUT ROWID;

-- A plan is never changed once made.
CREATE TABLE plans (
    plan_id       INTEGER PRIMARY KEY AUTOINCREMENT,
    made_at       INTEGER NOT NULL,
    horizon_end   INTEGER NOT NULL,
    mode          TEXT NOT NULL,
    model_version INTEGER NOT NULL,
    wakes         INTEGER NOT NULL,
    omissions     INTEGER NOT NULL,
    omitted       TEXT NOT NULL
) STRICT;

-- What plans chose; an instance is chosen once for one forecast hour, however many plans see it.
CREATE TABLE planned (
    instance_id TEXT NOT NULL,
    hour_at     INTEGER NOT NULL,
    serve_at    INTEGER NOT NULL,
    plan_id     INTEGER NOT NULL,
    host_id     TEXT NOT NULL,
    due_at      INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL,
    probability REAL NOT NULL,
    why         TEXT NOT NULL,
    wake_id     TEXT,
    PRIMARY KEY (instance_id, hour_at)
) STRICT, WITHOUT ROWID;
CREATE INDEX planned_by_serving ON planned (serve_at);

-- What the newest plan left out, and why; older plans keep the counts in plans.omitted.
CREATE TABLE omissions (
    instance_id TEXT PRIMARY KEY,
    plan_id     INTEGER NOT NULL,
    code        TEXT NOT NULL,
    detail      TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- The queue and everything that became of it. state_data holds what the state carries, as JSON.
CREATE TABLE wakes (
    wake_id       TEXT PRIMARY KEY,
    instance_id   TEXT NOT NULL,
    reason        TEXT NOT NULL CHECK (reason IN ('forecast', 'demand', 'operator', 'experiment')),
    priority      INTEGER NOT NULL,
    requested_by  TEXT NOT NULL,
    plan_id       INTEGER,
    probability   REAL,
    created_at    INTEGER NOT NULL,
    due_at        INTEGER NOT NULL,
    serve_at      INTEGER,
    expires_at    INTEGER NOT NULL,
    state         TEXT NOT NULL CHECK (state IN ('queued', 'dispatched', 'calling', 'starting', 'ended')),
    state_data    TEXT NOT NULL,
    host_id       TEXT,
    not_before    INTEGER,
    deadline_at   INTEGER,
    attempt       INTEGER NOT NULL,
    dispatched_at INTEGER,
    called_at     INTEGER,
    serving_at    INTEGER,
    ended_at      INTEGER,
    end_reason    TEXT CHECK (end_reason IN ('woken', 'already_awake', 'refused', 'failed', 'timed_out', 'host_lost', 'cancelled', 'expired')),
    detail        TEXT NOT NULL DEFAULT '',
    moves         INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX one_open_wake_per_instance ON wakes (instance_id) WHERE ended_at IS NULL;
CREATE INDEX wakes_queued ON wakes (priority, due_at, wake_id) WHERE state = 'queued';
CREATE INDEX wakes_running ON wakes (host_id) WHERE state IN ('dispatched', 'calling', 'starting');
CREATE INDEX wakes_by_instance ON wakes (instance_id, created_at);
CREATE INDEX wakes_by_end ON wakes (ended_at);

-- Every move of every wake.
CREATE TABLE transitions (
    wake_id    TEXT NOT NULL,
    seq        INTEGER NOT NULL,
    at         INTEGER NOT NULL,
    event      TEXT NOT NULL,
    from_state TEXT NOT NULL,
    to_state   TEXT NOT NULL,
    epoch      INTEGER NOT NULL,
    detail     TEXT NOT NULL,
    PRIMARY KEY (wake_id, seq)
) STRICT, WITHOUT ROWID;

-- What a wake was good for.
CREATE TABLE outcomes (
    wake_id    TEXT PRIMARY KEY,
    verdict    TEXT NOT NULL CHECK (verdict IN ('used', 'unused', 'missed', 'failed')),
    arrived_at INTEGER,
    idle_s     REAL NOT NULL,
    waited_s   REAL NOT NULL,
    saved_s    REAL NOT NULL,
    judged_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What an operator set at run time, and who changed what.
CREATE TABLE policy (
    key        TEXT PRIMARY KEY,
    value      TEXT NOT NULL,
    changed_at INTEGER NOT NULL,
    changed_by TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE policy_changes (
    change_id  INTEGER PRIMARY KEY AUTOINCREMENT,
    changed_at INTEGER NOT NULL,
    changed_by TEXT NOT NULL,
    key        TEXT NOT NULL,
    old_value  TEXT NOT NULL,
    new_value  TEXT NOT NULL
) STRICT;

-- One per start of a controller; a lower epoch is a controller that has been replaced.
CREATE TABLE epochs (
    epoch      INTEGER PRIMARY KEY AUTOINCREMENT,
    started_at INTEGER NOT NULL,
    version    TEXT NOT NULL
) STRICT;

-- The highest CPU seen per host and hour, for the report.
CREATE TABLE host_load (
    host_id         TEXT NOT NULL,
    hour            INTEGER NOT NULL,
    samples         INTEGER NOT NULL,
    cpu_percent_max REAL NOT NULL,
    over_ceiling    INTEGER NOT NULL,
    PRIMARY KEY (host_id, hour)
) STRICT, WITHOUT ROWID;
