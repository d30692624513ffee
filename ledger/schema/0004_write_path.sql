-- The statements of the write path, as functions, so that their plans do not depend on
-- statistics: a plan made while a table was empty would otherwise stay (a sequential scan of a
-- table that has since grown by millions of rows).

-- All accounts that a batch may touch, locked in the order of their ids: the one place where
-- accounts are locked, so that no two writers wait for each other in a circle.
CREATE FUNCTION ledger.lock_accounts(ids uuid[], pending_ids uuid[])
RETURNS TABLE (
    number bigint, id bytea, debits_pending bigint, debits_posted bigint, credits_pending bigint,
    credits_posted bigint, last_timestamp bigint, closed boolean, "timestamp" bigint,
    overdraft_limit bigint, ledger integer, code smallint, flags smallint)
LANGUAGE plpgsql ROWS 2000
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
#variable_conflict use_column
BEGIN
    IF cardinality(pending_ids) > 0 THEN
        ids := ids || ARRAY(
            SELECT a.id FROM ledger.transfer t
            JOIN ledger.account a ON a.number IN (t.debit_account, t.credit_account)
            WHERE t.id = ANY (pending_ids));
    END IF;
    RETURN QUERY
        SELECT a.number, uuid_send(a.id), a.debits_pending, a.debits_posted, a.credits_pending,
               a.credits_posted, a.last_timestamp, a.closed, a."timestamp", a.overdraft_limit,
               a.ledger, a.code, a.flags
        FROM ledger.account a WHERE a.id = ANY (ids) ORDER BY a.id FOR NO KEY UPDATE;
END $$;

-- Transfers by id, with the ids of their accounts and what became of the pending ones.
CREATE FUNCTION ledger.find_transfers(ids uuid[])
RETURNS TABLE (
    id bytea, debit_account_id bytea, credit_account_id bytea, amount bigint, pending_id bytea,
    user_data_128 bytea, user_data_64 bigint, user_data_32 integer, timeout integer,
    ledger integer, code smallint, flags smallint, "timestamp" bigint, effective_at bigint,
    effective_on integer, reverses_id bytea,
    d1 bigint, d2 bigint, d3 bigint, d4 bigint, c1 bigint, c2 bigint, c3 bigint, c4 bigint,
    status smallint, reversed boolean)
LANGUAGE plpgsql STABLE ROWS 10
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
        SELECT uuid_send(t.id), uuid_send(d.id), uuid_send(c.id), t.amount,
               uuid_send(t.pending_id), uuid_send(t.user_data_128), t.user_data_64,
               t.user_data_32, t.timeout, t.ledger, t.code, t.flags, t."timestamp",
               t.effective_at, t.effective_on - DATE '1970-01-01', uuid_send(t.reverses_id),
               coalesce(t.debit_debits_pending, 0), t.debit_debits_posted, coalesce(t.debit_credits_pending, 0),
               t.debit_credits_posted, coalesce(t.credit_debits_pending, 0), t.credit_debits_posted,
               coalesce(t.credit_credits_pending, 0), t.credit_credits_posted,
               (SELECT r.status FROM ledger.resolution r WHERE r.pending_id = t.id),
               EXISTS (SELECT FROM ledger.reversal v WHERE v.reverses_id = t.id)
        FROM ledger.transfer t
        JOIN ledger.account d ON d.number = t.debit_account
        JOIN ledger.account c ON c.number = t.credit_account
        WHERE t.id = ANY (ids);
END $$;

CREATE FUNCTION ledger.find_failed(ids uuid[]) RETURNS TABLE (id bytea)
LANGUAGE plpgsql STABLE ROWS 1 SET enable_seqscan = off AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY SELECT uuid_send(f.id) FROM ledger.failed_transfer f WHERE f.id = ANY (ids);
END $$;

-- Write the counters back; returns how many accounts were as expected and are now as told.
CREATE FUNCTION ledger.write_accounts(
    numbers bigint[], expected bigint[], debits_pending bigint[], debits_posted bigint[],
    credits_pending bigint[], credits_posted bigint[], last_timestamps bigint[], closed boolean[])
RETURNS integer LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    written integer;
BEGIN
    UPDATE ledger.account a
    SET debits_pending = v.debits_pending, debits_posted = v.debits_posted,
        credits_pending = v.credits_pending, credits_posted = v.credits_posted,
        last_timestamp = v.last_timestamp, closed = v.closed
    FROM unnest($1, $2, $3, $4, $5, $6, $7, $8)
         AS v (number, expected, debits_pending, debits_posted, credits_pending, credits_posted,
               last_timestamp, closed)
    WHERE a.number = v.number AND a.last_timestamp = v.expected;
    GET DIAGNOSTICS written = ROW_COUNT;
    RETURN written;
END $$;

-- The first step of a batch: lock the shard, look for holds whose time is over, and say whether
-- any of the new ids is known already. One round trip.
CREATE FUNCTION ledger.begin_batch(writer_shard smallint, now bigint, due_max integer, ids uuid[])
RETURNS TABLE (batch_number bigint, last_timestamp bigint, chain bytea, closed_through date,
               due bytea[], known boolean)
LANGUAGE plpgsql ROWS 1 SET enable_seqscan = off AS $$
#variable_conflict use_column
BEGIN
    SELECT s.batch_number, s.last_timestamp, s.chain, s.closed_through
    INTO batch_number, last_timestamp, chain, closed_through
    FROM ledger.shard s WHERE s.shard = writer_shard FOR UPDATE;
    due := ARRAY(SELECT uuid_send(e.pending_id) FROM ledger.expiry e WHERE e.expires_at <= now
                 ORDER BY e.expires_at, e."timestamp" LIMIT due_max);
    known := cardinality(ids) > 0
        AND (EXISTS (SELECT FROM ledger.transfer t WHERE t.id = ANY (ids))
             OR EXISTS (SELECT FROM ledger.failed_transfer f WHERE f.id = ANY (ids)));
    RETURN NEXT;
END $$;

-- The last step before the rows: seal the batch into the chain of its shard. A batch without
-- rows only moves the time of the shard on.
CREATE FUNCTION ledger.advance(
    writer_shard smallint, batch_number bigint, first_timestamp bigint, last_timestamp bigint,
    row_count integer, root bytea, chain bytea, marks bytea)
RETURNS void LANGUAGE plpgsql SET enable_seqscan = off AS $$
BEGIN
    IF row_count > 0 THEN
        INSERT INTO ledger.batch
            (shard, number, first_timestamp, last_timestamp, rows, root, chain, marks)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8);
    END IF;
    UPDATE ledger.shard AS s SET batch_number = $2, last_timestamp = $4, chain = $7
    WHERE s.shard = $1;
END $$;
