DROP INDEX wakes_by_end;
CREATE INDEX wakes_by_end ON wakes (ended_at);
