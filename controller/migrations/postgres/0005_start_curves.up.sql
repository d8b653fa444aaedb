-- What starts of each class were measured to cost, by progress; the curve as JSON.
CREATE TABLE start_curves (
    cohort     TEXT NOT NULL,
    host_class TEXT NOT NULL,
    curve      TEXT NOT NULL,
    wakes      BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (cohort, host_class)
);

-- What other controllers put in the queue is noticed by its move.
CREATE INDEX transitions_by_time ON transitions (at);
