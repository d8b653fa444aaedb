-- What starts of each class were measured to cost, by progress; the curve as JSON.
CREATE TABLE start_curves (
    cohort     TEXT NOT NULL,
    host_class TEXT NOT NULL,
    curve      TEXT NOT NULL,
    wakes      BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (cohort, host_class)
);
