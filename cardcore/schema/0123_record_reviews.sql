-- What people decided of records that waited for them. Once, and never changed.
CREATE TABLE cardcore.record_decision (
    record_id  uuid        PRIMARY KEY REFERENCES cardcore.terminal_record,
    decision   text        NOT NULL CHECK (decision IN ('charged', 'written_off')),
    liability  text        NOT NULL CHECK (liability IN ('citizen', 'merchant', 'issuer')),
    amount_fen bigint      NOT NULL CHECK (amount_fen >= 0),
    order_id   uuid,
    decided_by text        NOT NULL,
    purpose    text        NOT NULL,
    decided_at timestamptz NOT NULL,
    CHECK ((decision = 'charged') = (order_id IS NOT NULL))
);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON cardcore.record_decision
    FOR EACH STATEMENT EXECUTE FUNCTION cardcore.refuse_change();
