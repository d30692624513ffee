-- Disputes: what a citizen says should not have been paid, who answered what, and where the money
-- stands meanwhile.

-- Days from the opening: until when the merchant may answer, when the citizen is credited at the
-- latest while nothing is decided, and until when the card centre decides.
CREATE TABLE cardcore.dispute_rule (
    reason       text    PRIMARY KEY,
    respond_days integer NOT NULL CHECK (respond_days > 0),
    credit_days  integer NOT NULL CHECK (credit_days >= 0),
    decide_days  integer NOT NULL CHECK (decide_days > respond_days)
);
INSERT INTO cardcore.dispute_rule (reason, respond_days, credit_days, decide_days) VALUES
    ('not_recognised', 7, 10, 45), ('charged_twice', 5, 5, 30), ('wrong_amount', 7, 10, 45),
    ('not_delivered', 7, 10, 45), ('refund_missing', 5, 10, 30);

CREATE TABLE cardcore.dispute (
    dispute_id      uuid        PRIMARY KEY,
    order_id        uuid        NOT NULL REFERENCES cardcore.business_order,
    merchant_id     text        NOT NULL,
    user_id         uuid        NOT NULL,
    reason          text        NOT NULL REFERENCES cardcore.dispute_rule,
    amount_fen      bigint      NOT NULL CHECK (amount_fen > 0),
    status          text        NOT NULL CHECK (
        status IN ('open', 'contested', 'for_citizen', 'for_merchant', 'withdrawn')),
    credited_fen    bigint      NOT NULL DEFAULT 0 CHECK (credited_fen IN (0, amount_fen)),
    recovered_fen   bigint      NOT NULL DEFAULT 0 CHECK (recovered_fen BETWEEN 0 AND credited_fen),
    borne_by        text        CHECK (borne_by IN ('merchant', 'citizen')),
    opened_at       timestamptz NOT NULL,
    respond_by      timestamptz NOT NULL,
    credit_by       timestamptz NOT NULL,
    decide_by       timestamptz NOT NULL,
    evidence        jsonb       NOT NULL,
    evidence_digest bytea       NOT NULL CHECK (octet_length(evidence_digest) = 32),
    CHECK (status <> 'for_citizen' OR (borne_by = 'merchant' AND credited_fen = amount_fen)),
    CHECK (status NOT IN ('open', 'contested') OR borne_by IS NULL),
    CHECK (recovered_fen = 0 OR borne_by IS NOT NULL)
);
CREATE INDEX dispute_of_order ON cardcore.dispute (order_id);
CREATE INDEX dispute_of_user ON cardcore.dispute (user_id) WHERE status IN ('open', 'contested');
CREATE INDEX dispute_undecided ON cardcore.dispute (decide_by) WHERE status IN ('open', 'contested');
CREATE INDEX dispute_owed ON cardcore.dispute (dispute_id)
    WHERE borne_by IS NOT NULL AND recovered_fen < credited_fen;

CREATE TABLE cardcore.dispute_line (
    dispute_id uuid     NOT NULL REFERENCES cardcore.dispute,
    line_no    smallint NOT NULL,
    amount_fen bigint   NOT NULL CHECK (amount_fen > 0),
    PRIMARY KEY (dispute_id, line_no)
);

-- Each step with how the dispute stood after it: the answer to a repeated request is read from here.
CREATE TABLE cardcore.dispute_event (
    event_id            uuid        PRIMARY KEY,
    seq                 bigint      GENERATED ALWAYS AS IDENTITY UNIQUE,
    dispute_id          uuid        NOT NULL REFERENCES cardcore.dispute,
    step                text        NOT NULL,
    client_id           text        NOT NULL,
    grounds             text,
    reference           text,
    status_after        text        NOT NULL,
    credited_after_fen  bigint      NOT NULL,
    recovered_after_fen bigint      NOT NULL,
    borne_by_after      text,
    recorded_at         timestamptz NOT NULL
);
CREATE INDEX dispute_event_of_dispute ON cardcore.dispute_event (dispute_id, seq);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON cardcore.dispute_line
    FOR EACH STATEMENT EXECUTE FUNCTION cardcore.refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON cardcore.dispute_event
    FOR EACH STATEMENT EXECUTE FUNCTION cardcore.refuse_change();
