-- A batch that was decided from memory, booked by one call: nothing is asked of the database first.
-- What was decided holds only where the shard still stands as it was remembered and no hold waits
-- to expire; the accounts are confirmed by book_small_batch, as always.
--
-- decided_on, decided_after, open_from: chain, last_timestamp and first open day (days since
--   1970-01-01) of the shard as it was remembered; decided_at: the instant, for the holds
-- failed_*: transfers that were refused for good, each with its instant and result
-- timed, 2 numbers each: when the hold ends, its timestamp; timed_ids: its id
-- The others are those of book_small_batch.
--
-- Raises serialization_failure where the batch must be decided again, from the database; it names
-- the table shard where no other writer is the reason.
CREATE FUNCTION ledger.book_planned_batch(
    decided_on bytea, decided_after bigint, open_from integer, decided_at bigint,
    failed_ids uuid[], failed_at bigint[], failed_results text[], timed bigint[], timed_ids uuid[],
    writer_shard smallint, batch_number bigint, first_timestamp bigint, last_timestamp bigint,
    root bytea, chain bytea, marks bytea, accounts bigint[], numbers bigint[], ids uuid[])
RETURNS void LANGUAGE plpgsql SET enable_seqscan = off AS $$
BEGIN
    PERFORM FROM ledger.shard s
    WHERE s.shard = writer_shard AND s.chain = decided_on AND s.last_timestamp = decided_after
      AND s.closed_through IS NOT DISTINCT FROM DATE '1970-01-01' + (open_from - 1)
    FOR UPDATE;
    IF NOT FOUND OR EXISTS (SELECT FROM ledger.expiry e WHERE e.expires_at <= decided_at) THEN
        RAISE EXCEPTION 'the shard is not as it was when this batch was decided'
            USING ERRCODE = 'serialization_failure', SCHEMA = 'ledger', TABLE = 'shard';
    END IF;
    PERFORM ledger.book_small_batch(
        $10, $11, $12, $13, $14, $15, $16, $17, $18, $19);
    IF cardinality(failed_ids) > 0 THEN
        INSERT INTO ledger.failed_transfer (id, timestamp, result)
        SELECT * FROM unnest(failed_ids, failed_at, failed_results) ON CONFLICT DO NOTHING;
    END IF;
    IF cardinality(timed_ids) > 0 THEN
        INSERT INTO ledger.expiry (expires_at, timestamp, pending_id)
        SELECT timed[i * 2 - 1], timed[i * 2], timed_ids[i]
        FROM generate_series(1, cardinality(timed_ids)) AS i;
    END IF;
END $$;
GRANT EXECUTE ON FUNCTION ledger.book_planned_batch TO ledger_writer;

CREATE OR REPLACE FUNCTION ledger.schema_version() RETURNS integer
LANGUAGE sql IMMUTABLE AS 'SELECT 8';
