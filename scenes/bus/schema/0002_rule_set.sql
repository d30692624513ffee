-- The city's own rules besides published prices: concessions, transfer offers, caps. The latest row
-- counts; a correction is a new row.
CREATE TABLE scene_bus.rule_set (
    rule_set_no  integer     GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    version      text        NOT NULL UNIQUE CHECK (version ~ '^[0-9A-Za-z][0-9A-Za-z_.-]{0,39}$'),
    document     jsonb       NOT NULL,
    activated_by text        NOT NULL,
    recorded_at  timestamptz NOT NULL
);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON scene_bus.rule_set
    FOR EACH STATEMENT EXECUTE FUNCTION scene_bus.refuse_change();
