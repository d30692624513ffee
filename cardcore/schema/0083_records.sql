-- What terminals bring back: records, doubts about them, gaps, cases, arrears.

-- Every record whose signature is its terminal's, once. "liability" says whose loss it is where
-- nothing could be charged.
CREATE TABLE cardcore.terminal_record (
    record_id    uuid        PRIMARY KEY,
    terminal_id  text        NOT NULL,
    kid          smallint    NOT NULL,
    sequence_no  bigint      NOT NULL CHECK (sequence_no BETWEEN 1 AND 4294967295),
    digest       bytea       NOT NULL CHECK (octet_length(digest) = 32),
    state        text        NOT NULL CHECK (state IN ('booked', 'review')),
    reason       text,
    liability    text        CHECK (liability IN ('citizen', 'merchant', 'issuer')),
    order_id     uuid,
    token        bytea,
    replay_key   bytea,
    made_at_s    bigint,
    counter      integer,
    amount_fen   bigint      NOT NULL CHECK (amount_fen >= 0),
    occurred_at  timestamptz NOT NULL,
    recorded_at  timestamptz NOT NULL,
    list_version bigint      NOT NULL,
    record       bytea       NOT NULL,
    CHECK ((state = 'review') = (reason IS NOT NULL))
);
CREATE INDEX terminal_record_of_terminal ON cardcore.terminal_record (terminal_id, kid, sequence_no);
CREATE INDEX terminal_record_of_token ON cardcore.terminal_record (token) WHERE token IS NOT NULL;
CREATE INDEX terminal_record_in_review ON cardcore.terminal_record (recorded_at) WHERE state = 'review';
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON cardcore.terminal_record
    FOR EACH STATEMENT EXECUTE FUNCTION cardcore.refuse_change();

-- Bytes that are no record of the terminal that sent them; kept once, as they came.
CREATE TABLE cardcore.record_quarantine (
    digest      bytea       PRIMARY KEY CHECK (octet_length(digest) = 32),
    terminal_id text        NOT NULL,
    reason      text        NOT NULL,
    recorded_at timestamptz NOT NULL,
    content     bytea       NOT NULL
);

-- How far a terminal's chain has come under one key, and which numbers are missing below.
CREATE TABLE cardcore.record_chain (
    terminal_id  text     NOT NULL,
    kid          smallint NOT NULL,
    highest_no   bigint   NOT NULL,
    gaps         jsonb    NOT NULL,
    clock_skew_ms bigint  NOT NULL,
    list_version bigint   NOT NULL,
    list_age_s   bigint   NOT NULL,
    heard_at     timestamptz NOT NULL,
    PRIMARY KEY (terminal_id, kid)
);

-- Something two records prove, or one of them claims, that a person must look at.
CREATE TABLE cardcore.record_case (
    case_id      uuid        PRIMARY KEY,
    kind         text        NOT NULL,
    terminal_id  text        NOT NULL,
    record_id    uuid        NOT NULL,
    other_id     uuid,
    status       text        NOT NULL CHECK (status IN ('open', 'closed')),
    recorded_at  timestamptz NOT NULL
);
CREATE INDEX record_case_open ON cardcore.record_case (recorded_at) WHERE status = 'open';

-- What a person may owe for rides a terminal accepted while their money had gone.
ALTER TABLE cardcore.offline_limit ADD COLUMN arrears_fen_max integer NOT NULL DEFAULT 0
    CHECK (arrears_fen_max >= 0);
UPDATE cardcore.offline_limit SET arrears_fen_max = cumulative_cap_fen WHERE code_class = 'D';

CREATE TABLE cardcore.arrears (
    order_id    uuid        NOT NULL,
    line_no     smallint    NOT NULL,
    user_id     uuid        NOT NULL,
    merchant_id text        NOT NULL,
    amount_fen  bigint      NOT NULL CHECK (amount_fen > 0),
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (order_id, line_no)
);
CREATE INDEX arrears_of_user ON cardcore.arrears (user_id);
