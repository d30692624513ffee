-- The audit log as a chain: each row has a link, a link names the one before it, a head is signed.

ALTER TABLE cardcore.audit_event ADD COLUMN purpose text NOT NULL DEFAULT '';

-- Rows that have no link yet. A queue and not a mark "up to here": rows commit in another order
-- than they are numbered.
CREATE TABLE cardcore.audit_unsealed (
    seq bigint PRIMARY KEY
);
INSERT INTO cardcore.audit_unsealed (seq) SELECT seq FROM cardcore.audit_event;

CREATE FUNCTION cardcore.queue_audit_events() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO cardcore.audit_unsealed (seq) SELECT seq FROM added;
    RETURN NULL;
END $$;
CREATE TRIGGER queue_for_sealing AFTER INSERT ON cardcore.audit_event
    REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION cardcore.queue_audit_events();

CREATE TABLE cardcore.audit_link (
    position bigint PRIMARY KEY CHECK (position > 0),
    seq      bigint NOT NULL UNIQUE,
    digest   bytea  NOT NULL CHECK (octet_length(digest) = 32)
);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON cardcore.audit_link
    FOR EACH STATEMENT EXECUTE FUNCTION cardcore.refuse_change();

CREATE TABLE cardcore.audit_head (
    position  bigint      PRIMARY KEY CHECK (position > 0),
    digest    bytea       NOT NULL CHECK (octet_length(digest) = 32),
    sealed_at timestamptz NOT NULL,
    key_label text        NOT NULL,
    signature bytea       NOT NULL
);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON cardcore.audit_head
    FOR EACH STATEMENT EXECUTE FUNCTION cardcore.refuse_change();

CREATE INDEX audit_event_of_object ON cardcore.audit_event (object, seq);
