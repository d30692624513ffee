-- Ride codes of other cities: who issued them, what they paid for, and the files their issuers get.

-- Roots are believed because they are here, never because of what a code says of itself.
CREATE TABLE cardcore.foreign_root (
    root_index  smallint    PRIMARY KEY CHECK (root_index BETWEEN 0 AND 255),
    public_key  bytea       NOT NULL CHECK (length(public_key) = 33),
    recorded_by text        NOT NULL,
    recorded_at timestamptz NOT NULL
);

-- "concessions": the classes of concession that the city's bus rules grant to card types of theirs.
CREATE TABLE cardcore.foreign_issuer (
    issuer        text        PRIMARY KEY CHECK (issuer ~ '^[0-9a-f]{8}$'),
    name_zh       text        NOT NULL,
    name_en       text        NOT NULL,
    concessions   jsonb       NOT NULL,
    receivable_id uuid        NOT NULL,
    recorded_by   text        NOT NULL,
    recorded_at   timestamptz NOT NULL
);

-- The account number is the issuer's customer's: sealed, opened for the issuer's file alone.
CREATE TABLE cardcore.foreign_ride (
    ride_id        uuid        PRIMARY KEY,
    issuer         text        NOT NULL REFERENCES cardcore.foreign_issuer,
    account_sealed bytea       NOT NULL,
    merchant_id    text        NOT NULL,
    terminal_id    text        NOT NULL,
    out_trade_no   text        NOT NULL,
    nominal_fen    bigint      NOT NULL CHECK (nominal_fen >= 0),
    issuer_fen     bigint      NOT NULL CHECK (issuer_fen BETWEEN 0 AND nominal_fen),
    lines          jsonb       NOT NULL,
    details        jsonb       NOT NULL,
    code_digest    bytea       NOT NULL,
    generated_at   timestamptz NOT NULL,
    business_on    date        NOT NULL,
    occurred_at    timestamptz NOT NULL,
    recorded_at    timestamptz NOT NULL,
    UNIQUE (merchant_id, out_trade_no)
);
CREATE INDEX foreign_ride_of_day ON cardcore.foreign_ride (issuer, business_on);

CREATE TABLE cardcore.foreign_clearing_file (
    file_id     uuid        PRIMARY KEY,
    issuer      text        NOT NULL REFERENCES cardcore.foreign_issuer,
    business_on date        NOT NULL,
    rides_count integer     NOT NULL CHECK (rides_count >= 0),
    sum_fen     bigint      NOT NULL CHECK (sum_fen >= 0),
    content     bytea       NOT NULL,
    sha256      bytea       NOT NULL,
    signature   bytea       NOT NULL,
    made_at     timestamptz NOT NULL,
    UNIQUE (issuer, business_on)
);

-- A ride lies in exactly one file.
CREATE TABLE cardcore.foreign_clearing_ride (
    ride_id uuid PRIMARY KEY REFERENCES cardcore.foreign_ride,
    file_id uuid NOT NULL REFERENCES cardcore.foreign_clearing_file
);

DO $$
DECLARE name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['foreign_root', 'foreign_issuer', 'foreign_ride', 'foreign_clearing_file', 'foreign_clearing_ride'] LOOP
        EXECUTE format(
            'CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON cardcore.%I '
            'FOR EACH STATEMENT EXECUTE FUNCTION cardcore.refuse_change()', name);
    END LOOP;
END $$;
