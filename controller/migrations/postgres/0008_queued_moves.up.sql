-- What is looked for by its time are the moves other controllers must hear of: no other pays for the index.
DROP INDEX transitions_by_time;
CREATE INDEX transitions_told ON transitions (at) WHERE to_state = 'queued' OR event IN ('cancel', 'force');
