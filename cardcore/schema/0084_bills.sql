-- Bills: what a merchant took and gave back on a business day, as a file that never changes.
-- A correction is a file of its own with the next version.
CREATE TABLE cardcore.bill (
    merchant_id  text        NOT NULL,
    business_on  date        NOT NULL,
    version      integer     NOT NULL CHECK (version > 0),
    rows         integer     NOT NULL CHECK (rows >= 0),
    paid_fen     bigint      NOT NULL CHECK (paid_fen >= 0),
    refunded_fen bigint      NOT NULL CHECK (refunded_fen >= 0),
    sha256       bytea       NOT NULL CHECK (sha256 = sha256(content)),
    content      bytea       NOT NULL,
    made_at      timestamptz NOT NULL,
    PRIMARY KEY (merchant_id, business_on, version)
);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON cardcore.bill
    FOR EACH STATEMENT EXECUTE FUNCTION cardcore.refuse_change();

CREATE INDEX refund_of_day ON cardcore.refund (merchant_id, business_on);
CREATE INDEX capture_of_time ON cardcore.capture (recorded_at);
CREATE INDEX topup_of_user ON cardcore.topup (user_id, topup_id);

-- How far the clock of a sandbox was moved on; a city of real money has no row.
CREATE TABLE cardcore.sandbox_clock (
    one       boolean PRIMARY KEY DEFAULT true CHECK (one),
    ahead_us  bigint  NOT NULL CHECK (ahead_us >= 0)
);
