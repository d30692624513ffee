-- Epochs of the issuer's keys: a key is published first and signs later, so that every terminal
-- knows it in time. Keys are never taken out of the register; one that leaked ends early.
ALTER TABLE cardcore.issuer_key ADD COLUMN signs_from timestamptz;
UPDATE cardcore.issuer_key SET signs_from = not_before;
ALTER TABLE cardcore.issuer_key ALTER COLUMN signs_from SET NOT NULL,
    ADD CONSTRAINT issuer_key_believed_when_it_signs CHECK (not_before <= signs_from);

CREATE FUNCTION cardcore.keep_issuer_key() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.issuer_id, NEW.kid, NEW.algorithm, NEW.label, NEW.public_key, NEW.uses, NEW.not_before)
        IS DISTINCT FROM (OLD.issuer_id, OLD.kid, OLD.algorithm, OLD.label, OLD.public_key,
        OLD.uses, OLD.not_before) OR NEW.not_after > OLD.not_after
        OR NEW.signs_from > OLD.signs_from THEN
        RAISE EXCEPTION 'an issuer key may only sign sooner or end sooner';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER only_sooner BEFORE UPDATE ON cardcore.issuer_key
    FOR EACH ROW EXECUTE FUNCTION cardcore.keep_issuer_key();
CREATE TRIGGER never_deleted BEFORE DELETE OR TRUNCATE ON cardcore.issuer_key
    FOR EACH STATEMENT EXECUTE FUNCTION cardcore.refuse_change();
