-- Enrolment of terminals: activation codes and the history of their keys.

-- The one activation code a terminal may be enrolled with now; a new one takes the place of the old.
-- Only its SHA-256 is kept: who reads this table cannot enrol anything.
CREATE TABLE cardcore.terminal_activation (
    terminal_id text        PRIMARY KEY REFERENCES cardcore.terminal,
    code_digest bytea       NOT NULL CHECK (octet_length(code_digest) = 32),
    issued_by   text        NOT NULL,
    recorded_at timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL,
    used_at     timestamptz,
    wrong_count smallint    NOT NULL DEFAULT 0 CHECK (wrong_count >= 0)
);

-- Every key a terminal ever signed with. A retired key still verifies the records it signed; after
-- revoked_at its records are looked at by a person. "suite" is the first byte of a record's suite.
CREATE TABLE cardcore.terminal_key (
    terminal_id text        NOT NULL REFERENCES cardcore.terminal,
    kid         smallint    NOT NULL CHECK (kid BETWEEN 0 AND 255),
    suite       smallint    NOT NULL CHECK (suite IN (16, 32, 48)),
    public_key  bytea       NOT NULL CHECK (octet_length(public_key) IN (32, 33)),
    enrolled_at timestamptz NOT NULL,
    retired_at  timestamptz CHECK (retired_at >= enrolled_at),
    revoked_at  timestamptz,
    PRIMARY KEY (terminal_id, kid)
);
CREATE UNIQUE INDEX terminal_key_current ON cardcore.terminal_key (terminal_id) WHERE retired_at IS NULL;

-- What a key's signatures are believed for: codes, lists, packages. One key has one kind of use.
ALTER TABLE cardcore.issuer_key ADD COLUMN uses text[] NOT NULL DEFAULT '{codes}'
    CHECK (uses <@ '{codes,lists,packages}' AND cardinality(uses) > 0);
