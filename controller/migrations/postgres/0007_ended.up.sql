-- Of every row that is changed a new version goes into every index: wakes that go on have no business in this one.
DROP INDEX wakes_by_end;
CREATE INDEX wakes_by_end ON wakes (ended_at) WHERE ended_at IS NOT NULL;
