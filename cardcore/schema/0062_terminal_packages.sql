-- What terminals carry: parameters as data, and the versions of their packages.

-- Parameters by scene; the row of the empty scene holds for all others. Names and bounds as in
-- codes.terminal_parameters; tariff classes come from cardcore.tariff_class.
CREATE TABLE cardcore.terminal_parameters (
    scene      text  PRIMARY KEY,
    parameters jsonb NOT NULL CHECK (jsonb_typeof(parameters) = 'object')
);
INSERT INTO cardcore.terminal_parameters VALUES
    ('',          '{"skew_s": 30, "list_age_max_s": 7200, "stale_cap_fen": null}'),
    ('bus',       '{"skew_s": 30, "list_age_max_s": 7200, "stale_cap_fen": 500}'),
    ('community', '{"skew_s": 30, "list_age_max_s": 86400, "stale_cap_fen": 0}');

-- The last versions, so that changes can be composed for terminals that hold one of them.
-- content_digest is over what the package says, instants left out: the same content is not signed
-- again before refresh_at.
CREATE TABLE cardcore.terminal_package (
    scene          text        NOT NULL,
    version        integer     NOT NULL CHECK (version > 0),
    etag           text        NOT NULL UNIQUE CHECK (etag ~ '^[0-9a-f]{64}$'),
    content_digest bytea       NOT NULL CHECK (octet_length(content_digest) = 32),
    made_at        timestamptz NOT NULL,
    refresh_at     timestamptz NOT NULL,
    container      bytea       NOT NULL,
    PRIMARY KEY (scene, version)
);
