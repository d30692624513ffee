-- Doors and who may pass them. Rows are only ever added: a right ends by a row of its own, so that
-- the answer a gate gave last month can be explained.
CREATE SCHEMA scene_community;

CREATE FUNCTION scene_community.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% of %.% is refused: rows are only ever added', TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME;
END $$;

CREATE TABLE scene_community.door_group (
    door        text        NOT NULL,
    door_group  text        NOT NULL,
    recorded_by text        NOT NULL,
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (door, door_group)
);

CREATE TABLE scene_community.access_grant (
    grant_id    uuid        PRIMARY KEY,
    user_id     uuid        NOT NULL,
    door_group  text        NOT NULL,
    relation    text        NOT NULL CHECK (relation IN
                    ('resident', 'tenant', 'family', 'carer', 'staff', 'visitor', 'courier')),
    valid_from  date        NOT NULL,
    valid_to    date        NOT NULL,
    weekdays    smallint[]  NOT NULL CHECK (weekdays <@ '{0,1,2,3,4,5,6}'),
    starts      time,
    ends        time,
    recorded_by text        NOT NULL,
    recorded_at timestamptz NOT NULL,
    CHECK (valid_from <= valid_to),
    CHECK ((starts IS NULL) = (ends IS NULL))
);
CREATE INDEX access_grant_of_user ON scene_community.access_grant (user_id);

CREATE TABLE scene_community.grant_end (
    grant_id    uuid        PRIMARY KEY REFERENCES scene_community.access_grant,
    recorded_by text        NOT NULL,
    recorded_at timestamptz NOT NULL
);

DO $$
DECLARE name text;
BEGIN
    FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'scene_community' LOOP
        EXECUTE format(
            'CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON scene_community.%I '
            'FOR EACH STATEMENT EXECUTE FUNCTION scene_community.refuse_change()', name);
    END LOOP;
END $$;
