-- What the custodian bank holds against what it must cover, as found when a business date was over.
CREATE TABLE cardcore.custody_check (
    check_id         uuid        PRIMARY KEY,
    business_on      date        NOT NULL,
    difference_fen   bigint      NOT NULL,
    trial_balance_fen bigint     NOT NULL,
    sums             jsonb       NOT NULL,
    counters_off     text[]      NOT NULL,
    seal_number      bigint,
    checked_at       timestamptz NOT NULL
);
CREATE INDEX custody_check_of_day ON cardcore.custody_check (business_on, checked_at);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON cardcore.custody_check
    FOR EACH STATEMENT EXECUTE FUNCTION cardcore.refuse_change();
