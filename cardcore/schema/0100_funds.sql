-- Funds by legal regime: what a fund is in law, what it may hold, which of them a scene may draw on.
-- Policy is data with versions; what money did under it is only ever added to.

-- ---- regimes and kinds ---------------------------------------------------------------------------

-- "nature" says how the core treats money of a regime; "balance_fen_max" is what the law allows at
-- most: a kind of fund may be stricter, never laxer.
CREATE TABLE cardcore.fund_regime (
    regime          text    PRIMARY KEY,
    nature          text    NOT NULL CHECK (nature IN ('prepaid', 'restricted', 'credit', 'counter', 'memo')),
    balance_fen_max bigint  CHECK (balance_fen_max > 0),
    redeemable      boolean NOT NULL,
    source          text    NOT NULL,
    name_zh         text    NOT NULL,
    name_en         text    NOT NULL
);
INSERT INTO cardcore.fund_regime
    (regime, nature, balance_fen_max, redeemable, source, name_zh, name_en) VALUES
    ('multi_purpose_prepaid_registered', 'prepaid', 500000, true,
     '支付机构预付卡业务管理办法（中国人民银行公告〔2012〕第12号）', '多用途记名预付', 'Multi-purpose prepaid, registered'),
    ('multi_purpose_prepaid_anonymous', 'prepaid', 100000, false,
     '支付机构预付卡业务管理办法（中国人民银行公告〔2012〕第12号）', '多用途不记名预付', 'Multi-purpose prepaid, anonymous'),
    ('transit_prepaid', 'prepaid', 500000, true,
     '支付机构预付卡业务管理办法（中国人民银行公告〔2012〕第12号）', '公共交通预付', 'Prepaid for public transport'),
    ('single_purpose_prepaid_registered', 'prepaid', 500000, true,
     '单用途商业预付卡管理办法（试行）（商务部令2012年第9号）', '单用途记名预付', 'Single-purpose prepaid, registered'),
    ('restricted_subsidy', 'restricted', NULL, false,
     '补贴发放单位的规定', '专项补贴', 'Earmarked subsidy'),
    ('credit_line', 'credit', NULL, false,
     '授信协议', '信用额度', 'Credit line'),
    ('counter', 'counter', NULL, false,
     '票卡规则', '计次', 'Counted rides or visits'),
    ('medical_memo', 'memo', NULL, false,
     '医保个人账户由医保经办机构管理', '医保账户备查', 'Insurance account, noted only');

-- "unit" is what the fund is counted in; each unit is a ledger of its own. Limits left NULL do not
-- stand; "_day_" limits are per business date.
ALTER TABLE cardcore.fund_kind
    ADD COLUMN unit text NOT NULL DEFAULT 'fen' CHECK (unit IN ('fen', 'rides', 'visits', 'memo_fen')),
    ADD COLUMN credit_fen_max bigint CHECK (credit_fen_max > 0),
    ADD COLUMN topup_fen_max bigint CHECK (topup_fen_max > 0),
    ADD COLUMN topup_day_fen_max bigint CHECK (topup_day_fen_max > 0),
    ADD COLUMN withdrawal_fen_max bigint CHECK (withdrawal_fen_max > 0),
    ADD COLUMN withdrawal_day_fen_max bigint CHECK (withdrawal_day_fen_max > 0),
    ADD CONSTRAINT fund_kind_of_regime FOREIGN KEY (regime) REFERENCES cardcore.fund_regime;

INSERT INTO cardcore.fund_kind
    (kind, regime, level_min, balance_fen_max, unit, credit_fen_max, name_zh, name_en) VALUES
    ('campus',          'single_purpose_prepaid_registered', 'real_name', 200000, 'fen', NULL, '校园钱包', 'Campus purse'),
    ('parking_arrears', 'credit_line',  'real_name', 1, 'fen', 20000,  '停车信用', 'Parking credit'),
    ('health_credit',   'credit_line',  'real_name', 1, 'fen', 300000, '信用就医', 'Health credit'),
    ('rides',           'counter',      'anonymous', 1000, 'rides', NULL, '乘车次数', 'Rides'),
    ('visits',          'counter',      'anonymous', 1000, 'visits', NULL, '入园次数', 'Visits'),
    ('medical_memo',    'medical_memo', 'real_name', 100000000, 'memo_fen', NULL, '医保个人账户（备查）', 'Insurance account (noted)');
UPDATE cardcore.fund_kind SET topup_fen_max = 300000, topup_day_fen_max = 500000,
    withdrawal_fen_max = 300000, withdrawal_day_fen_max = 500000 WHERE kind = 'purse';
UPDATE cardcore.fund_kind SET topup_fen_max = 100000, topup_day_fen_max = 100000,
    withdrawal_fen_max = 100000, withdrawal_day_fen_max = 100000 WHERE kind = 'transit';
UPDATE cardcore.fund_kind SET topup_fen_max = 100000, topup_day_fen_max = 100000 WHERE kind = 'bearer';
UPDATE cardcore.fund_kind SET topup_fen_max = 100000, topup_day_fen_max = 200000,
    withdrawal_fen_max = 100000, withdrawal_day_fen_max = 200000 WHERE kind = 'campus';

CREATE FUNCTION cardcore.keep_to_regime() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE allowed bigint;
BEGIN
    SELECT balance_fen_max INTO allowed FROM cardcore.fund_regime WHERE regime = NEW.regime;
    IF NEW.balance_fen_max > allowed THEN
        RAISE EXCEPTION 'fund kind % may hold % fen at most by its regime', NEW.kind, allowed
            USING ERRCODE = 'check_violation', CONSTRAINT = 'fund_kind_within_regime';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER keep_to_regime BEFORE INSERT OR UPDATE ON cardcore.fund_kind
    FOR EACH ROW EXECUTE FUNCTION cardcore.keep_to_regime();

-- ---- which funds a scene may draw on ---------------------------------------------------------------

-- Every change of a plan or a programme is one version of the whole policy. An order's line names
-- the version it was funded by.
CREATE TABLE cardcore.funding_policy (
    version     bigint      PRIMARY KEY CHECK (version > 0),
    subject     text        NOT NULL,
    client_id   text        NOT NULL,
    reason      text        NOT NULL,
    recorded_at timestamptz NOT NULL
);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON cardcore.funding_policy
    FOR EACH STATEMENT EXECUTE FUNCTION cardcore.refuse_change();
INSERT INTO cardcore.funding_policy (version, subject, client_id, reason, recorded_at)
    VALUES (1, 'plan:*', 'installation', 'as delivered', now());

-- A step is a kind of fund, or 'subsidy': every earmarked subsidy that is good here today, the one
-- that ends first before the others. A scene's plan is the one of its greatest version.
ALTER TABLE cardcore.funding_plan
    DROP CONSTRAINT funding_plan_pkey,
    DROP CONSTRAINT funding_plan_scene_kind_key,
    DROP CONSTRAINT funding_plan_kind_fkey,
    ADD COLUMN version bigint NOT NULL DEFAULT 1 REFERENCES cardcore.funding_policy;
ALTER TABLE cardcore.funding_plan RENAME COLUMN kind TO step;
DELETE FROM cardcore.funding_plan;
ALTER TABLE cardcore.funding_plan
    ADD PRIMARY KEY (scene, version, position),
    ADD UNIQUE (scene, version, step);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON cardcore.funding_plan
    FOR EACH STATEMENT EXECUTE FUNCTION cardcore.refuse_change();
INSERT INTO cardcore.funding_plan (scene, position, step) VALUES
    ('bus', 1, 'subsidy'), ('bus', 2, 'transit'), ('bus', 3, 'purse'), ('bus', 4, 'bearer'),
    ('parking', 1, 'purse'), ('parking', 2, 'parking_arrears'),
    ('hospital', 1, 'subsidy'), ('hospital', 2, 'purse'), ('hospital', 3, 'health_credit'),
    ('scenic', 1, 'subsidy'), ('scenic', 2, 'purse'),
    ('school', 1, 'subsidy'), ('school', 2, 'campus'), ('school', 3, 'purse'),
    ('venue', 1, 'subsidy'), ('venue', 2, 'purse'),
    ('community', 1, 'subsidy'), ('community', 2, 'purse'),
    ('service_window', 1, 'purse'),
    ('social_security_window', 1, 'purse'),
    ('enterprise_window', 1, 'subsidy'), ('enterprise_window', 2, 'purse'),
    ('retail', 1, 'subsidy'), ('retail', 2, 'purse'), ('retail', 3, 'bearer');

ALTER TABLE cardcore.order_line ADD COLUMN funding_version bigint;

-- ---- earmarked subsidies ---------------------------------------------------------------------------

-- What a programme's money may be spent on. Empty "merchants": any merchant of these scenes.
CREATE TABLE cardcore.subsidy_programme (
    programme  text   NOT NULL REFERENCES cardcore.fund_kind,
    version    bigint NOT NULL REFERENCES cardcore.funding_policy,
    payer      text   NOT NULL,
    scenes     text[] NOT NULL CHECK (cardinality(scenes) > 0),
    merchants  text[] NOT NULL,
    valid_from date   NOT NULL,
    valid_to   date   NOT NULL,
    PRIMARY KEY (programme, version),
    CHECK (valid_from <= valid_to)
);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON cardcore.subsidy_programme
    FOR EACH STATEMENT EXECUTE FUNCTION cardcore.refuse_change();

-- Money of a programme: deposited by its payer, granted to people, gone back from them.
CREATE TABLE cardcore.subsidy_movement (
    movement_id uuid        PRIMARY KEY,
    programme   text        NOT NULL REFERENCES cardcore.fund_kind,
    kind        text        NOT NULL CHECK (kind IN ('deposit', 'grant', 'return')),
    cause       text        NOT NULL,
    user_id     uuid,
    fund_id     uuid,
    amount_fen  bigint      NOT NULL CHECK (amount_fen > 0),
    channel     text,
    channel_no  text,
    client_id   text        NOT NULL,
    business_on date        NOT NULL,
    recorded_at timestamptz NOT NULL,
    UNIQUE (channel, channel_no),
    CHECK ((kind = 'deposit') = (channel IS NOT NULL)),
    CHECK ((channel IS NULL) = (channel_no IS NULL)),
    CHECK ((kind = 'deposit') = (fund_id IS NULL)),
    CHECK ((user_id IS NULL) = (fund_id IS NULL))
);
CREATE INDEX subsidy_movement_of_user ON cardcore.subsidy_movement (user_id, movement_id)
    WHERE user_id IS NOT NULL;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON cardcore.subsidy_movement
    FOR EACH STATEMENT EXECUTE FUNCTION cardcore.refuse_change();

-- ---- credit lines, counters, memos -------------------------------------------------------------------

-- The limit itself stands on the ledger account; this says who set it, and why.
CREATE TABLE cardcore.credit_limit (
    change_id   uuid        PRIMARY KEY,
    fund_id     uuid        NOT NULL REFERENCES cardcore.fund,
    limit_fen   bigint      NOT NULL CHECK (limit_fen >= 0),
    reason      text        NOT NULL,
    client_id   text        NOT NULL,
    recorded_at timestamptz NOT NULL
);
CREATE INDEX credit_limit_of_fund ON cardcore.credit_limit (fund_id, change_id);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON cardcore.credit_limit
    FOR EACH STATEMENT EXECUTE FUNCTION cardcore.refuse_change();

-- Whole counts given (positive) and used (negative); for a memo, what the insurer's figure moved by.
CREATE TABLE cardcore.tally_entry (
    entry_id    uuid        PRIMARY KEY,
    fund_id     uuid        NOT NULL REFERENCES cardcore.fund,
    user_id     uuid        NOT NULL,
    quantity    bigint      NOT NULL CHECK (quantity <> 0),
    reason      text        NOT NULL,
    client_id   text        NOT NULL,
    business_on date        NOT NULL,
    recorded_at timestamptz NOT NULL
);
CREATE INDEX tally_entry_of_fund ON cardcore.tally_entry (fund_id, entry_id);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON cardcore.tally_entry
    FOR EACH STATEMENT EXECUTE FUNCTION cardcore.refuse_change();
