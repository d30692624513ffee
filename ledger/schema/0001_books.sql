-- The books: accounts, transfers, how holds ended, the shards that write, their batches.
-- PostgreSQL is the second judge here: a rule that the engine enforces is stated again as a
-- CHECK, a UNIQUE or a trigger, so that one bug is not enough to create money.

CREATE SCHEMA ledger;

-- A writer claims one shard. The row is locked by every batch of that shard, which is what makes
-- its batch numbers gap-free in commit order.
CREATE TABLE ledger.shard (
    shard          smallint PRIMARY KEY CHECK (shard >= 0),
    batch_number   bigint NOT NULL DEFAULT 0 CHECK (batch_number >= 0),
    last_timestamp bigint NOT NULL DEFAULT 0 CHECK (last_timestamp >= 0),
    chain          bytea  NOT NULL DEFAULT '\x0000000000000000000000000000000000000000000000000000000000000000'
                   CHECK (octet_length(chain) = 32),
    closed_through date   -- business days up to this one take no more transfers
) WITH (fillfactor = 10);

-- number: short surrogate used inside the database only; id: chosen by the caller.
-- The columns that change lie together, so that the log of an update stays short.
CREATE TABLE ledger.account (
    number          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id              uuid     NOT NULL CONSTRAINT account_id_key UNIQUE,
    debits_pending  bigint   NOT NULL DEFAULT 0 CHECK (debits_pending >= 0),
    debits_posted   bigint   NOT NULL DEFAULT 0 CHECK (debits_posted >= 0),
    credits_pending bigint   NOT NULL DEFAULT 0 CHECK (credits_pending >= 0),
    credits_posted  bigint   NOT NULL DEFAULT 0 CHECK (credits_posted >= 0),
    last_timestamp  bigint   NOT NULL,
    closed          boolean  NOT NULL,
    "timestamp"     bigint   NOT NULL CHECK ("timestamp" > 0),
    overdraft_limit bigint   NOT NULL DEFAULT 0 CHECK (overdraft_limit >= 0),
    user_data_64    bigint,
    user_data_32    integer,
    ledger          integer  NOT NULL CHECK (ledger <> 0),
    code            smallint NOT NULL CHECK (code <> 0),
    flags           smallint NOT NULL CHECK (flags & 6 <> 6 AND flags & ~15 = 0),
    shard           smallint NOT NULL,
    user_data_128   uuid,
    -- The overdraft limit counts pending, as the engine does.
    CONSTRAINT debits_within_credits CHECK (
        flags & 2 = 0
        OR debits_pending::numeric + debits_posted <= credits_posted::numeric + overdraft_limit),
    CONSTRAINT credits_within_debits CHECK (
        flags & 4 = 0
        OR credits_pending::numeric + credits_posted <= debits_posted::numeric + overdraft_limit)
) WITH (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.05);

CREATE INDEX account_timestamp ON ledger.account ("timestamp");
CREATE INDEX account_user_data_128 ON ledger.account (user_data_128, "timestamp")
    WHERE user_data_128 IS NOT NULL;
CREATE INDEX account_user_data_64 ON ledger.account (user_data_64, "timestamp")
    WHERE user_data_64 IS NOT NULL;

-- One append-only row per transfer, with the four counters of both accounts after it.
-- Partitioned by month of the timestamp (ns since 1970, UTC).
CREATE TABLE ledger.transfer (
    "timestamp"            bigint   NOT NULL CHECK ("timestamp" > 0),
    amount                 bigint   NOT NULL CHECK (amount >= 0),
    debit_account          bigint   NOT NULL,
    credit_account         bigint   NOT NULL,
    debit_debits_posted    bigint   NOT NULL CHECK (debit_debits_posted >= 0),
    debit_credits_posted   bigint   NOT NULL CHECK (debit_credits_posted >= 0),
    credit_debits_posted   bigint   NOT NULL CHECK (credit_debits_posted >= 0),
    credit_credits_posted  bigint   NOT NULL CHECK (credit_credits_posted >= 0),
    id                     uuid     NOT NULL,
    ledger                 integer  NOT NULL CHECK (ledger <> 0),
    effective_on           date     NOT NULL,
    code                   smallint NOT NULL CHECK (code <> 0),
    flags                  smallint NOT NULL CHECK (flags & ~255 = 0),
    shard                  smallint NOT NULL,
    -- Absent values cost nothing: NULL where the value is zero.
    debit_debits_pending   bigint CHECK (debit_debits_pending > 0),
    debit_credits_pending  bigint CHECK (debit_credits_pending > 0),
    credit_debits_pending  bigint CHECK (credit_debits_pending > 0),
    credit_credits_pending bigint CHECK (credit_credits_pending > 0),
    timeout                integer,
    user_data_32           integer,
    user_data_64           bigint,
    effective_at           bigint,
    pending_id             uuid,
    user_data_128          uuid,
    reverses_id            uuid,
    CHECK (timeout IS NULL OR flags & 2 <> 0),
    CHECK (debit_account <> credit_account),
    CHECK ((flags & 12 <> 0) = (pending_id IS NOT NULL))
) PARTITION BY RANGE ("timestamp");

-- How a hold ended. The primary key says: once.
-- status: 2 posted, 3 voided, 4 expired (TransferPendingStatus).
CREATE TABLE ledger.resolution (
    pending_id  uuid     PRIMARY KEY,
    "timestamp" bigint   NOT NULL,
    shard       smallint NOT NULL,
    status      smallint NOT NULL CHECK (status BETWEEN 2 AND 4)
);
CREATE INDEX resolution_expired ON ledger.resolution ("timestamp") WHERE status = 4;

-- Which transfer undid which. The primary key says: once.
CREATE TABLE ledger.reversal (
    reverses_id uuid   PRIMARY KEY,
    "timestamp" bigint NOT NULL
);

-- Work queue of holds that carry a timeout: rows leave when the hold ends. Not a book.
CREATE TABLE ledger.expiry (
    expires_at  bigint NOT NULL,
    "timestamp" bigint NOT NULL,
    pending_id  uuid   NOT NULL,
    PRIMARY KEY (expires_at, "timestamp", pending_id)
);
CREATE UNIQUE INDEX expiry_pending_id ON ledger.expiry (pending_id);

-- Ids whose attempt failed for a reason that may pass; they never succeed later.
CREATE TABLE ledger.failed_transfer (
    id          uuid   PRIMARY KEY,
    "timestamp" bigint NOT NULL,
    result      text   NOT NULL
);

-- One row per batch: the Merkle root of its rows, chained. (shard, number) has no gaps.
CREATE TABLE ledger.batch (
    shard           smallint NOT NULL REFERENCES ledger.shard,
    number          bigint   NOT NULL CHECK (number > 0),
    first_timestamp bigint   NOT NULL,
    last_timestamp  bigint   NOT NULL CHECK (last_timestamp >= first_timestamp),
    rows            integer  NOT NULL CHECK (rows > 0),
    root            bytea    NOT NULL CHECK (octet_length(root) = 32),
    chain           bytea    NOT NULL CHECK (octet_length(chain) = 32),
    marks           bytea    NOT NULL CHECK (octet_length(marks) = 4 * rows),  -- start of each leaf
    PRIMARY KEY (shard, number)
);
CREATE INDEX batch_last_timestamp ON ledger.batch (last_timestamp);
