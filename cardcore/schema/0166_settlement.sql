-- Settlement: windows cut out of the ledger, what merchants get of them, how it is paid.

CREATE TABLE cardcore.settlement_window (
    number      bigint      PRIMARY KEY CHECK (number > 0),
    state       text        NOT NULL CHECK (state IN
                    ('open', 'closed', 'processing', 'settled', 'failed', 'aborted')),
    opened_at   timestamptz NOT NULL,
    business_on date,       -- the business date at whose end, or on which, it was closed
    closed_at   timestamptz,
    closed_by   text,
    ended_at    timestamptz,
    settled_in  bigint,     -- of an aborted one: the window that settles its postings
    CHECK ((state = 'open') = (closed_at IS NULL)),
    CHECK ((state IN ('settled', 'failed', 'aborted')) = (ended_at IS NOT NULL)),
    CHECK (settled_in IS NULL OR state = 'aborted' AND settled_in > number)
);
-- One window takes what is posted now; the second judge of it.
CREATE UNIQUE INDEX settlement_window_open ON cardcore.settlement_window ((true)) WHERE state = 'open';

-- A window's range of each shard of the ledger: after (excluded), through (included). Ranges of one
-- shard follow each other without a gap, so that a posting lies in exactly one window.
CREATE TABLE cardcore.settlement_cut (
    number  bigint   NOT NULL REFERENCES cardcore.settlement_window,
    shard   smallint NOT NULL,
    after   bigint   NOT NULL CHECK (after >= 0),
    through bigint   NOT NULL CHECK (through >= after),
    PRIMARY KEY (number, shard),
    CONSTRAINT settlement_cut_no_overlap EXCLUDE USING gist
        (int8range(shard, shard, '[]') WITH &&, int8range(after, through, '(]') WITH &&)
);

-- Tariffs of fees, as a whole and by version; each decided by four eyes.
CREATE TABLE cardcore.settlement_tariff (
    version     bigint      PRIMARY KEY CHECK (version > 0),
    content     jsonb       NOT NULL,
    proposal_id uuid        NOT NULL UNIQUE,
    decided_by  text        NOT NULL,
    recorded_at timestamptz NOT NULL
);

-- Where a merchant's money is paid to; the newest version counts. Each decided by four eyes.
CREATE TABLE cardcore.settlement_payee (
    merchant_id text        NOT NULL,
    version     bigint      NOT NULL CHECK (version > 0),
    payee       text        NOT NULL,  -- an organisation's account: nobody's personal data
    proposal_id uuid        NOT NULL UNIQUE,
    decided_by  text        NOT NULL,
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (merchant_id, version)
);

CREATE TABLE cardcore.settlement_statement (
    number          bigint NOT NULL REFERENCES cardcore.settlement_window,
    merchant_id     text   NOT NULL,
    statement_id    uuid   NOT NULL UNIQUE,
    state           text   NOT NULL CHECK (state IN ('computed', 'booked')),
    postings        bigint NOT NULL CHECK (postings >= 0),
    gross_fen       bigint NOT NULL CHECK (gross_fen >= 0),
    refunds_fen     bigint NOT NULL CHECK (refunds_fen >= 0),
    arrears_fen     bigint NOT NULL CHECK (arrears_fen >= 0),
    cleared_fen     bigint NOT NULL CHECK (cleared_fen >= 0),
    disputes_fen    bigint NOT NULL CHECK (disputes_fen >= 0),
    adjustments_fen bigint NOT NULL,
    settlement_fen  bigint NOT NULL,
    subsidies_fen   bigint NOT NULL,  -- what payers owe for it, not paid out before they pay
    carried_in_fen  bigint NOT NULL,
    tariff_version  bigint,
    fee_fen         bigint NOT NULL CHECK (fee_fen >= 0),
    fee_owed_fen    bigint NOT NULL CHECK (fee_owed_fen >= 0),  -- with what was owed before
    fee_taken_fen   bigint CHECK (fee_taken_fen BETWEEN 0 AND fee_owed_fen),
    shares_fen      bigint NOT NULL,  -- got less given
    payout_fen      bigint CHECK (payout_fen >= 0),
    carried_out_fen bigint,
    PRIMARY KEY (number, merchant_id),
    held_back       text CHECK (held_back IN ('nothing_due', 'no_payee', 'custody_short')),
    CHECK ((state = 'booked') = (fee_taken_fen IS NOT NULL)),
    CHECK ((state = 'booked') = (payout_fen IS NOT NULL)),
    CHECK (held_back IS NULL OR payout_fen = 0),
    CHECK ((payout_fen IS NULL) = (carried_out_fen IS NULL)),
    CONSTRAINT settlement_statement_sums CHECK (payout_fen IS NULL OR payout_fen + carried_out_fen =
        carried_in_fen + gross_fen - refunds_fen + arrears_fen + cleared_fen - disputes_fen
        + adjustments_fen - fee_taken_fen + shares_fen)
);
CREATE INDEX settlement_statement_of_merchant
    ON cardcore.settlement_statement (merchant_id, number DESC);

-- The turnover a fee is on, by scene.
CREATE TABLE cardcore.settlement_turnover (
    number       bigint NOT NULL,
    merchant_id  text   NOT NULL,
    scene        text   NOT NULL,
    taken_fen    bigint NOT NULL CHECK (taken_fen >= 0),
    returned_fen bigint NOT NULL CHECK (returned_fen >= 0),
    fee_fen      bigint NOT NULL CHECK (fee_fen >= 0),
    PRIMARY KEY (number, merchant_id, scene),
    FOREIGN KEY (number, merchant_id) REFERENCES cardcore.settlement_statement
);

-- What one owes another of rides they carried together: told by the scene, booked in a window.
CREATE TABLE cardcore.settlement_share (
    share_id      uuid        PRIMARY KEY,
    scene         text        NOT NULL,
    business_on   date        NOT NULL,
    from_merchant text        NOT NULL,
    to_merchant   text        NOT NULL,
    amount_fen    bigint      NOT NULL CHECK (amount_fen > 0),
    told_by       text        NOT NULL,
    told_at       timestamptz NOT NULL,
    number        bigint,
    moved_fen     bigint CHECK (moved_fen BETWEEN 0 AND amount_fen),
    CHECK (from_merchant <> to_merchant),
    CHECK ((number IS NULL) = (moved_fen IS NULL))
);
CREATE INDEX settlement_share_waiting ON cardcore.settlement_share (share_id) WHERE number IS NULL;
CREATE INDEX settlement_share_of_day ON cardcore.settlement_share (scene, business_on);

CREATE TABLE cardcore.settlement_payout (
    payout_id     uuid        PRIMARY KEY,  -- the statement's id; the bank knows the payment by it
    number        bigint      NOT NULL,
    merchant_id   text        NOT NULL,
    amount_fen    bigint      NOT NULL CHECK (amount_fen > 0),
    payee_version bigint      NOT NULL,
    state         text        NOT NULL CHECK (state IN ('held', 'paid', 'refused')),
    bank_no       text        UNIQUE,
    reason        text,
    recorded_at   timestamptz NOT NULL,
    told_at       timestamptz,  -- written before the bank is told, so that a silence is remembered
    resolved_at   timestamptz,
    carried_into  bigint,       -- of a refused one: the window that carries its money
    UNIQUE (number, merchant_id),
    FOREIGN KEY (number, merchant_id) REFERENCES cardcore.settlement_statement,
    CHECK ((state = 'held') = (resolved_at IS NULL)),
    CHECK ((state = 'paid') = (bank_no IS NOT NULL)),
    CHECK (carried_into IS NULL OR state = 'refused' AND carried_into > number)
);
CREATE INDEX settlement_payout_held ON cardcore.settlement_payout (recorded_at) WHERE state = 'held';
CREATE INDEX settlement_payout_refused ON cardcore.settlement_payout (merchant_id)
    WHERE state = 'refused' AND carried_into IS NULL;

-- What payers of subsidies, and other cities, owe merchants for a window; below zero for refunds.
CREATE TABLE cardcore.settlement_accrual (
    number      bigint NOT NULL,
    merchant_id text   NOT NULL,
    payer_id    uuid   NOT NULL,  -- ledger account of what the payer owes
    amount_fen  bigint NOT NULL,
    PRIMARY KEY (number, merchant_id, payer_id),
    FOREIGN KEY (number, merchant_id) REFERENCES cardcore.settlement_statement
);
CREATE INDEX settlement_accrual_of_payer ON cardcore.settlement_accrual (payer_id);

-- Money that came from a payer, and to whom it went.
CREATE TABLE cardcore.settlement_receipt (
    receipt_id  uuid        PRIMARY KEY,
    payer       text        NOT NULL,
    payer_id    uuid        NOT NULL,
    amount_fen  bigint      NOT NULL CHECK (amount_fen > 0),
    bank_no     text        NOT NULL UNIQUE,  -- the custodian bank's number of the movement
    client_id   text        NOT NULL,
    business_on date        NOT NULL,
    recorded_at timestamptz NOT NULL
);
CREATE TABLE cardcore.settlement_receipt_line (
    receipt_id  uuid   NOT NULL REFERENCES cardcore.settlement_receipt,
    merchant_id text   NOT NULL,
    amount_fen  bigint NOT NULL CHECK (amount_fen > 0),
    PRIMARY KEY (receipt_id, merchant_id)
);

DO $$
DECLARE name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['settlement_cut', 'settlement_tariff', 'settlement_payee',
        'settlement_turnover', 'settlement_accrual', 'settlement_receipt',
        'settlement_receipt_line'] LOOP
        EXECUTE format(
            'CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON cardcore.%I '
            'FOR EACH STATEMENT EXECUTE FUNCTION cardcore.refuse_change()', name);
    END LOOP;
END $$;

-- What is posted from the first day on lies in the first window.
INSERT INTO cardcore.settlement_window (number, state, opened_at) VALUES (1, 'open', now());
