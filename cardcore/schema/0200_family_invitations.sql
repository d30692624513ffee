-- One person offers to pay for another, or asks them to: a one-time code that the other one accepts.

-- When the app last saw the person prove who they are; acts that bind money need one of these minutes.
ALTER TABLE cardcore.host_code ADD COLUMN authenticated_at timestamptz;
ALTER TABLE cardcore.citizen_session ADD COLUMN authenticated_at timestamptz;

-- The terms are the inviter's; a delegation begins when the other one accepts them. Of the code its
-- digest alone is kept.
CREATE TABLE cardcore.delegation_invitation (
    invitation_id uuid        PRIMARY KEY,
    code_digest   bytea       NOT NULL UNIQUE CHECK (octet_length(code_digest) = 32),
    inviter_id    uuid        NOT NULL REFERENCES cardcore.person,
    inviter_pays  boolean     NOT NULL,
    kind          text        NOT NULL CHECK (kind IN ('guardian', 'agent')),
    scenes        text[]      NOT NULL CHECK (cardinality(scenes) > 0),
    use           text        NOT NULL CHECK (use IN ('first', 'when_short', 'when_asked')),
    order_fen_max bigint      NOT NULL CHECK (order_fen_max > 0),
    day_fen_max   bigint      NOT NULL CHECK (day_fen_max >= order_fen_max),
    month_fen_max bigint      CHECK (month_fen_max >= day_fen_max),
    valid_to      timestamptz NOT NULL,
    made_at       timestamptz NOT NULL,
    expires_at    timestamptz NOT NULL CHECK (made_at < expires_at),
    withdrawn_at  timestamptz,
    accepted_at   timestamptz,
    delegation_id uuid        REFERENCES cardcore.delegation,
    CHECK ((accepted_at IS NULL) = (delegation_id IS NULL)),
    CHECK (withdrawn_at IS NULL OR accepted_at IS NULL)
);
CREATE INDEX delegation_invitation_of ON cardcore.delegation_invitation (inviter_id);
