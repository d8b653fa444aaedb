-- What starts of each class were measured to cost, by progress; the curve as JSON.
CREATE TABLE start_curves (
    cohort     TEXT NOT NULL,
    host_class TEXT NOT NULL,
    curve      TEXT NOT NULL,
    wakes      INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (cohort, host_class)
) STRICT, WITHOUT ROWID;

-- What other controllers put in the queue is noticed by its move.
CREATE INDEX transitions_by_time ON transitions (at);
