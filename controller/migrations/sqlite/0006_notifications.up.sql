-- What receivers are told: a row per notification and receiver, written with the move that causes it. message_id is the
-- same for the same thing, so that nothing is told twice; an empty instance_id is none. Those of one receiver and instance
-- go out in the order of their numbers.
CREATE TABLE notifications (
    notification_id INTEGER PRIMARY KEY AUTOINCREMENT,
    message_id      TEXT NOT NULL,
    receiver        TEXT NOT NULL,
    event           TEXT NOT NULL,
    instance_id     TEXT NOT NULL,
    body            TEXT NOT NULL,
    state           TEXT NOT NULL CHECK (state IN ('pending', 'delivered', 'given_up')),
    attempts        INTEGER NOT NULL DEFAULT 0,
    created_at      INTEGER NOT NULL,
    due_at          INTEGER NOT NULL,
    ended_at        INTEGER,
    last_error      TEXT NOT NULL DEFAULT '',
    UNIQUE (receiver, message_id)
) STRICT;
CREATE INDEX notifications_pending ON notifications (receiver, instance_id, notification_id) WHERE state = 'pending';
CREATE INDEX notifications_by_age ON notifications (created_at);

-- What agents said of wakes that were over by then. It changes nothing, and is kept beside the wake's story.
CREATE TABLE late_results (
    wake_id    TEXT NOT NULL,
    attempt    INTEGER NOT NULL,
    at         INTEGER NOT NULL,
    outcome    TEXT NOT NULL,
    serving_at INTEGER,
    detail     TEXT NOT NULL,
    PRIMARY KEY (wake_id, attempt)
) STRICT, WITHOUT ROWID;
