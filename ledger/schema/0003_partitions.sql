-- Monthly partitions of ledger.transfer. The default partition takes what no month covers, so a
-- job that did not run never stops a payment; make_partition moves nothing out of it.

CREATE TABLE ledger.transfer_default PARTITION OF ledger.transfer DEFAULT;

-- Indexes of one partition. The id is unique inside a partition; across partitions the engine
-- looks before it writes, holding the account locks.
CREATE FUNCTION ledger.index_partition(partition text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE UNIQUE INDEX %I ON ledger.%I (id)', partition || '_id', partition);
END $$;

CREATE INDEX transfer_timestamp ON ledger.transfer ("timestamp");
CREATE INDEX transfer_debit ON ledger.transfer (debit_account, "timestamp");
CREATE INDEX transfer_credit ON ledger.transfer (credit_account, "timestamp");
CREATE INDEX transfer_user_data_128 ON ledger.transfer (user_data_128, "timestamp")
    WHERE user_data_128 IS NOT NULL;
CREATE INDEX transfer_user_data_64 ON ledger.transfer (user_data_64, "timestamp")
    WHERE user_data_64 IS NOT NULL;

SELECT ledger.index_partition('transfer_default');

-- Make the partition of the month that holds `month`; returns whether it was made now.
CREATE FUNCTION ledger.make_partition(month date) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    first_day date := date_trunc('month', month)::date;
    next_month date := (date_trunc('month', month) + interval '1 month')::date;
    name text := 'transfer_' || to_char(first_day, 'YYYYMM');
    from_ns bigint := extract(epoch FROM first_day)::bigint * 1000000000;
    to_ns bigint := extract(epoch FROM next_month)::bigint * 1000000000;
BEGIN
    IF to_regclass('ledger.' || name) IS NOT NULL THEN
        RETURN false;
    END IF;
    IF EXISTS (SELECT FROM ledger.transfer_default
               WHERE "timestamp" >= from_ns AND "timestamp" < to_ns) THEN
        RETURN false;  -- this month already lives in the default partition
    END IF;
    EXECUTE format('CREATE TABLE ledger.%I PARTITION OF ledger.transfer FOR VALUES FROM (%s) TO (%s)',
                   name, from_ns, to_ns);
    PERFORM ledger.index_partition(name);
    RETURN true;
END $$;
