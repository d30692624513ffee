-- Arrears are paid when money arrives: what was paid, what was let off, and what was given back.

-- "paid_fen" came from the person's funds, "waived_fen" was refunded while it was still owed.
ALTER TABLE cardcore.arrears
    ADD COLUMN paid_fen   bigint NOT NULL DEFAULT 0 CHECK (paid_fen >= 0),
    ADD COLUMN waived_fen bigint NOT NULL DEFAULT 0 CHECK (waived_fen >= 0),
    ADD CONSTRAINT arrears_within CHECK (paid_fen + waived_fen <= amount_fen);
CREATE INDEX arrears_open ON cardcore.arrears (user_id, recorded_at)
    WHERE paid_fen + waived_fen < amount_fen;

-- One row for what one fund paid of one debt; its two transfers are parts 1 and 2 of the id.
CREATE TABLE cardcore.arrears_payment (
    payment_id  uuid        PRIMARY KEY,
    order_id    uuid        NOT NULL,
    line_no     smallint    NOT NULL,
    fund_id     uuid        NOT NULL,
    amount_fen  bigint      NOT NULL CHECK (amount_fen > 0),
    recorded_at timestamptz NOT NULL,
    FOREIGN KEY (order_id, line_no) REFERENCES cardcore.arrears
);
CREATE INDEX arrears_payment_of_debt ON cardcore.arrears_payment (order_id, line_no);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON cardcore.arrears_payment
    FOR EACH STATEMENT EXECUTE FUNCTION cardcore.refuse_change();

-- What a refund gave back of such a payment.
CREATE TABLE cardcore.arrears_return (
    transfer_id uuid   PRIMARY KEY,
    refund_id   uuid   NOT NULL,
    payment_id  uuid   NOT NULL REFERENCES cardcore.arrears_payment,
    amount_fen  bigint NOT NULL CHECK (amount_fen > 0)
);
CREATE INDEX arrears_return_of_payment ON cardcore.arrears_return (payment_id);
CREATE INDEX arrears_return_of_refund ON cardcore.arrears_return (refund_id);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON cardcore.arrears_return
    FOR EACH STATEMENT EXECUTE FUNCTION cardcore.refuse_change();

-- Whoever refunds a line that is still owed lets the debt off first; written here, so that no way
-- of refunding can forget it.
ALTER TABLE cardcore.refund_line
    ADD COLUMN waived_fen bigint NOT NULL DEFAULT 0 CHECK (waived_fen BETWEEN 0 AND amount_fen);
CREATE FUNCTION cardcore.waive_arrears() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE debt cardcore.arrears;
BEGIN
    SELECT a.* INTO debt FROM cardcore.arrears a JOIN cardcore.refund r USING (order_id)
     WHERE r.refund_id = NEW.refund_id AND a.line_no = NEW.line_no FOR UPDATE OF a;
    IF FOUND THEN
        NEW.waived_fen := least(NEW.amount_fen, debt.amount_fen - debt.paid_fen - debt.waived_fen);
        UPDATE cardcore.arrears SET waived_fen = waived_fen + NEW.waived_fen
         WHERE order_id = debt.order_id AND line_no = debt.line_no;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER waive_arrears BEFORE INSERT ON cardcore.refund_line
    FOR EACH ROW EXECUTE FUNCTION cardcore.waive_arrears();

-- Movements of a merchant's bill that are neither payments nor refunds: arrears and disputes.
ALTER TABLE cardcore.bill ADD COLUMN other_fen bigint NOT NULL DEFAULT 0;
