-- What a version decides by: the rule alone, or fitted weights (as JSON) as well. Old versions know the rule only.
ALTER TABLE models ADD COLUMN kind TEXT NOT NULL DEFAULT 'rule' CHECK (kind IN ('rule', 'fitted'));
ALTER TABLE models ADD COLUMN fitted TEXT;
-- 1 where an operator put the version in service: nothing takes its place until somebody says so.
ALTER TABLE models ADD COLUMN pinned INTEGER NOT NULL DEFAULT 0 CHECK (pinned IN (0, 1));

-- The last stays of the instance, packed; beside the hours the rule goes by.
ALTER TABLE profiles ADD COLUMN stays BLOB;

-- What a wake was expected to cost and to spare; null where the model did not say.
ALTER TABLE planned ADD COLUMN idle_h REAL;
ALTER TABLE planned ADD COLUMN saved_s REAL;

-- How many instances were forecast on a UTC day: what the idle time of the day's wakes is divided by. The idle time
-- itself stands in `outcomes`.
CREATE TABLE spend (
    day       INTEGER PRIMARY KEY,
    instances INTEGER NOT NULL
) STRICT;
