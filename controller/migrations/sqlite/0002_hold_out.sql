-- What each plan's draw was made with; 0 where nobody is held out.
ALTER TABLE plans ADD COLUMN hold_out_share REAL NOT NULL DEFAULT 0;

-- What plans would have woken but left asleep, so that the gain is a measurement. The same times as in `planned`.
CREATE TABLE held_out (
    instance_id TEXT NOT NULL,
    hour_at     INTEGER NOT NULL,
    serve_at    INTEGER NOT NULL,
    plan_id     INTEGER NOT NULL,
    due_at      INTEGER NOT NULL,
    probability REAL NOT NULL,
    PRIMARY KEY (instance_id, hour_at)
) STRICT, WITHOUT ROWID;
CREATE INDEX held_out_by_serving ON held_out (serve_at);
