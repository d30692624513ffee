-- The bank side: day totals, closed periods, chart of accounts, the role that only does its job.

-- Net movement per account and business day, rolled up from the transfers in the background and
-- completed with the newest ones when read. A back-dated transfer touches the row of its day.
CREATE TABLE ledger.day_total (
    account        bigint NOT NULL,
    day            date   NOT NULL,
    debits_posted  bigint NOT NULL CHECK (debits_posted >= 0),
    credits_posted bigint NOT NULL CHECK (credits_posted >= 0),
    transfers      bigint NOT NULL CHECK (transfers > 0),
    PRIMARY KEY (account, day)
);

-- Up to which timestamp each shard is rolled up.
CREATE TABLE ledger.roll_up (
    shard             smallint PRIMARY KEY REFERENCES ledger.shard,
    through_timestamp bigint NOT NULL
);

-- Closing and re-opening of periods; re-opening needs a second person.
CREATE TABLE ledger.period_change (
    number         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    closed_through date NOT NULL,
    was            date,
    changed_at     timestamptz NOT NULL DEFAULT now(),
    requested_by   text NOT NULL,
    approved_by    text,
    reason         text NOT NULL,
    CHECK (was IS NULL OR closed_through > was OR approved_by IS NOT NULL),
    CHECK (approved_by <> requested_by)
);

CREATE TABLE ledger.period_request (
    number         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    closed_through date NOT NULL,
    requested_by   text NOT NULL,
    reason         text NOT NULL,
    done           boolean NOT NULL DEFAULT false
);

-- Chart of accounts: codes of a ledger in a tree.
CREATE TABLE ledger.chart (
    ledger integer  NOT NULL,
    code   smallint NOT NULL,
    parent smallint,
    name   text     NOT NULL,
    PRIMARY KEY (ledger, code),
    FOREIGN KEY (ledger, parent) REFERENCES ledger.chart,
    CHECK (parent <> code)
);

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.period_change
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();

-- The second judge of double entry: over all accounts of a ledger both sides are equal.
CREATE VIEW ledger.trial_balance AS
    SELECT ledger, code,
           sum(debits_pending)::bigint AS debits_pending, sum(debits_posted)::bigint AS debits_posted,
           sum(credits_pending)::bigint AS credits_pending,
           sum(credits_posted)::bigint AS credits_posted, count(*) AS accounts
    FROM ledger.account GROUP BY ledger, code;

-- What the application's database user needs and nothing more: grant it this role. It may add to
-- the books and change counters; it may not edit, delete or switch triggers off.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'ledger_writer') THEN
        CREATE ROLE ledger_writer NOLOGIN;
    END IF;
END $$;
GRANT USAGE ON SCHEMA ledger TO ledger_writer;
GRANT SELECT ON ALL TABLES IN SCHEMA ledger TO ledger_writer;
GRANT INSERT ON ledger.account, ledger.transfer, ledger.resolution, ledger.reversal, ledger.expiry,
    ledger.failed_transfer, ledger.batch, ledger.shard, ledger.seal, ledger.seal_range,
    ledger.overdraft_change, ledger.day_total, ledger.roll_up, ledger.period_change,
    ledger.period_request, ledger.chart TO ledger_writer;
GRANT UPDATE (debits_pending, debits_posted, credits_pending, credits_posted, last_timestamp,
              closed, overdraft_limit) ON ledger.account TO ledger_writer;
GRANT UPDATE (batch_number, last_timestamp, chain, closed_through) ON ledger.shard TO ledger_writer;
GRANT UPDATE ON ledger.day_total, ledger.roll_up TO ledger_writer;
GRANT UPDATE (done) ON ledger.period_request TO ledger_writer;
GRANT UPDATE (name, parent) ON ledger.chart TO ledger_writer;
GRANT DELETE ON ledger.expiry TO ledger_writer;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA ledger TO ledger_writer;
-- Making partitions is the owner's job: the function runs with the owner's rights.
ALTER FUNCTION ledger.make_partition(date) SECURITY DEFINER;
ALTER FUNCTION ledger.make_partition(date) SET search_path = pg_catalog, pg_temp;
REVOKE EXECUTE ON FUNCTION ledger.index_partition(text) FROM PUBLIC, ledger_writer;
REVOKE EXECUTE ON FUNCTION ledger.make_partition(date) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ledger.make_partition(date) TO ledger_writer;
