DROP INDEX transitions_queued;
CREATE INDEX transitions_by_time ON transitions (at);
