-- Merchants and terminals with a life of their own: out of service for a while, or for good.

ALTER TABLE cardcore.merchant DROP CONSTRAINT merchant_status_check;
ALTER TABLE cardcore.merchant ADD CONSTRAINT merchant_status_check
    CHECK (status IN ('active', 'suspended', 'closed'));
-- Unified social credit identifier (GB 32100), where the merchant has one.
ALTER TABLE cardcore.merchant
    ADD COLUMN uscc text CHECK (uscc ~ '^[0-9A-HJ-NPQRTUWXY]{18}$');

-- What was closed stays closed, and a terminal never changes hands: its orders name its merchant.
CREATE TRIGGER closed_for_good BEFORE UPDATE ON cardcore.merchant
    FOR EACH ROW WHEN (OLD.status = 'closed' AND NEW.status <> 'closed')
    EXECUTE FUNCTION cardcore.refuse_change();
CREATE TRIGGER retired_for_good BEFORE UPDATE ON cardcore.terminal
    FOR EACH ROW WHEN (OLD.status = 'retired' AND NEW.status <> 'retired')
    EXECUTE FUNCTION cardcore.refuse_change();
CREATE TRIGGER stays_its_merchants BEFORE UPDATE ON cardcore.terminal
    FOR EACH ROW WHEN (NEW.merchant_id <> OLD.merchant_id OR NEW.scene <> OLD.scene)
    EXECUTE FUNCTION cardcore.refuse_change();
CREATE INDEX terminal_of_merchant ON cardcore.terminal (merchant_id, terminal_id);
