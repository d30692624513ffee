-- Operators and their sessions, what needs a second pair of eyes, clients' second keys, epochs of
-- the key that signs access tokens, and citizens' sessions.

CREATE TABLE cardcore.operator (
    operator_id  text        PRIMARY KEY CHECK (operator_id ~ '^[a-z][a-z0-9_.-]{1,31}$'),
    name         text        NOT NULL,
    roles        text[]      NOT NULL,
    password     text        NOT NULL,
    totp_sealed  bytea       NOT NULL,
    totp_step    bigint      NOT NULL DEFAULT 0,
    failures     integer     NOT NULL DEFAULT 0 CHECK (failures >= 0),
    locked_until timestamptz,
    status       text        NOT NULL CHECK (status IN ('active', 'disabled')),
    recorded_at  timestamptz NOT NULL
);

-- Only digests of tokens: whoever reads the table cannot enter with it.
CREATE TABLE cardcore.operator_session (
    token_digest bytea       PRIMARY KEY CHECK (octet_length(token_digest) = 32),
    csrf_digest  bytea       NOT NULL CHECK (octet_length(csrf_digest) = 32),
    operator_id  text        NOT NULL REFERENCES cardcore.operator,
    opened_at    timestamptz NOT NULL,
    seen_at      timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL
);
CREATE INDEX operator_session_of ON cardcore.operator_session (operator_id);

CREATE TABLE cardcore.proposal (
    proposal_id uuid        PRIMARY KEY,
    kind        text        NOT NULL,
    content     jsonb       NOT NULL,
    digest      bytea       NOT NULL CHECK (octet_length(digest) = 32),
    purpose     text        NOT NULL CHECK (purpose <> ''),
    proposed_by text        NOT NULL,
    proposed_at timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL,
    status      text        NOT NULL CHECK (status IN ('open', 'approved', 'rejected', 'withdrawn')),
    decided_by  text,
    decided_at  timestamptz,
    CHECK ((status = 'open') = (decided_by IS NULL)),
    CHECK ((status = 'open') = (decided_at IS NULL)),
    -- Four eyes, whatever the program does.
    CHECK (status NOT IN ('approved', 'rejected') OR decided_by <> proposed_by),
    CHECK (status <> 'withdrawn' OR decided_by = proposed_by)
);
CREATE INDEX proposal_open ON cardcore.proposal (proposed_at) WHERE status = 'open';

CREATE FUNCTION cardcore.keep_proposal() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.status <> 'open' OR (NEW.proposal_id, NEW.kind, NEW.content, NEW.digest, NEW.purpose,
        NEW.proposed_by, NEW.proposed_at) IS DISTINCT FROM (OLD.proposal_id, OLD.kind, OLD.content,
        OLD.digest, OLD.purpose, OLD.proposed_by, OLD.proposed_at) THEN
        RAISE EXCEPTION 'a proposal is decided once and never edited';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER decided_once BEFORE UPDATE ON cardcore.proposal
    FOR EACH ROW EXECUTE FUNCTION cardcore.keep_proposal();
CREATE TRIGGER never_deleted BEFORE DELETE OR TRUNCATE ON cardcore.proposal
    FOR EACH STATEMENT EXECUTE FUNCTION cardcore.refuse_change();

-- While a client changes its key, the former one is good until then.
ALTER TABLE cardcore.client ADD COLUMN former_public_key jsonb;
ALTER TABLE cardcore.client ADD COLUMN former_until timestamptz;
ALTER TABLE cardcore.client ADD CHECK ((former_public_key IS NULL) = (former_until IS NULL));

-- The keys themselves are derived in the security module from the epoch's number.
CREATE TABLE cardcore.access_epoch (
    epoch      integer     PRIMARY KEY CHECK (epoch > 0),
    made_at    timestamptz NOT NULL,
    retired_at timestamptz
);
INSERT INTO cardcore.access_epoch (epoch, made_at) VALUES (1, now());

CREATE TABLE cardcore.host_code (
    code_digest bytea       PRIMARY KEY CHECK (octet_length(code_digest) = 32),
    client_id   text        NOT NULL REFERENCES cardcore.client,
    user_id     uuid        NOT NULL,
    made_at     timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL,
    used_at     timestamptz
);

CREATE TABLE cardcore.citizen_session (
    token_digest bytea       PRIMARY KEY CHECK (octet_length(token_digest) = 32),
    csrf_digest  bytea       NOT NULL CHECK (octet_length(csrf_digest) = 32),
    user_id      uuid        NOT NULL,
    client_id    text        NOT NULL,
    opened_at    timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL
);
CREATE INDEX citizen_session_of ON cardcore.citizen_session (user_id);
