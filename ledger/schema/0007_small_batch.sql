-- A small batch, written in one statement: counters, chain and rows. What a batch of thousands gains
-- from COPY a batch of ten loses on round trips.
--
-- accounts, 8 numbers each: number, last_timestamp it was decided on, debits_pending,
--   debits_posted, credits_pending, credits_posted, last_timestamp, closed (0 or 1)
-- numbers, 20 each: timestamp, amount, debit_account, credit_account, the debit account's four
--   counters and the credit account's four (pending and posted debits, then credits), ledger,
--   effective_on (days since 1970-01-01), code, flags, timeout, user_data_32, user_data_64,
--   effective_at
-- ids, 4 each: id, pending_id, user_data_128, reverses_id
-- Zero stands for NULL where the column may be NULL.
--
-- Raises serialization_failure where an account is not as it was when the batch was decided.
CREATE FUNCTION ledger.book_small_batch(
    writer_shard smallint, batch_number bigint, first_timestamp bigint, last_timestamp bigint,
    root bytea, chain bytea, marks bytea, accounts bigint[], numbers bigint[], ids uuid[])
RETURNS void LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    none CONSTANT uuid := '00000000-0000-0000-0000-000000000000';
    account_count CONSTANT integer := cardinality(accounts) / 8;
    row_count CONSTANT integer := cardinality(numbers) / 20;
    written integer;
BEGIN
    UPDATE ledger.account a
    SET debits_pending = accounts[v.at + 3], debits_posted = accounts[v.at + 4],
        credits_pending = accounts[v.at + 5], credits_posted = accounts[v.at + 6],
        last_timestamp = accounts[v.at + 7], closed = accounts[v.at + 8] <> 0
    FROM (SELECT i * 8 AS at, accounts[i * 8 + 1] AS number, accounts[i * 8 + 2] AS expected
          FROM generate_series(0, account_count - 1) AS i) AS v
    WHERE a.number = v.number AND a.last_timestamp = v.expected;
    GET DIAGNOSTICS written = ROW_COUNT;
    IF written <> account_count THEN
        RAISE EXCEPTION 'accounts of this batch were changed by another writer meanwhile'
            USING ERRCODE = 'serialization_failure';
    END IF;
    IF batch_number IS NOT NULL THEN
        INSERT INTO ledger.batch
            (shard, number, first_timestamp, last_timestamp, rows, root, chain, marks)
        VALUES ($1, $2, $3, $4, octet_length(marks) / 4, $5, $6, $7);
    END IF;
    UPDATE ledger.shard AS s
    SET batch_number = coalesce($2, s.batch_number), last_timestamp = $4, chain = $6
    WHERE s.shard = $1;
    INSERT INTO ledger.transfer
        ("timestamp", amount, debit_account, credit_account,
         debit_debits_pending, debit_debits_posted, debit_credits_pending, debit_credits_posted,
         credit_debits_pending, credit_debits_posted, credit_credits_pending, credit_credits_posted,
         ledger, effective_on, code, flags, timeout, user_data_32, user_data_64, effective_at,
         shard, id, pending_id, user_data_128, reverses_id)
    SELECT numbers[n + 1], numbers[n + 2], numbers[n + 3], numbers[n + 4],
           nullif(numbers[n + 5], 0), numbers[n + 6], nullif(numbers[n + 7], 0), numbers[n + 8],
           nullif(numbers[n + 9], 0), numbers[n + 10], nullif(numbers[n + 11], 0), numbers[n + 12],
           numbers[n + 13]::integer, DATE '1970-01-01' + numbers[n + 14]::integer,
           numbers[n + 15]::smallint, numbers[n + 16]::smallint,
           nullif(numbers[n + 17], 0)::integer, nullif(numbers[n + 18], 0)::integer,
           nullif(numbers[n + 19], 0), nullif(numbers[n + 20], 0), $1,
           ids[d + 1], nullif(ids[d + 2], none), nullif(ids[d + 3], none), nullif(ids[d + 4], none)
    FROM (SELECT i * 20 AS n, i * 4 AS d FROM generate_series(0, row_count - 1) AS i) AS v;
END $$;
GRANT EXECUTE ON FUNCTION ledger.book_small_batch TO ledger_writer;

-- The number of the newest of these files that is applied; each later file replaces it.
CREATE FUNCTION ledger.schema_version() RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT 7';
GRANT EXECUTE ON FUNCTION ledger.schema_version TO ledger_writer;
