-- What clearing reads beside journeys: what vehicles counted themselves.
CREATE INDEX tap_of_time ON scene_bus.tap USING brin (happened_at) WITH (pages_per_range = 32);

CREATE TABLE scene_bus.vehicle_count (
    vehicle_id  text        NOT NULL,
    business_on date        NOT NULL,
    taps_count  bigint      NOT NULL CHECK (taps_count >= 0),
    told_by     text        NOT NULL,
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (vehicle_id, business_on, recorded_at)
);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON scene_bus.vehicle_count
    FOR EACH STATEMENT EXECUTE FUNCTION scene_bus.refuse_change();
