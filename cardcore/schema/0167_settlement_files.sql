-- What a merchant can prove of a settlement: its file, signed.

-- A merchant's file of a window. A correction is the next version; every version stays.
CREATE TABLE cardcore.settlement_file (
    number      bigint      NOT NULL,
    merchant_id text        NOT NULL,
    version     integer     NOT NULL CHECK (version > 0),
    rows        bigint      NOT NULL CHECK (rows >= 0),
    sum_fen     bigint      NOT NULL,
    content     bytea       NOT NULL,
    sha256      bytea       NOT NULL CHECK (sha256 = sha256(content)),
    root        bytea       NOT NULL CHECK (octet_length(root) = 32),
    head        text        NOT NULL,  -- what is signed
    signature   bytea       NOT NULL,
    made_at     timestamptz NOT NULL,
    PRIMARY KEY (number, merchant_id, version),
    FOREIGN KEY (number, merchant_id) REFERENCES cardcore.settlement_statement
);

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON cardcore.settlement_file
    FOR EACH STATEMENT EXECUTE FUNCTION cardcore.refuse_change();
