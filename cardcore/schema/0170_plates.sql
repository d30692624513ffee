-- Whose car a plate is on, proven or only said; and paying back a credit line out of one's own fund.

-- The newest row says how a plate stands; none: it is only said to be theirs. What was shown may
-- contain a name, so it is sealed under the person's key.
CREATE TABLE cardcore.plate_proof (
    proof_id        uuid        PRIMARY KEY,
    credential_id   uuid        NOT NULL REFERENCES cardcore.credential,
    state           text        NOT NULL CHECK (state IN ('proven', 'withdrawn')),
    method          text        CHECK (method IN ('vehicle_licence', 'vehicle_register', 'sale_contract')),
    evidence_sealed bytea,
    client_id       text        NOT NULL,
    operator        text,
    recorded_at     timestamptz NOT NULL,
    CHECK ((state = 'proven') = (method IS NOT NULL AND evidence_sealed IS NOT NULL))
);
CREATE INDEX plate_proof_of_credential ON cardcore.plate_proof (credential_id, proof_id);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON cardcore.plate_proof
    FOR EACH STATEMENT EXECUTE FUNCTION cardcore.refuse_change();

CREATE TABLE cardcore.credit_repayment (
    repayment_id   uuid        PRIMARY KEY,
    user_id        uuid        NOT NULL,
    fund_id        uuid        NOT NULL REFERENCES cardcore.fund,
    source_fund_id uuid        NOT NULL REFERENCES cardcore.fund,
    amount_fen     bigint      NOT NULL CHECK (amount_fen > 0),
    owed_fen       bigint      NOT NULL CHECK (owed_fen >= 0),
    client_id      text        NOT NULL,
    business_on    date        NOT NULL,
    recorded_at    timestamptz NOT NULL
);
CREATE INDEX credit_repayment_of_user ON cardcore.credit_repayment (user_id, repayment_id);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON cardcore.credit_repayment
    FOR EACH STATEMENT EXECUTE FUNCTION cardcore.refuse_change();
