-- Money through payment channels, in two steps each: the channel is not in our transaction.

-- A citizen means to pay in. "paid" once, whoever says so and however often.
CREATE TABLE cardcore.topup_intent (
    intent_id   uuid        PRIMARY KEY,
    user_id     uuid        NOT NULL,
    fund_id     uuid        NOT NULL REFERENCES cardcore.fund,
    amount_fen  bigint      NOT NULL CHECK (amount_fen > 0),
    channel     text        NOT NULL,
    status      text        NOT NULL CHECK (status IN ('open', 'paid', 'failed')),
    reason      text,
    channel_no  text,
    landed      text        CHECK (landed IN ('fund', 'claim')),
    client_id   text        NOT NULL,
    recorded_at timestamptz NOT NULL,
    resolved_at timestamptz,
    UNIQUE (channel, channel_no),
    CHECK ((status = 'paid') = (landed IS NOT NULL)),
    CHECK ((status = 'open') = (resolved_at IS NULL)),
    CHECK (status <> 'paid' OR channel_no IS NOT NULL)
);
CREATE INDEX topup_intent_open ON cardcore.topup_intent (recorded_at) WHERE status = 'open';

-- A citizen takes money out: held in the ledger until the channel has paid or refused.
CREATE TABLE cardcore.withdrawal (
    withdrawal_id uuid        PRIMARY KEY,
    user_id       uuid        NOT NULL,
    fund_id       uuid        NOT NULL REFERENCES cardcore.fund,
    amount_fen    bigint      NOT NULL CHECK (amount_fen > 0),
    channel       text        NOT NULL,
    payee_sealed  bytea       NOT NULL,
    status        text        NOT NULL CHECK (status IN ('held', 'paid', 'refused')),
    reason        text,
    channel_no    text,
    client_id     text        NOT NULL,
    business_on   date        NOT NULL,
    recorded_at   timestamptz NOT NULL,
    resolved_at   timestamptz,
    UNIQUE (channel, channel_no),
    CHECK ((status = 'held') = (resolved_at IS NULL)),
    CHECK ((status = 'paid') = (channel_no IS NOT NULL))
);
CREATE INDEX withdrawal_held ON cardcore.withdrawal (recorded_at) WHERE status = 'held';
CREATE INDEX withdrawal_of_fund ON cardcore.withdrawal (fund_id, business_on);
