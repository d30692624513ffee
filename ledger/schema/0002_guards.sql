-- What may never happen, whoever asks: books are appended to, never edited.

CREATE FUNCTION ledger.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'ledger.% is append-only: % refused', TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'restrict_violation';
END $$;

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.transfer
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.resolution
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.reversal
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.failed_transfer
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.batch
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
CREATE TRIGGER append_only BEFORE DELETE OR TRUNCATE ON ledger.account
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();

-- An account may change in its counters, in being closed and in its overdraft limit. The WHEN
-- clause costs a comparison; the function is entered only to refuse.
CREATE FUNCTION ledger.refuse_account_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'ledger.account %: only counters, closed and overdraft_limit may change', OLD.id
        USING ERRCODE = 'restrict_violation';
END $$;

CREATE TRIGGER identity_fixed BEFORE UPDATE ON ledger.account FOR EACH ROW
    WHEN (OLD.id IS DISTINCT FROM NEW.id
          OR OLD."timestamp" <> NEW."timestamp"
          OR OLD.ledger <> NEW.ledger
          OR OLD.code <> NEW.code
          OR OLD.flags <> NEW.flags
          OR OLD.user_data_128 IS DISTINCT FROM NEW.user_data_128
          OR OLD.user_data_64 IS DISTINCT FROM NEW.user_data_64
          OR OLD.user_data_32 IS DISTINCT FROM NEW.user_data_32
          OR NEW.last_timestamp < OLD.last_timestamp)
    EXECUTE FUNCTION ledger.refuse_account_change();
