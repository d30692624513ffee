-- Seals: at the end of a business day the batches since the last seal are put under one root,
-- and the root under a signature whose key never leaves the security module.

CREATE TABLE ledger.seal (
    number    bigint PRIMARY KEY CHECK (number > 0),
    day       date   NOT NULL,
    sealed_at bigint NOT NULL,
    previous  bytea  NOT NULL CHECK (octet_length(previous) = 32),
    root      bytea  NOT NULL CHECK (octet_length(root) = 32),
    batches   bigint NOT NULL CHECK (batches > 0),
    key_label text   NOT NULL,
    signature bytea  NOT NULL
);

-- Which batches of which shard a seal covers.
CREATE TABLE ledger.seal_range (
    seal         bigint   NOT NULL REFERENCES ledger.seal,
    shard        smallint NOT NULL,
    first_number bigint   NOT NULL CHECK (first_number > 0),
    last_number  bigint   NOT NULL CHECK (last_number >= first_number),
    PRIMARY KEY (seal, shard),
    UNIQUE (shard, first_number)
);

-- The limit of an account is the one thing about it that the bank may change.
CREATE TABLE ledger.overdraft_change (
    account     uuid   NOT NULL,
    "timestamp" bigint NOT NULL,
    from_limit  bigint NOT NULL,
    to_limit    bigint NOT NULL CHECK (to_limit >= 0),
    reason      text   NOT NULL,
    PRIMARY KEY (account, "timestamp")
);

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.seal
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.seal_range
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.overdraft_change
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
