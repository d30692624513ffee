-- People in full: levels, further personal data, credentials, rights, what became of a person and
-- who looked at their data. What one person's life leaves behind is only ever added to.

-- ---- personal data -----------------------------------------------------------------------------

-- The wrapped data keys lie apart from what they seal: a copy of the sealed columns alone opens
-- nothing, and an erased person's key is gone while every row that names them by id stays.
CREATE TABLE cardcore.person_key (
    user_id          uuid  PRIMARY KEY REFERENCES cardcore.person,
    data_key_wrapped bytea NOT NULL
);
INSERT INTO cardcore.person_key (user_id, data_key_wrapped)
    SELECT user_id, data_key_wrapped FROM cardcore.person WHERE data_key_wrapped IS NOT NULL;
ALTER TABLE cardcore.person DROP COLUMN data_key_wrapped;

-- What is known of a person beside name and identity number. "identifies": who registers with this
-- value again is this person.
CREATE TABLE cardcore.personal_field (
    user_id     uuid        NOT NULL REFERENCES cardcore.person,
    field       text        NOT NULL CHECK (field IN ('phone', 'address', 'id_no')),
    sealed      bytea       NOT NULL,
    blind_index bytea,
    identifies  boolean     NOT NULL,
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (user_id, field),
    CHECK (NOT identifies OR blind_index IS NOT NULL)
);
CREATE UNIQUE INDEX personal_field_identifies ON cardcore.personal_field (field, blind_index)
    WHERE identifies;
CREATE INDEX personal_field_found ON cardcore.personal_field (field, blind_index)
    WHERE blind_index IS NOT NULL;

CREATE TABLE cardcore.data_access (
    seq         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    recorded_at timestamptz NOT NULL,
    user_id     uuid        NOT NULL,
    client_id   text        NOT NULL,
    operator    text,
    purpose     text        NOT NULL,
    fields      text[]      NOT NULL,
    in_clear    boolean     NOT NULL
);
CREATE INDEX data_access_of_user ON cardcore.data_access (user_id, seq);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON cardcore.data_access
    FOR EACH STATEMENT EXECUTE FUNCTION cardcore.refuse_change();

-- ---- life of a person --------------------------------------------------------------------------

-- What a level of registration allows; "rank" orders them.
CREATE TABLE cardcore.identity_level (
    level           text     PRIMARY KEY,
    rank            smallint NOT NULL UNIQUE,
    balance_fen_max bigint   NOT NULL CHECK (balance_fen_max > 0),
    name_zh         text     NOT NULL,
    name_en         text     NOT NULL
);
INSERT INTO cardcore.identity_level (level, rank, balance_fen_max, name_zh, name_en) VALUES
    ('anonymous', 0, 100000, '不记名', 'Anonymous'),
    ('phone',     1, 200000, '手机验证', 'Phone verified'),
    ('real_name', 2, 1000000, '实名', 'Real name');

INSERT INTO cardcore.fund_kind (kind, regime, level_min, balance_fen_max, name_zh, name_en) VALUES
    ('bearer', 'multi_purpose_prepaid_anonymous', 'anonymous', 100000, '不记名钱包', 'Bearer purse');
INSERT INTO cardcore.funding_plan (scene, position, kind) VALUES ('bus', 3, 'bearer');

ALTER TABLE cardcore.person DROP CONSTRAINT person_status_check;
ALTER TABLE cardcore.person ADD CONSTRAINT person_status_check
    CHECK (status IN ('active', 'frozen', 'deceased', 'closed', 'merged'));
ALTER TABLE cardcore.person ADD COLUMN merged_into uuid REFERENCES cardcore.person;
ALTER TABLE cardcore.person ADD COLUMN erased_at timestamptz;
ALTER TABLE cardcore.person ADD CONSTRAINT person_merged
    CHECK ((status = 'merged') = (merged_into IS NOT NULL));
CREATE INDEX person_merged_into ON cardcore.person (merged_into) WHERE merged_into IS NOT NULL;

-- Money that reaches a fund after it was merged away goes on to this one.
ALTER TABLE cardcore.fund ADD COLUMN moved_to uuid REFERENCES cardcore.fund;

CREATE TABLE cardcore.person_event (
    event_id    uuid        PRIMARY KEY,
    user_id     uuid        NOT NULL,
    kind        text        NOT NULL,
    object      text,
    reason      text        NOT NULL,
    note_sealed bytea,
    client_id   text        NOT NULL,
    operator    text,
    recorded_at timestamptz NOT NULL
);
CREATE INDEX person_event_of_user ON cardcore.person_event (user_id, recorded_at);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON cardcore.person_event
    FOR EACH STATEMENT EXECUTE FUNCTION cardcore.refuse_change();

-- Money that left a fund and waits in suspense until a channel has paid it out.
CREATE TABLE cardcore.payout_claim (
    claim_id     uuid        PRIMARY KEY,
    user_id      uuid        NOT NULL,
    amount_fen   bigint      NOT NULL CHECK (amount_fen > 0),
    reason       text        NOT NULL,
    payee_sealed bytea,
    status       text        NOT NULL CHECK (status IN ('open', 'paid')),
    channel      text,
    channel_no   text,
    recorded_at  timestamptz NOT NULL,
    paid_at      timestamptz,
    UNIQUE (channel, channel_no),
    CHECK ((status = 'paid') = (paid_at IS NOT NULL AND channel IS NOT NULL AND channel_no IS NOT NULL))
);
CREATE INDEX payout_claim_of_user ON cardcore.payout_claim (user_id);

-- ---- credentials -------------------------------------------------------------------------------

-- What a person presents beside cards. "token" is the alias in its codes; "label" a plate number.
CREATE TABLE cardcore.credential (
    credential_id  uuid        PRIMARY KEY,
    user_id        uuid        NOT NULL REFERENCES cardcore.person,
    kind           text        NOT NULL CHECK (kind IN ('device_key', 'printed_code', 'plate')),
    status         text        NOT NULL CHECK (status IN ('active', 'lost', 'frozen', 'replaced', 'closed')),
    token          bytea       UNIQUE,
    label_sealed   bytea,
    label_index    bytea,
    valid_from     timestamptz NOT NULL,
    valid_to       timestamptz,
    liability_from timestamptz,
    replaced_by    uuid        REFERENCES cardcore.credential,
    recorded_at    timestamptz NOT NULL,
    CHECK ((status = 'replaced') = (replaced_by IS NOT NULL))
);
CREATE INDEX credential_of_user ON cardcore.credential (user_id);
-- A car has one account; a plate that was given up may be bound again.
CREATE UNIQUE INDEX credential_plate ON cardcore.credential (label_index)
    WHERE kind = 'plate' AND status IN ('active', 'lost', 'frozen');

-- Why codes of this alias are refused although their person is active; NULL: they are not.
ALTER TABLE cardcore.code_token ADD COLUMN blocked text
    CHECK (blocked IN ('lost', 'frozen', 'replaced', 'closed'));

-- ---- rights ------------------------------------------------------------------------------------

-- Evidence may name a certificate that contains the identity number, so it is sealed. Rows of
-- before keep their text.
ALTER TABLE cardcore.entitlement ALTER COLUMN evidence DROP NOT NULL;
ALTER TABLE cardcore.entitlement ADD COLUMN evidence_sealed bytea;
ALTER TABLE cardcore.entitlement ADD COLUMN granted_by text;

-- A revoked entitlement leaves the table the rules read and lies here, as it was, for good.
CREATE TABLE cardcore.entitlement_revocation (
    entitlement_id  uuid        PRIMARY KEY,
    user_id         uuid        NOT NULL,
    class           text        NOT NULL,
    evidence_sealed bytea,
    granted_by      text,
    valid_from      date        NOT NULL,
    valid_to        date        NOT NULL,
    granted_at      timestamptz NOT NULL,
    reason          text        NOT NULL,
    client_id       text        NOT NULL,
    operator        text,
    recorded_at     timestamptz NOT NULL
);
CREATE INDEX entitlement_revocation_of_user ON cardcore.entitlement_revocation (user_id);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON cardcore.entitlement_revocation
    FOR EACH STATEMENT EXECUTE FUNCTION cardcore.refuse_change();

-- "payer_id" pays for "user_id" in these scenes, up to these limits.
CREATE TABLE cardcore.delegation (
    delegation_id   uuid        PRIMARY KEY,
    user_id         uuid        NOT NULL REFERENCES cardcore.person,
    payer_id        uuid        NOT NULL REFERENCES cardcore.person,
    kind            text        NOT NULL CHECK (kind IN ('guardian', 'agent')),
    scenes          text[]      NOT NULL CHECK (cardinality(scenes) > 0),
    order_fen_max   bigint      NOT NULL CHECK (order_fen_max > 0),
    day_fen_max     bigint      NOT NULL CHECK (day_fen_max >= order_fen_max),
    valid_from      timestamptz NOT NULL,
    valid_to        timestamptz NOT NULL,
    revoked_at      timestamptz,
    evidence_sealed bytea,
    client_id       text        NOT NULL,
    recorded_at     timestamptz NOT NULL,
    CHECK (user_id <> payer_id),
    CHECK (valid_from < valid_to)
);
CREATE INDEX delegation_of_user ON cardcore.delegation (user_id);
CREATE INDEX delegation_of_payer ON cardcore.delegation (payer_id);

CREATE TABLE cardcore.consent (
    consent_id  uuid        PRIMARY KEY,
    user_id     uuid        NOT NULL,
    purpose     text        NOT NULL,
    recipient   text        NOT NULL,
    scope       text[]      NOT NULL CHECK (cardinality(scope) > 0),
    valid_from  timestamptz NOT NULL,
    valid_to    timestamptz NOT NULL,
    evidence    text        NOT NULL,
    client_id   text        NOT NULL,
    recorded_at timestamptz NOT NULL,
    CHECK (valid_from < valid_to)
);
CREATE INDEX consent_of_user ON cardcore.consent (user_id);
CREATE TABLE cardcore.consent_withdrawal (
    consent_id  uuid        PRIMARY KEY REFERENCES cardcore.consent,
    client_id   text        NOT NULL,
    recorded_at timestamptz NOT NULL
);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON cardcore.consent
    FOR EACH STATEMENT EXECUTE FUNCTION cardcore.refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON cardcore.consent_withdrawal
    FOR EACH STATEMENT EXECUTE FUNCTION cardcore.refuse_change();
