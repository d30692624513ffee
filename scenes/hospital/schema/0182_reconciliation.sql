-- Three books compared, day by day: the hospital's system, the insurer, the city's orders.

-- What the hospital's own system says it has collected; the same upload again changes nothing.
CREATE TABLE scene_hospital.his_item (
    merchant_id text   NOT NULL,
    business_on date   NOT NULL,
    payment_id  uuid   NOT NULL,
    total_fen   bigint NOT NULL,
    insurer_fen bigint NOT NULL,
    cash_fen    bigint NOT NULL,
    PRIMARY KEY (merchant_id, business_on, payment_id)
);
-- What the insurer says it has settled, as its file of the day had it (3202).
CREATE TABLE scene_hospital.insurer_item (
    merchant_id text    NOT NULL,
    settled_on  date    NOT NULL,
    setl_id     text    NOT NULL,
    psn_no      text    NOT NULL,
    mdtrt_id    text    NOT NULL,
    msgid       text    NOT NULL,
    total_fen   bigint  NOT NULL,
    fund_fen    bigint  NOT NULL,
    account_fen bigint  NOT NULL,
    cancelled   boolean NOT NULL,
    PRIMARY KEY (merchant_id, settled_on, setl_id)
);
-- A difference keeps its row and its age until it is gone. "owner": whose move it is.
CREATE TABLE scene_hospital.difference (
    difference_id bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    merchant_id   text        NOT NULL,
    business_on   date        NOT NULL,
    kind          text        NOT NULL CHECK (kind IN ('insurer_only', 'insurer_missing', 'insurer_amount',
                      'his_only', 'his_missing', 'his_amount', 'channel_missing', 'channel_amount')),
    item          text        NOT NULL,
    owner         text        NOT NULL CHECK (owner IN ('city', 'hospital', 'insurer')),
    expected_fen  bigint,
    found_fen     bigint,
    found_at      timestamptz NOT NULL,
    closed_at     timestamptz,
    resolution    text,
    CHECK ((closed_at IS NULL) = (resolution IS NULL))
);
CREATE UNIQUE INDEX difference_open ON scene_hospital.difference (merchant_id, business_on, kind, item)
    WHERE closed_at IS NULL;
