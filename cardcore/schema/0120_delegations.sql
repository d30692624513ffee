-- Orders paid by delegation: how a delegation is used, and which version of the rules an order met.

-- "use": the payer pays first, where the person's own funds are short, or only where the request
-- asks for it. "fund": which of the payer's funds, or 'auto' for the scene's plan.
ALTER TABLE cardcore.delegation
    ADD COLUMN use text NOT NULL DEFAULT 'when_short'
        CHECK (use IN ('first', 'when_short', 'when_asked')),
    ADD COLUMN fund text NOT NULL DEFAULT 'auto',
    ADD COLUMN month_fen_max bigint CHECK (month_fen_max >= day_fen_max);

-- By which delegation somebody else paid a line; none where the person paid.
ALTER TABLE cardcore.order_line ADD COLUMN delegation_id uuid;

-- Every limit is numbered by the version of the rules it came with, and every order by the version
-- it was decided by: from the two follows which limits judged it.
ALTER TABLE cardcore.limit_rule ADD COLUMN rules_version bigint NOT NULL DEFAULT 0;
ALTER TABLE cardcore.business_order ADD COLUMN rules_version bigint;

-- The row is locked, so that two changes at once get two numbers.
CREATE FUNCTION cardcore.number_rule() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    SELECT version + 1 INTO NEW.rules_version FROM cardcore.rules_version FOR UPDATE;
    RETURN NEW;
END $$;
CREATE TRIGGER number_rule BEFORE INSERT ON cardcore.limit_rule
    FOR EACH ROW EXECUTE FUNCTION cardcore.number_rule();
