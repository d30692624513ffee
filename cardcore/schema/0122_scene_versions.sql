-- A registered scene changes by a new version, and is retired by one; orders keep theirs.

ALTER TABLE cardcore.scene
    ADD COLUMN version       integer NOT NULL DEFAULT 1 CHECK (version > 0),
    ADD COLUMN retired       boolean NOT NULL DEFAULT false,
    ADD COLUMN reason        text    NOT NULL DEFAULT 'scene registered',
    ADD COLUMN rules_version bigint  NOT NULL DEFAULT 0,
    DROP CONSTRAINT scene_pkey,
    ADD PRIMARY KEY (scene, version);
CREATE TRIGGER number_rule BEFORE INSERT ON cardcore.scene
    FOR EACH ROW EXECUTE FUNCTION cardcore.number_rule();
