-- Plans in a row: a batch may be planned on one that is still being written, by another connection.
-- Its call waits for that one at the shard's row, and compares when it has the lock: to compare first
-- would be to look at the shard as it was before the other batch, and to refuse every such plan.
--
-- Arguments and errors are those of 0008.
CREATE OR REPLACE FUNCTION ledger.book_planned_batch(
    decided_on bytea, decided_after bigint, open_from integer, decided_at bigint,
    failed_ids uuid[], failed_at bigint[], failed_results text[], timed bigint[], timed_ids uuid[],
    writer_shard smallint, batch_number bigint, first_timestamp bigint, last_timestamp bigint,
    root bytea, chain bytea, marks bytea, accounts bigint[], numbers bigint[], ids uuid[])
RETURNS void LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    head ledger.shard;
BEGIN
    SELECT s.* INTO head FROM ledger.shard s WHERE s.shard = writer_shard FOR UPDATE;
    IF head.chain IS DISTINCT FROM decided_on OR head.last_timestamp <> decided_after
        OR head.closed_through IS DISTINCT FROM DATE '1970-01-01' + (open_from - 1)
        OR EXISTS (SELECT FROM ledger.expiry e WHERE e.expires_at <= decided_at)
    THEN
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

CREATE OR REPLACE FUNCTION ledger.schema_version() RETURNS integer
LANGUAGE sql IMMUTABLE AS 'SELECT 9';
