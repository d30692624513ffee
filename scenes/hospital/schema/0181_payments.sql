-- Paying: visits, bills, payments and refunds as sagas whose every step is a row, deposits.

-- "visit_no" is the hospital's own number (ipt_otp_no), "mdtrt_id" the insurer's. Without "psn_no"
-- nobody insures the visit. "pay_after": under the agreement to pay later (信用就医).
CREATE TABLE scene_hospital.visit (
    visit_id    uuid        PRIMARY KEY,
    merchant_id text        NOT NULL REFERENCES scene_hospital.hospital,
    visit_no    text        NOT NULL,
    user_id     uuid        NOT NULL,
    kind        text        NOT NULL CHECK (kind IN ('outpatient', 'inpatient')),
    dept_code   text        NOT NULL,
    psn_no      text,
    insutype    text,
    mdtrt_id    text,
    pay_after   boolean     NOT NULL,
    recorded_at timestamptz NOT NULL,
    closed_at   timestamptz,
    UNIQUE (merchant_id, visit_no),
    CHECK ((psn_no IS NULL) = (insutype IS NULL)),
    CHECK (mdtrt_id IS NULL OR psn_no IS NOT NULL)
);
CREATE INDEX visit_of_user ON scene_hospital.visit (user_id, visit_id);

CREATE TABLE scene_hospital.credit_agreement (
    agreement_id uuid        PRIMARY KEY,
    user_id      uuid        NOT NULL,
    evidence     text        NOT NULL,
    signed_at    timestamptz NOT NULL,
    ended_at     timestamptz
);
CREATE UNIQUE INDEX credit_agreement_in_force ON scene_hospital.credit_agreement (user_id) WHERE ended_at IS NULL;

CREATE TABLE scene_hospital.payment (
    payment_id    uuid        PRIMARY KEY,
    merchant_id   text        NOT NULL REFERENCES scene_hospital.hospital,
    visit_id      uuid        NOT NULL REFERENCES scene_hospital.visit,
    user_id       uuid        NOT NULL,
    payer_id      uuid,
    fund          text        NOT NULL,
    state         text        NOT NULL,
    version       integer     NOT NULL,
    reason        text,
    total_fen     bigint      NOT NULL CHECK (total_fen > 0),
    fund_fen      bigint      NOT NULL CHECK (fund_fen >= 0),
    account_fen   bigint      NOT NULL CHECK (account_fen >= 0),
    cash_fen      bigint      NOT NULL CHECK (cash_fen >= 0),
    hospital_fen  bigint      NOT NULL CHECK (hospital_fen >= 0),
    deposit_fen   bigint      NOT NULL CHECK (deposit_fen BETWEEN 0 AND cash_fen),
    setl_id       text,
    msgid         text,
    order_request jsonb,
    order_id      uuid,
    quote_ends_at timestamptz NOT NULL,
    due_at        timestamptz,
    attempts      integer     NOT NULL DEFAULT 0,
    business_on   date        NOT NULL,
    recorded_at   timestamptz NOT NULL,
    changed_at    timestamptz NOT NULL,
    CHECK (total_fen = fund_fen + account_fen + cash_fen + hospital_fen)
);
CREATE INDEX payment_of_visit ON scene_hospital.payment (visit_id);
CREATE INDEX payment_of_day ON scene_hospital.payment (merchant_id, business_on);
CREATE INDEX payment_due ON scene_hospital.payment (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX payment_in_review ON scene_hospital.payment (changed_at) WHERE state = 'review';

-- A bill of the hospital's system. "payment_id": the payment that has it in hand, or has paid it.
CREATE TABLE scene_hospital.bill (
    bill_id     uuid        PRIMARY KEY,
    merchant_id text        NOT NULL REFERENCES scene_hospital.hospital,
    visit_id    uuid        NOT NULL REFERENCES scene_hospital.visit,
    out_bill_no text        NOT NULL,
    total_fen   bigint      NOT NULL CHECK (total_fen > 0),
    state       text        NOT NULL CHECK (state IN ('open', 'paid', 'withdrawn')),
    payment_id  uuid        REFERENCES scene_hospital.payment,
    recorded_at timestamptz NOT NULL,
    UNIQUE (merchant_id, out_bill_no),
    CHECK (state <> 'paid' OR payment_id IS NOT NULL)
);
CREATE INDEX bill_of_visit ON scene_hospital.bill (visit_id);
CREATE INDEX bill_of_payment ON scene_hospital.bill (payment_id);

CREATE TABLE scene_hospital.bill_line (
    bill_id      uuid     NOT NULL REFERENCES scene_hospital.bill,
    line_no      smallint NOT NULL CHECK (line_no > 0),
    item_code    text     NOT NULL,
    name         text     NOT NULL,
    quantity     text     NOT NULL,
    price_fen    bigint   NOT NULL CHECK (price_fen >= 0),
    amount_fen   bigint   NOT NULL CHECK (amount_fen > 0),
    returned_fen bigint   NOT NULL DEFAULT 0,
    PRIMARY KEY (bill_id, line_no),
    -- The second judge of twenty refunds at once: no line gives back more than it cost.
    CHECK (returned_fen BETWEEN 0 AND amount_fen)
);

CREATE TABLE scene_hospital.refund (
    refund_id     uuid        PRIMARY KEY,
    payment_id    uuid        NOT NULL REFERENCES scene_hospital.payment,
    merchant_id   text        NOT NULL,
    out_refund_no text        NOT NULL,
    reason        text        NOT NULL,
    state         text        NOT NULL,
    version       integer     NOT NULL,
    fault         text,
    lines         jsonb       NOT NULL,
    amount_fen    bigint      NOT NULL CHECK (amount_fen > 0),
    fund_fen      bigint,
    account_fen   bigint,
    cash_fen      bigint,
    cancel_msgid  text        NOT NULL,
    msgid         text,
    setl_id       text,
    due_at        timestamptz,
    attempts      integer     NOT NULL DEFAULT 0,
    business_on   date        NOT NULL,
    recorded_at   timestamptz NOT NULL,
    changed_at    timestamptz NOT NULL,
    UNIQUE (merchant_id, out_refund_no)
);
-- The insurer knows one settlement of a payment at a time, so its refunds happen one after another.
CREATE UNIQUE INDEX refund_one_at_a_time ON scene_hospital.refund (payment_id)
    WHERE state NOT IN ('refunded', 'refused');
CREATE INDEX refund_due ON scene_hospital.refund (due_at) WHERE due_at IS NOT NULL;

-- Every step of a payment or a refund, with what was said: evidence, never edited.
CREATE TABLE scene_hospital.saga_step (
    subject_id  uuid        NOT NULL,
    version     integer     NOT NULL,
    state       text        NOT NULL,
    note        jsonb       NOT NULL,
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (subject_id, version)
);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON scene_hospital.saga_step
    FOR EACH STATEMENT EXECUTE FUNCTION scene_hospital.refuse_change();

-- Settlements the insurer told us of: one row each, closed by the time of their cancelling.
CREATE TABLE scene_hospital.settlement (
    merchant_id  text        NOT NULL,
    setl_id      text        NOT NULL,
    payment_id   uuid        NOT NULL REFERENCES scene_hospital.payment,
    psn_no       text        NOT NULL,
    mdtrt_id     text        NOT NULL,
    msgid        text        NOT NULL,
    total_fen    bigint      NOT NULL,
    fund_fen     bigint      NOT NULL,
    account_fen  bigint      NOT NULL,
    cash_fen     bigint      NOT NULL,
    settled_on   date        NOT NULL,
    settled_at   timestamptz NOT NULL,
    cancelled_at timestamptz,
    PRIMARY KEY (merchant_id, setl_id)
);
CREATE INDEX settlement_of_day ON scene_hospital.settlement (merchant_id, settled_on);
CREATE INDEX settlement_of_payment ON scene_hospital.settlement (payment_id);

-- ---- deposits ------------------------------------------------------------------------------------

-- What a patient has put down for a stay, and what the stay has used of it.
CREATE TABLE scene_hospital.deposit_account (
    visit_id    uuid        PRIMARY KEY REFERENCES scene_hospital.visit,
    merchant_id text        NOT NULL,
    user_id     uuid        NOT NULL,
    paid_fen    bigint      NOT NULL DEFAULT 0 CHECK (paid_fen >= 0),
    charged_fen bigint      NOT NULL DEFAULT 0 CHECK (charged_fen >= 0),
    used_fen    bigint      NOT NULL DEFAULT 0 CHECK (used_fen >= 0),
    returned_fen bigint     NOT NULL DEFAULT 0 CHECK (returned_fen >= 0),
    state       text        NOT NULL CHECK (state IN ('open', 'closed')),
    opened_at   timestamptz NOT NULL,
    closed_at   timestamptz,
    CHECK (used_fen + returned_fen <= paid_fen)
);
-- Money on its way into a deposit: what is asked of the core is written down first, then asked.
CREATE TABLE scene_hospital.deposit_top_up (
    top_up_id     uuid        PRIMARY KEY,
    visit_id      uuid        NOT NULL REFERENCES scene_hospital.deposit_account,
    merchant_id   text        NOT NULL,
    out_trade_no  text        NOT NULL,
    amount_fen    bigint      NOT NULL CHECK (amount_fen > 0),
    state         text        NOT NULL CHECK (state IN ('asked', 'entered', 'refused')),
    reason        text,
    order_request jsonb,
    order_id      uuid        UNIQUE,
    recorded_at   timestamptz NOT NULL,
    UNIQUE (merchant_id, out_trade_no),
    CHECK ((state = 'entered') = (order_id IS NOT NULL))
);
CREATE INDEX deposit_top_up_asked ON scene_hospital.deposit_top_up (recorded_at) WHERE state = 'asked';

CREATE TABLE scene_hospital.deposit_entry (
    entry_id    uuid        PRIMARY KEY,
    visit_id    uuid        NOT NULL REFERENCES scene_hospital.deposit_account,
    kind        text        NOT NULL CHECK (kind IN ('top_up', 'daily_bill', 'used', 'returned')),
    amount_fen  bigint      NOT NULL CHECK (amount_fen > 0),
    order_id    uuid,
    bill_id     uuid,
    business_on date        NOT NULL,
    recorded_at timestamptz NOT NULL
);
CREATE INDEX deposit_entry_of ON scene_hospital.deposit_entry (visit_id, entry_id);
CREATE UNIQUE INDEX deposit_returned_once ON scene_hospital.deposit_entry (order_id) WHERE kind = 'returned';
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON scene_hospital.deposit_entry
    FOR EACH STATEMENT EXECUTE FUNCTION scene_hospital.refuse_change();
