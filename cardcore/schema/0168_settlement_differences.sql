-- Three books compared: orders, ledger, and bills of the custodian bank and of payment channels.

-- A bill as it came. A correction of it is the next version; every version stays.
CREATE TABLE cardcore.settlement_bill (
    bill_id     uuid        PRIMARY KEY,
    source      text        NOT NULL,
    business_on date        NOT NULL,
    version     integer     NOT NULL CHECK (version > 0),
    rows        bigint      NOT NULL CHECK (rows >= 0),
    in_fen      bigint      NOT NULL CHECK (in_fen >= 0),
    out_fen     bigint      NOT NULL CHECK (out_fen >= 0),
    content     bytea       NOT NULL,
    sha256      bytea       NOT NULL CHECK (sha256 = sha256(content)),
    taken_by    text        NOT NULL,
    taken_at    timestamptz NOT NULL,
    UNIQUE (source, business_on, version),
    UNIQUE (source, business_on, sha256)
);
CREATE TABLE cardcore.settlement_bill_row (
    bill_id    uuid        NOT NULL REFERENCES cardcore.settlement_bill,
    row_no     integer     NOT NULL CHECK (row_no > 0),
    channel_no text        NOT NULL,
    our_no     text        NOT NULL,
    direction  text        NOT NULL CHECK (direction IN ('in', 'out')),
    amount_fen bigint      NOT NULL CHECK (amount_fen > 0),
    state      text        NOT NULL CHECK (state IN ('paid', 'refused')),
    moved_at   timestamptz NOT NULL,
    PRIMARY KEY (bill_id, row_no)
);

-- How often two books were compared, and what was found each time.
CREATE TABLE cardcore.settlement_comparison (
    comparison_id uuid        PRIMARY KEY,
    source        text        NOT NULL,
    business_on   date        NOT NULL,
    compared_at   timestamptz NOT NULL,
    matched       bigint      NOT NULL,
    other_day     bigint      NOT NULL,
    differences   bigint      NOT NULL
);
CREATE INDEX settlement_comparison_of_day
    ON cardcore.settlement_comparison (source, business_on, compared_at);

CREATE TABLE cardcore.settlement_difference (
    difference_id uuid        PRIMARY KEY,
    source        text        NOT NULL,  -- orders, custodian, or a payment channel's name
    business_on   date        NOT NULL,
    kind          text        NOT NULL CHECK (kind IN
                      ('amount', 'ours_only', 'theirs_only', 'state', 'cross_day', 'duplicate')),
    item          text        NOT NULL,
    ours_fen      bigint,
    theirs_fen    bigint,
    owner         text        NOT NULL,
    found_at      timestamptz NOT NULL,
    resolution    text        CHECK (resolution IN ('gone', 'other_day', 'explained', 'adjusted')),
    closed_at     timestamptz,
    closed_by     text,
    proposal_id   uuid        UNIQUE,
    CHECK ((resolution IS NULL) = (closed_at IS NULL)),
    CHECK ((resolution IN ('explained', 'adjusted')) = (proposal_id IS NOT NULL)
           OR resolution IS NULL AND proposal_id IS NULL),
    CHECK (ours_fen IS NOT NULL OR theirs_fen IS NOT NULL)
);
CREATE UNIQUE INDEX settlement_difference_open
    ON cardcore.settlement_difference (source, business_on, kind, item) WHERE closed_at IS NULL;
CREATE INDEX settlement_difference_of_day ON cardcore.settlement_difference (source, business_on);

DO $$
DECLARE name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['settlement_bill', 'settlement_bill_row',
        'settlement_comparison'] LOOP
        EXECUTE format(
            'CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON cardcore.%I '
            'FOR EACH STATEMENT EXECUTE FUNCTION cardcore.refuse_change()', name);
    END LOOP;
END $$;
