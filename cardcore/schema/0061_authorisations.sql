-- What phones may do off-line and what is printed: limits as data, status indices, authorisations.

-- What a level of registration may be given, by class of code. Caps in fen; a code's own field holds
-- them in units of 10 fen. living_max: how many of one person may be valid at one time.
CREATE TABLE cardcore.offline_limit (
    level              text     NOT NULL,
    code_class         text     NOT NULL CHECK (code_class IN ('D', 'P')),
    validity_min       integer  NOT NULL CHECK (validity_min > 0),
    cap_fen            integer  NOT NULL CHECK (cap_fen BETWEEN 0 AND 655350 AND cap_fen % 10 = 0),
    cumulative_cap_fen integer  NOT NULL CHECK (cumulative_cap_fen BETWEEN 0 AND 655350 AND cumulative_cap_fen % 10 = 0),
    uses_max           smallint NOT NULL CHECK (uses_max BETWEEN 0 AND 255),
    dynamic_ttl_s      smallint NOT NULL CHECK (dynamic_ttl_s BETWEEN 15 AND 60),
    living_max         smallint NOT NULL CHECK (living_max > 0),
    PRIMARY KEY (level, code_class),
    CHECK (code_class = 'P' OR validity_min <= 10080)
);
INSERT INTO cardcore.offline_limit VALUES
    ('anonymous', 'D',   1440,  1000,  3000, 10, 30, 1),
    ('phone',     'D',   4320,  2000, 10000, 30, 30, 2),
    ('real_name', 'D',  10080,  5000, 20000, 60, 30, 3),
    ('real_name', 'P', 525600, 10000,     0,  0, 30, 2);

-- What the five bits of a code's tariff class mean. Only a hint for terminals: the register decides.
-- Of several concessions a person holds, the lowest number is put into the code.
CREATE TABLE cardcore.tariff_class (
    tariff_class smallint PRIMARY KEY CHECK (tariff_class BETWEEN 0 AND 31),
    concession   text     NOT NULL UNIQUE,
    name_zh      text     NOT NULL,
    name_en      text     NOT NULL
);
INSERT INTO cardcore.tariff_class VALUES
    (0, '',            '普通',             'standard'),
    (1, 'senior_65',   '65岁以上老年人',   'aged 65+'),
    (2, 'disabled',    '残疾人',           'disabled person'),
    (3, 'soldier',     '现役军人',         'serving soldier'),
    (4, 'blood_donor', '无偿献血荣誉者',   'honoured blood donor'),
    (5, 'senior',      '60至64岁老年人',   'aged 60 to 64'),
    (6, 'student',     '在校学生',         'student in term');

-- How long an issuer's status list is; it only ever grows.
CREATE TABLE cardcore.status_space (
    issuer_id   integer PRIMARY KEY,
    entry_count integer NOT NULL CHECK (entry_count BETWEEN 1 AND 67108864)
);

-- Indices given out. Drawn at random, so that neighbours on the list say nothing of each other.
-- Free again once nothing that bears the index could be accepted any more.
CREATE TABLE cardcore.status_index (
    issuer_id    integer     NOT NULL,
    status_index integer     NOT NULL CHECK (status_index >= 0),
    expires_at   timestamptz NOT NULL,
    PRIMARY KEY (issuer_id, status_index)
);
CREATE INDEX status_index_expiry ON cardcore.status_index (expires_at);

-- Class D authorisations and printed codes. Whose alias it is, and whether it is blocked, stands in
-- code_token; revoked_at is the instant from which its holder is not liable any more.
CREATE TABLE cardcore.code_authorisation (
    token              bytea       PRIMARY KEY,
    user_id            uuid        NOT NULL,
    code_class         text        NOT NULL CHECK (code_class IN ('D', 'P')),
    issuer_id          integer     NOT NULL,
    status_index       integer     NOT NULL,
    device_key         bytea,
    cumulative_cap_fen integer     NOT NULL,
    issued_at          timestamptz NOT NULL,
    ends_at            timestamptz NOT NULL,
    revoked_at         timestamptz,
    expires_at         timestamptz NOT NULL,
    CHECK ((code_class = 'D') = (device_key IS NOT NULL)),
    CHECK (issued_at < ends_at AND ends_at <= expires_at)
);
CREATE INDEX code_authorisation_of_user ON cardcore.code_authorisation (user_id);
CREATE INDEX code_authorisation_expiry ON cardcore.code_authorisation (expires_at);
