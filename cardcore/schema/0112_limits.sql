-- Limits on what is asked in a time: rules as data, and what was used of them.

-- The newest version of a rule is in force, unless it is retired. Rules are only ever added.
CREATE TABLE cardcore.limit_rule (
    limit_id    text        NOT NULL CHECK (limit_id ~ '^[a-z][a-z0-9_]{0,39}$'),
    version     integer     NOT NULL CHECK (version > 0),
    scene       text        NOT NULL,
    subject     text        NOT NULL CHECK (subject IN ('user', 'terminal', 'merchant')),
    measure     text        NOT NULL CHECK (measure IN ('amount', 'count')),
    period      text        NOT NULL CHECK (period IN ('order', 'day', 'month', 'seconds')),
    period_s    integer     NOT NULL CHECK ((period = 'seconds') = (period_s > 0) AND period_s BETWEEN 0 AND 86400),
    limit_max   bigint      NOT NULL CHECK (limit_max > 0),
    name_zh     text        NOT NULL,
    name_en     text        NOT NULL,
    retired     boolean     NOT NULL,
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (limit_id, version),
    CHECK (period <> 'order' OR measure = 'amount')
);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON cardcore.limit_rule
    FOR EACH STATEMENT EXECUTE FUNCTION cardcore.refuse_change();
CREATE TRIGGER rules_changed AFTER INSERT ON cardcore.limit_rule
    FOR EACH STATEMENT EXECUTE FUNCTION cardcore.rules_changed();

-- What was used of a limit in one window. The CHECK is the judge between two servers that decide at
-- the same instant: whoever would go beyond is rolled back and decides again.
CREATE TABLE cardcore.limit_counter (
    subject     text        NOT NULL,
    limit_id    text        NOT NULL,
    window_from timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL,
    used        bigint      NOT NULL,
    ceiling     bigint      NOT NULL,
    PRIMARY KEY (subject, limit_id, window_from),
    CONSTRAINT limit_counter_within CHECK (used BETWEEN 1 AND ceiling)
) WITH (fillfactor = 70);
CREATE INDEX limit_counter_end ON cardcore.limit_counter (expires_at);

INSERT INTO cardcore.limit_rule
    (limit_id, version, scene, subject, measure, period, period_s, limit_max, name_zh, name_en, retired, recorded_at) VALUES
    ('bus_order', 1, 'bus', 'user', 'amount', 'order', 0, 20000, '公交单笔限额', 'Bus, one ride', false, '2026-01-01T00:00:00Z'),
    ('retail_order', 1, 'retail', 'user', 'amount', 'order', 0, 100000, '消费单笔限额', 'Retail, one purchase', false, '2026-01-01T00:00:00Z'),
    ('retail_day', 1, 'retail', 'user', 'amount', 'day', 0, 300000, '消费单日限额', 'Retail, one day', false, '2026-01-01T00:00:00Z'),
    ('retail_rush', 1, 'retail', 'user', 'count', 'seconds', 60, 10, '消费频次', 'Retail, purchases in a minute', false, '2026-01-01T00:00:00Z');
