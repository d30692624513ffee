-- Counts of passengers that were handed to the event feed: the same figures are told once.
CREATE TABLE scene_bus.flow_told (
    event_id uuid        PRIMARY KEY,
    told_at  timestamptz NOT NULL
);
CREATE INDEX flow_told_at ON scene_bus.flow_told (told_at);
