-- How transfers are shared between operators and what clearing costs them; the latest row counts.
CREATE TABLE scene_bus.clearing_rule (
    rule_no     integer     GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    version     text        NOT NULL UNIQUE,
    document    jsonb       NOT NULL,
    set_by      text        NOT NULL,
    recorded_at timestamptz NOT NULL
);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON scene_bus.clearing_rule
    FOR EACH STATEMENT EXECUTE FUNCTION scene_bus.refuse_change();
