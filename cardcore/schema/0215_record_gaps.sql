-- Numbers of a terminal's records that have not arrived: noticed, then an alarm, until they come or a
-- person accepts that they never will. A gap is told by the numbers it had when it was noticed.
CREATE TABLE cardcore.record_gap (
    gap_id      uuid        PRIMARY KEY,
    terminal_id text        NOT NULL REFERENCES cardcore.terminal,
    kid         smallint    NOT NULL,
    first_no    bigint      NOT NULL,
    last_no     bigint      NOT NULL CHECK (last_no >= first_no),
    missing     bigint      NOT NULL CHECK (missing >= 0),
    state       text        NOT NULL CHECK (state IN ('noticed', 'open', 'filled', 'accepted')),
    noticed_at  timestamptz NOT NULL,
    opened_at   timestamptz,
    ended_at    timestamptz,
    ended_by    text,
    purpose     text,
    CHECK ((state IN ('filled', 'accepted')) = (ended_at IS NOT NULL)),
    CHECK ((state = 'accepted') = (ended_by IS NOT NULL AND purpose IS NOT NULL))
);
CREATE INDEX record_gap_standing ON cardcore.record_gap (terminal_id, kid)
    WHERE state IN ('noticed', 'open', 'accepted');
CREATE INDEX record_gap_listed ON cardcore.record_gap (state, noticed_at, gap_id);
