-- Passes a host gives to visitors: an anonymous person of the register with a grant of few days and
-- a number of uses. Of the visitor nothing is kept but what the visit is for.
CREATE TABLE scene_community.visitor_pass (
    pass_id     uuid        PRIMARY KEY,
    host_id     uuid        NOT NULL,
    visitor_id  uuid        NOT NULL UNIQUE,
    purpose     text        NOT NULL CHECK (purpose IN ('guest', 'repair', 'delivery', 'care', 'other')),
    door_groups text[]      NOT NULL CHECK (cardinality(door_groups) BETWEEN 1 AND 8),
    valid_from  date        NOT NULL,
    valid_to    date        NOT NULL,
    starts      time,
    ends        time,
    uses_max    smallint    NOT NULL CHECK (uses_max BETWEEN 1 AND 20),
    recorded_at timestamptz NOT NULL,
    CHECK (valid_from <= valid_to),
    CHECK ((starts IS NULL) = (ends IS NULL))
);
CREATE INDEX visitor_pass_of_host ON scene_community.visitor_pass (host_id, recorded_at);

CREATE TABLE scene_community.visitor_pass_end (
    pass_id     uuid        PRIMARY KEY REFERENCES scene_community.visitor_pass,
    recorded_by text        NOT NULL,
    recorded_at timestamptz NOT NULL
);

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON scene_community.visitor_pass
    FOR EACH STATEMENT EXECUTE FUNCTION scene_community.refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON scene_community.visitor_pass_end
    FOR EACH STATEMENT EXECUTE FUNCTION scene_community.refuse_change();
