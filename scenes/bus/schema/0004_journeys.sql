-- Taps, the journeys made of them, and what was booked for each.
--
-- A tap is written once and never lost; only its state follows what is known of its person's other
-- taps. A journey is the present reading of the taps and is written anew with each pricing. Money is
-- in charge_entry, which is only ever added to: its sum by journey and payer is what the books hold.

CREATE TABLE scene_bus.tap (
    tap_id           uuid        PRIMARY KEY,
    user_id          uuid        NOT NULL,
    kind             text        NOT NULL CHECK (kind IN ('on', 'off', 'single', 'terminus')),
    medium           text        NOT NULL,
    merchant_id      text        NOT NULL,
    terminal_id      text        NOT NULL,
    terminal_counter bigint      CHECK (terminal_counter >= 0),
    line_id          text        NOT NULL,
    trip_id          text        NOT NULL,
    vehicle_id       text        NOT NULL,
    driver_id        text        NOT NULL,
    stop_id          text        NOT NULL,
    sequence         integer,
    off_stop_id      text,
    off_sequence     integer,
    tapped_at        timestamptz NOT NULL,
    sent_at          timestamptz,
    received_at      timestamptz NOT NULL,
    -- NULL: a clock that cannot be believed; the tap waits for a person.
    happened_at      timestamptz,
    order_id         uuid,
    -- One record of each counter of a terminal stands; the others are conflicts.
    stands           boolean     NOT NULL,
    state            text        NOT NULL CHECK (state IN (
        'new', 'opened', 'closed', 'single', 'passed_back', 'unmatched_off', 'conflict',
        'clock_ahead', 'too_late')),
    CHECK (stands = (state <> 'conflict')),
    CHECK ((happened_at IS NULL) = (state IN ('clock_ahead', 'too_late')) OR NOT stands)
) WITH (fillfactor = 85);  -- room for the state to change in place
CREATE UNIQUE INDEX tap_of_counter ON scene_bus.tap (terminal_id, terminal_counter) WHERE stands;
CREATE INDEX tap_of_user ON scene_bus.tap (user_id, happened_at);
CREATE TRIGGER kept BEFORE DELETE ON scene_bus.tap
    FOR EACH STATEMENT EXECUTE FUNCTION scene_bus.refuse_change();

-- People's weeks that must be priced (again). A row is taken with the pricing that answers it.
CREATE TABLE scene_bus.due_week (
    due_no  bigint   GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    bucket  smallint NOT NULL,
    user_id uuid     NOT NULL,
    week_on date     NOT NULL,
    not_before timestamptz NOT NULL
);
CREATE INDEX due_week_of_bucket ON scene_bus.due_week (bucket, due_no);

CREATE TABLE scene_bus.journey (
    journey_id   uuid        PRIMARY KEY,
    user_id      uuid        NOT NULL,
    week_on      date        NOT NULL,
    business_on  date        NOT NULL,
    state        text        NOT NULL CHECK (state IN (
        'open', 'complete', 'incomplete', 'auto_completed', 'corrected', 'refunded', 'unpriced')),
    reason       text        NOT NULL,
    merchant_id  text        NOT NULL,
    terminal_id  text        NOT NULL,
    line_id      text        NOT NULL,
    trip_id      text        NOT NULL,
    vehicle_id   text        NOT NULL,
    driver_id    text        NOT NULL,
    medium       text        NOT NULL,
    class        text        NOT NULL,
    on_stop_id   text        NOT NULL,
    off_stop_id  text,
    began_at     timestamptz NOT NULL,
    ended_at     timestamptz,
    reported_at  timestamptz NOT NULL,  -- when its first tap reached us
    chain_id     uuid        NOT NULL,  -- the journey its chain of transfers began with
    offer        text        NOT NULL,
    full_fen     bigint      NOT NULL CHECK (full_fen >= 0),
    fare_fen     bigint      NOT NULL CHECK (fare_fen BETWEEN 0 AND full_fen),
    citizen_fen  bigint      NOT NULL CHECK (citizen_fen >= 0),
    subsidy_fen  bigint      NOT NULL CHECK (subsidy_fen >= 0),
    forgone_fen  bigint      NOT NULL CHECK (forgone_fen >= 0),
    rule_id      text        NOT NULL,
    rule_version text        NOT NULL,
    priced_at    timestamptz NOT NULL,
    CHECK (fare_fen = citizen_fen + subsidy_fen + forgone_fen)
);
CREATE INDEX journey_of_user ON scene_bus.journey (user_id, week_on);
CREATE INDEX journey_of_day ON scene_bus.journey (business_on);
CREATE INDEX journey_open ON scene_bus.journey (began_at) WHERE state = 'open';

-- Every fen booked for a journey, above zero charged, below zero given back.
CREATE TABLE scene_bus.charge_entry (
    entry_no    bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    journey_id  uuid        NOT NULL,
    user_id     uuid        NOT NULL,
    week_on     date        NOT NULL,
    business_on date        NOT NULL,
    merchant_id text        NOT NULL,
    payer       text        NOT NULL,
    amount_fen  bigint      NOT NULL CHECK (amount_fen <> 0),
    order_id    uuid        NOT NULL,
    refund_id   uuid        CHECK ((refund_id IS NOT NULL) = (amount_fen < 0)),
    recorded_at timestamptz NOT NULL
);
CREATE INDEX charge_entry_of_user ON scene_bus.charge_entry (user_id, week_on);
CREATE INDEX charge_entry_of_day ON scene_bus.charge_entry (business_on);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON scene_bus.charge_entry
    FOR EACH STATEMENT EXECUTE FUNCTION scene_bus.refuse_change();

CREATE TABLE scene_bus.correction (
    correction_id uuid        PRIMARY KEY,
    journey_id    uuid        NOT NULL,
    user_id       uuid        NOT NULL,
    kind          text        NOT NULL CHECK (kind IN ('exit', 'refund')),
    off_stop_id   text        CHECK ((off_stop_id IS NOT NULL) = (kind = 'exit')),
    reason        text        NOT NULL,
    made_by       text        NOT NULL,
    made_at       timestamptz NOT NULL
);
CREATE INDEX correction_of_user ON scene_bus.correction (user_id, made_at);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON scene_bus.correction
    FOR EACH STATEMENT EXECUTE FUNCTION scene_bus.refuse_change();

-- How far the orders of the scene have been read for taps; ids of orders rise with time.
CREATE TABLE scene_bus.order_mark (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    order_id uuid    NOT NULL
);
INSERT INTO scene_bus.order_mark (order_id) VALUES ('00000000-0000-0000-0000-000000000000');
