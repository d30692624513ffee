-- Scenes an operator has registered: they pay, hold and record by rules every scene shares.

-- The ten classes of the city. A scene registered under a class is named in codes by the class's bit.
CREATE TABLE cardcore.scene_class (
    class_code text PRIMARY KEY,
    code_scene text NOT NULL
);
INSERT INTO cardcore.scene_class (class_code, code_scene) VALUES
    ('social_security', 'service_window'), ('health', 'hospital'), ('transit', 'bus'),
    ('parking', 'parking'), ('education', 'school'), ('culture_tourism', 'scenic'),
    ('venues_libraries', 'venue'), ('community_care', 'community'),
    ('public_service', 'service_window'), ('enterprise', 'retail');

CREATE TABLE cardcore.scene (
    scene            text        PRIMARY KEY CHECK (scene ~ '^[a-z][a-z0-9_]{0,39}$'),
    class_code       text        NOT NULL REFERENCES cardcore.scene_class,
    name_zh          text        NOT NULL,
    name_en          text        NOT NULL,
    level_min        text        NOT NULL CHECK (level_min IN ('anonymous', 'phone', 'real_name')),
    offline_rule     text        NOT NULL CHECK (offline_rule IN ('online_only', 'identity_only', 'capped_payment')),
    settlement_cycle text        NOT NULL CHECK (settlement_cycle IN ('none', 't1', 'weekly', 'monthly')),
    modes            text[]      NOT NULL CHECK (
        cardinality(modes) > 0 AND modes <@ ARRAY['pay', 'hold', 'record']),
    client_id        text        NOT NULL,
    recorded_at      timestamptz NOT NULL
);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON cardcore.scene
    FOR EACH STATEMENT EXECUTE FUNCTION cardcore.refuse_change();
CREATE TRIGGER rules_changed AFTER INSERT ON cardcore.scene
    FOR EACH STATEMENT EXECUTE FUNCTION cardcore.rules_changed();
