-- The core's own schema: people, funds, rights, orders. Money itself lies in the schema "ledger";
-- there is no foreign key across schemas.
CREATE SCHEMA cardcore;

CREATE FUNCTION cardcore.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% of %.% is refused: rows are only ever added', TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME;
END $$;

-- ---- user ------------------------------------------------------------------------------------

-- Personal data is sealed with the person's own key, which is wrapped by the HSM. Destroying
-- data_key_wrapped erases the person; the money entries stay.
CREATE TABLE cardcore.person (
    user_id          uuid        PRIMARY KEY,
    level            text        NOT NULL CHECK (level IN ('anonymous', 'phone', 'real_name')),
    status           text        NOT NULL CHECK (status IN ('active', 'frozen', 'closed', 'merged')),
    data_key_wrapped bytea,
    name_sealed      bytea,
    id_no_sealed     bytea,
    id_no_index      bytea       UNIQUE,
    recorded_at      timestamptz NOT NULL
);

CREATE TABLE cardcore.entitlement (
    entitlement_id uuid        PRIMARY KEY,
    user_id        uuid        NOT NULL REFERENCES cardcore.person,
    class          text        NOT NULL CHECK (class ~ '^[a-z][a-z0-9_]{0,39}$'),
    evidence       text        NOT NULL,
    valid_from     date        NOT NULL,
    valid_to       date        NOT NULL,
    recorded_at    timestamptz NOT NULL,
    CHECK (valid_from <= valid_to)
);
CREATE INDEX entitlement_of_user ON cardcore.entitlement (user_id);

-- Which random alias was given to whom. A class S code lives seconds; the row is kept for evidence.
CREATE TABLE cardcore.code_token (
    token       bytea       PRIMARY KEY CHECK (octet_length(token) = 8),
    user_id     uuid        NOT NULL,
    issued_at   timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL
);

CREATE TABLE cardcore.issuer_key (
    issuer_id   integer     NOT NULL CHECK (issuer_id BETWEEN 0 AND 65535),
    kid         smallint    NOT NULL CHECK (kid BETWEEN 0 AND 255),
    algorithm   text        NOT NULL,
    label       text        NOT NULL UNIQUE,
    public_key  bytea       NOT NULL,
    not_before  timestamptz NOT NULL,
    not_after   timestamptz NOT NULL,
    PRIMARY KEY (issuer_id, kid),
    CHECK (not_before < not_after)
);

-- ---- account ---------------------------------------------------------------------------------

CREATE TABLE cardcore.fund_kind (
    kind            text    PRIMARY KEY,
    regime          text    NOT NULL,
    level_min       text    NOT NULL,
    balance_fen_max bigint  NOT NULL CHECK (balance_fen_max > 0),
    name_zh         text    NOT NULL,
    name_en         text    NOT NULL
);

-- The fund's id is also the id of its ledger account.
CREATE TABLE cardcore.fund (
    fund_id     uuid        PRIMARY KEY,
    user_id     uuid        NOT NULL REFERENCES cardcore.person,
    kind        text        NOT NULL REFERENCES cardcore.fund_kind,
    status      text        NOT NULL CHECK (status IN ('active', 'frozen', 'closed')),
    recorded_at timestamptz NOT NULL,
    UNIQUE (user_id, kind)
);

-- Which funds a scene may draw on, first to last.
CREATE TABLE cardcore.funding_plan (
    scene    text     NOT NULL,
    position smallint NOT NULL,
    kind     text     NOT NULL REFERENCES cardcore.fund_kind,
    PRIMARY KEY (scene, position),
    UNIQUE (scene, kind)
);

CREATE TABLE cardcore.topup (
    topup_id    uuid        PRIMARY KEY,
    user_id     uuid        NOT NULL,
    fund_id     uuid        NOT NULL,
    amount_fen  bigint      NOT NULL CHECK (amount_fen > 0),
    channel     text        NOT NULL,
    channel_no  text        NOT NULL,
    business_on date        NOT NULL,
    recorded_at timestamptz NOT NULL,
    UNIQUE (channel, channel_no)
);

-- ---- business --------------------------------------------------------------------------------

CREATE TABLE cardcore.merchant (
    merchant_id         text        PRIMARY KEY,
    name_zh             text        NOT NULL,
    name_en             text        NOT NULL,
    status              text        NOT NULL CHECK (status IN ('active', 'suspended')),
    payable_id          uuid        NOT NULL UNIQUE,
    subsidy_payable_id  uuid        NOT NULL UNIQUE,
    recorded_at         timestamptz NOT NULL
);

CREATE TABLE cardcore.terminal (
    terminal_id text        PRIMARY KEY,
    merchant_id text        NOT NULL REFERENCES cardcore.merchant,
    scene       text        NOT NULL,
    place       jsonb       NOT NULL,
    status      text        NOT NULL CHECK (status IN ('active', 'suspended', 'retired')),
    recorded_at timestamptz NOT NULL
);

CREATE TABLE cardcore.client (
    client_id   text        PRIMARY KEY,
    merchant_id text        REFERENCES cardcore.merchant,
    terminal_id text        REFERENCES cardcore.terminal,
    scopes      text[]      NOT NULL,
    public_key  jsonb       NOT NULL,
    status      text        NOT NULL CHECK (status IN ('active', 'revoked')),
    recorded_at timestamptz NOT NULL
);

-- A client's signed assertion is good once, whichever worker it is shown to.
CREATE TABLE cardcore.used_assertion (
    client_id    text        NOT NULL,
    assertion_id text        NOT NULL,
    expires_at   timestamptz NOT NULL,
    PRIMARY KEY (client_id, assertion_id)
);

CREATE TABLE cardcore.business_order (
    order_id       uuid        PRIMARY KEY,
    merchant_id    text        NOT NULL,
    terminal_id    text        NOT NULL,
    scene          text        NOT NULL,
    type           text        NOT NULL,
    mode           text        NOT NULL CHECK (mode IN ('pay', 'hold', 'record')),
    status         text        NOT NULL CHECK (status IN ('captured', 'held', 'voided', 'recorded', 'refunded')),
    out_trade_no   text        NOT NULL,
    user_id        uuid        NOT NULL,
    client_id      text        NOT NULL,
    nominal_fen    bigint      NOT NULL CHECK (nominal_fen >= 0),
    citizen_fen    bigint      NOT NULL CHECK (citizen_fen BETWEEN 0 AND nominal_fen),
    captured_fen   bigint      NOT NULL CHECK (captured_fen BETWEEN 0 AND nominal_fen),
    refunded_fen   bigint      NOT NULL CHECK (refunded_fen BETWEEN 0 AND captured_fen),
    business_on    date        NOT NULL,
    occurred_at    timestamptz NOT NULL,
    recorded_at    timestamptz NOT NULL,
    request_digest bytea       NOT NULL,
    code_digest    bytea,
    details        jsonb       NOT NULL,
    UNIQUE (merchant_id, out_trade_no),
    CHECK (mode <> 'record' OR nominal_fen = 0)
);
CREATE INDEX business_order_of_user ON cardcore.business_order (user_id, recorded_at);
CREATE INDEX business_order_of_day ON cardcore.business_order (merchant_id, business_on);

CREATE TABLE cardcore.order_line (
    order_id          uuid     NOT NULL,
    line_no           smallint NOT NULL,
    payer             text     NOT NULL,
    fund              text,
    amount_fen        bigint   NOT NULL CHECK (amount_fen >= 0),
    debit_account_id  uuid,
    credit_account_id uuid,
    transfer_id       uuid,
    rule_id           text     NOT NULL,
    rule_version      text     NOT NULL,
    reason_zh         text     NOT NULL,
    reason_en         text     NOT NULL,
    PRIMARY KEY (order_id, line_no),
    CHECK ((amount_fen = 0) = (transfer_id IS NULL))
);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON cardcore.order_line
    FOR EACH STATEMENT EXECUTE FUNCTION cardcore.refuse_change();

-- What a hold became: one row per capture or void, naming the resolving transfers.
CREATE TABLE cardcore.capture (
    capture_id     uuid        PRIMARY KEY,
    order_id       uuid        NOT NULL,
    amount_fen     bigint      NOT NULL CHECK (amount_fen >= 0),
    recorded_at    timestamptz NOT NULL
);
CREATE TABLE cardcore.capture_line (
    capture_id  uuid     NOT NULL,
    line_no     smallint NOT NULL,
    amount_fen  bigint   NOT NULL CHECK (amount_fen >= 0),
    transfer_id uuid     NOT NULL,
    PRIMARY KEY (capture_id, line_no)
);

CREATE TABLE cardcore.refund (
    refund_id      uuid        PRIMARY KEY,
    order_id       uuid        NOT NULL,
    merchant_id    text        NOT NULL,
    out_refund_no  text        NOT NULL,
    amount_fen     bigint      NOT NULL CHECK (amount_fen > 0),
    reason         text        NOT NULL,
    client_id      text        NOT NULL,
    request_digest bytea       NOT NULL,
    business_on    date        NOT NULL,
    recorded_at    timestamptz NOT NULL,
    UNIQUE (merchant_id, out_refund_no)
);
CREATE INDEX refund_of_order ON cardcore.refund (order_id);
CREATE TABLE cardcore.refund_line (
    refund_id   uuid     NOT NULL,
    line_no     smallint NOT NULL,
    amount_fen  bigint   NOT NULL CHECK (amount_fen > 0),
    transfer_id uuid     NOT NULL,
    PRIMARY KEY (refund_id, line_no)
);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON cardcore.refund
    FOR EACH STATEMENT EXECUTE FUNCTION cardcore.refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON cardcore.refund_line
    FOR EACH STATEMENT EXECUTE FUNCTION cardcore.refuse_change();

-- Replay guard: the judge. A code is spent in the same transaction as its effect.
CREATE TABLE cardcore.used_code (
    replay_key bytea       PRIMARY KEY,
    order_id   uuid        NOT NULL,
    expires_at timestamptz NOT NULL
);

-- ---- platform --------------------------------------------------------------------------------

-- One row per idempotency key that had an effect, written in the transaction of the effect.
-- The answer is rebuilt from the immutable rows of the effect, so nothing is stored twice.
CREATE TABLE cardcore.idempotency (
    client_id      text        NOT NULL,
    key            text        NOT NULL,
    request_digest bytea       NOT NULL,
    effect_kind    text        NOT NULL,
    effect_id      uuid        NOT NULL,
    recorded_at    timestamptz NOT NULL,
    PRIMARY KEY (client_id, key)
);

CREATE TABLE cardcore.outbox (
    seq         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic       text        NOT NULL,
    subject_id  uuid        NOT NULL,
    recorded_at timestamptz NOT NULL,
    payload     jsonb       NOT NULL
);

CREATE TABLE cardcore.audit_event (
    seq         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    recorded_at timestamptz NOT NULL,
    client_id   text        NOT NULL,
    action      text        NOT NULL,
    object      text        NOT NULL,
    outcome     text        NOT NULL
);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON cardcore.audit_event
    FOR EACH STATEMENT EXECUTE FUNCTION cardcore.refuse_change();

-- ---- data that is policy, not code -----------------------------------------------------------

INSERT INTO cardcore.fund_kind (kind, regime, level_min, balance_fen_max, name_zh, name_en) VALUES
    ('purse',   'multi_purpose_prepaid_registered', 'real_name', 500000, '实名钱包', 'Registered purse'),
    ('transit', 'transit_prepaid',                  'phone',     100000, '公交钱包', 'Transit purse');

INSERT INTO cardcore.funding_plan (scene, position, kind) VALUES
    ('bus', 1, 'transit'), ('bus', 2, 'purse'),
    ('parking', 1, 'purse'), ('hospital', 1, 'purse'), ('scenic', 1, 'purse'), ('school', 1, 'purse'),
    ('venue', 1, 'purse'), ('community', 1, 'purse'), ('service_window', 1, 'purse');
