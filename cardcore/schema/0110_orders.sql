-- Holds end by themselves, and may be captured several times.

-- Numbered by its triggers whenever a rule that orders are decided by changes: a running server asks
-- for this one number to learn that it must read the rules again.
CREATE TABLE cardcore.rules_version (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    version  bigint  NOT NULL
);
INSERT INTO cardcore.rules_version (version) VALUES (1);

CREATE FUNCTION cardcore.rules_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE cardcore.rules_version SET version = version + 1;
    RETURN NULL;
END $$;

-- How long a hold lasts, by scene; '*' is every scene without a row of its own.
CREATE TABLE cardcore.hold_rule (
    scene     text    PRIMARY KEY,
    timeout_s integer NOT NULL CHECK (timeout_s BETWEEN 1 AND 31536000)
);
INSERT INTO cardcore.hold_rule (scene, timeout_s) VALUES
    ('*', 604800), ('bus', 86400), ('parking', 259200), ('hospital', 2592000);

CREATE TRIGGER rules_changed AFTER INSERT OR UPDATE OR DELETE ON cardcore.hold_rule
    FOR EACH STATEMENT EXECUTE FUNCTION cardcore.rules_changed();
CREATE TRIGGER rules_changed AFTER INSERT OR UPDATE OR DELETE ON cardcore.funding_plan
    FOR EACH STATEMENT EXECUTE FUNCTION cardcore.rules_changed();

ALTER TABLE cardcore.business_order ADD COLUMN hold_expires_at timestamptz;
ALTER TABLE cardcore.business_order DROP CONSTRAINT business_order_status_check;
ALTER TABLE cardcore.business_order ADD CONSTRAINT business_order_status_check CHECK (
    status IN ('captured', 'held', 'part_captured', 'voided', 'expired', 'recorded', 'refunded'));
CREATE INDEX business_order_holding ON cardcore.business_order (hold_expires_at)
    WHERE status IN ('held', 'part_captured');

-- One row for each thing that became of a hold, in order, with how the order stood after it: the
-- answer to a repeated request is read from here.
ALTER TABLE cardcore.capture
    ADD COLUMN sequence_no     smallint NOT NULL DEFAULT 1 CHECK (sequence_no > 0),
    ADD COLUMN kind            text     NOT NULL DEFAULT 'capture' CHECK (kind IN ('capture', 'void', 'expiry')),
    ADD COLUMN status_after    text     NOT NULL DEFAULT 'captured',
    ADD COLUMN captured_after_fen bigint NOT NULL DEFAULT 0 CHECK (captured_after_fen >= amount_fen);
UPDATE cardcore.capture SET captured_after_fen = amount_fen;
UPDATE cardcore.capture SET kind = 'void', status_after = 'voided' WHERE amount_fen = 0;
ALTER TABLE cardcore.capture
    ADD CONSTRAINT capture_in_order UNIQUE (order_id, sequence_no),
    ADD CONSTRAINT capture_takes CHECK ((kind = 'capture') = (amount_fen > 0));
ALTER TABLE cardcore.capture ALTER COLUMN captured_after_fen DROP DEFAULT,
    ALTER COLUMN status_after DROP DEFAULT, ALTER COLUMN kind DROP DEFAULT,
    ALTER COLUMN sequence_no DROP DEFAULT;

-- What a capture leaves held of a line stands in a new pending transfer.
ALTER TABLE cardcore.capture_line
    ADD COLUMN held_fen         bigint NOT NULL DEFAULT 0 CHECK (held_fen >= 0),
    ADD COLUMN held_transfer_id uuid,
    ADD CONSTRAINT capture_line_holds CHECK ((held_fen = 0) = (held_transfer_id IS NULL));
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON cardcore.capture
    FOR EACH STATEMENT EXECUTE FUNCTION cardcore.refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON cardcore.capture_line
    FOR EACH STATEMENT EXECUTE FUNCTION cardcore.refuse_change();
