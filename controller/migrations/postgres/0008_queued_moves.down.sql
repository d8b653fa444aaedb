DROP INDEX transitions_told;
CREATE INDEX transitions_by_time ON transitions (at);
