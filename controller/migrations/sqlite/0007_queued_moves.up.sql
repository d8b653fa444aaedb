-- What is looked for by its time are the moves by which wakes are queued: no other pays for the index.
DROP INDEX transitions_by_time;
CREATE INDEX transitions_queued ON transitions (at) WHERE to_state = 'queued';
