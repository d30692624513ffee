-- Days of a million taps: what is the same is not written again, and no index without a reader.

-- The first bytes of a hash of what a journey's row says, its pricing's instant left out. A pricing
-- that comes to the same leaves the row alone. NULL: written before there were fingerprints.
ALTER TABLE scene_bus.journey ADD COLUMN fingerprint bigint;

-- Due weeks are taken person by person: a round of some thousand reads no more than it answers.
DROP INDEX scene_bus.due_week_of_bucket;
CREATE INDEX due_week_of_person ON scene_bus.due_week (bucket, user_id, week_on);

-- Entries are read by person and week; sums of a day are asked of its journeys.
DROP INDEX scene_bus.charge_entry_of_day;

-- The kiosks' feed asks what came since it last asked; taps lie in the order they came.
CREATE INDEX tap_of_receipt ON scene_bus.tap USING brin (received_at)
    WITH (pages_per_range = 32, autosummarize = on);
