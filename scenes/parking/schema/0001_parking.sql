-- Car parks, what their cameras read, and who pays afterwards. No plate number lies here: a keyed hash
-- stands for it ("plate_index"), and a masked form for people to read.
CREATE SCHEMA scene_parking;

CREATE FUNCTION scene_parking.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% of %.% is refused: rows are only ever added', TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME;
END $$;

-- ---- car parks as data ---------------------------------------------------------------------------

CREATE TABLE scene_parking.car_park (
    car_park_id text        PRIMARY KEY,
    merchant_id text        NOT NULL,
    name_zh     text        NOT NULL,
    name_en     text        NOT NULL,
    spaces      integer     NOT NULL CHECK (spaces > 0),
    recorded_by text        NOT NULL,
    recorded_at timestamptz NOT NULL
);

-- A lane is a terminal of the core: orders name it.
CREATE TABLE scene_parking.lane (
    lane_id     text        PRIMARY KEY,
    car_park_id text        NOT NULL REFERENCES scene_parking.car_park,
    direction   text        NOT NULL CHECK (direction IN ('in', 'out')),
    recorded_by text        NOT NULL,
    recorded_at timestamptz NOT NULL
);

-- A stay is priced by the version that was in force at its entry.
CREATE TABLE scene_parking.tariff (
    car_park_id text        NOT NULL REFERENCES scene_parking.car_park,
    version     integer     NOT NULL CHECK (version > 0),
    valid_from  timestamptz NOT NULL,
    document    jsonb       NOT NULL,
    recorded_by text        NOT NULL,
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (car_park_id, version)
);

-- ---- what was seen -------------------------------------------------------------------------------

CREATE TABLE scene_parking.passage (
    passage_id   uuid        PRIMARY KEY,
    lane_id      text        NOT NULL REFERENCES scene_parking.lane,
    event_no     bigint      NOT NULL CHECK (event_no >= 0),
    car_park_id  text        NOT NULL,
    direction    text        NOT NULL CHECK (direction IN ('in', 'out')),
    plate_index  bytea       NOT NULL,
    plate_masked text        NOT NULL,
    new_energy   boolean     NOT NULL,
    image_sha256 text,
    live         boolean     NOT NULL,
    occurred_at  timestamptz NOT NULL,
    recorded_at  timestamptz NOT NULL,
    digest       bytea       NOT NULL,
    UNIQUE (lane_id, event_no)
);
CREATE INDEX passage_of_plate ON scene_parking.passage (plate_index, car_park_id, occurred_at);

-- Derived from passages and written anew when one of them comes late. Named by its first passage.
CREATE TABLE scene_parking.stay (
    stay_id        uuid        PRIMARY KEY,
    car_park_id    text        NOT NULL,
    plate_index    bytea       NOT NULL,
    plate_masked   text        NOT NULL,
    new_energy     boolean     NOT NULL,
    state          text        NOT NULL CHECK (state IN ('open', 'complete', 'entry_missed', 'exit_missed')),
    started_at     timestamptz NOT NULL,
    entered_at     timestamptz,
    left_at        timestamptz,
    exit_lane_id   text,
    passages       uuid[]      NOT NULL CHECK (cardinality(passages) > 0),
    CHECK ((entered_at IS NULL) = (state = 'entry_missed')),
    CHECK ((left_at IS NULL) = (state IN ('open', 'exit_missed')))
);
CREATE INDEX stay_of_plate ON scene_parking.stay (plate_index, started_at);
CREATE INDEX stay_of_car_park ON scene_parking.stay (car_park_id, left_at);

-- ---- money ---------------------------------------------------------------------------------------

-- What is to be paid through the core: written down before the core is asked, so that a crash in
-- between is finished by asking again under the same number. It belongs to the stay its passage is in.
CREATE TABLE scene_parking.charge (
    charge_id   uuid        PRIMARY KEY,
    kind        text        NOT NULL CHECK (kind IN ('on_account', 'code', 'month_card')),
    passage_id  uuid,
    car_park_id text        NOT NULL,
    merchant_id text        NOT NULL,
    terminal_id text        NOT NULL,
    user_id     uuid,
    amount_fen  bigint      NOT NULL CHECK (amount_fen > 0),
    details     jsonb       NOT NULL,
    state       text        NOT NULL CHECK (state IN ('intended', 'booked', 'refused')),
    order_id    uuid,
    business_on date,
    refusal     text,
    occurred_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL,
    CHECK ((state = 'booked') = (order_id IS NOT NULL AND business_on IS NOT NULL)),
    CHECK ((kind = 'month_card') = (passage_id IS NULL))
);
CREATE INDEX charge_of_passage ON scene_parking.charge (passage_id);
CREATE INDEX charge_under_way ON scene_parking.charge (recorded_at) WHERE state = 'intended';
CREATE INDEX charge_of_day ON scene_parking.charge (car_park_id, business_on);

CREATE TABLE scene_parking.charge_refund (
    refund_id   uuid        PRIMARY KEY,
    charge_id   uuid        NOT NULL REFERENCES scene_parking.charge,
    amount_fen  bigint      NOT NULL CHECK (amount_fen > 0),
    state       text        NOT NULL CHECK (state IN ('intended', 'booked', 'refused')),
    business_on date,
    refusal     text,
    recorded_at timestamptz NOT NULL,
    CHECK ((state = 'booked') = (business_on IS NOT NULL))
);
CREATE INDEX charge_refund_of_charge ON scene_parking.charge_refund (charge_id);
CREATE INDEX charge_refund_under_way ON scene_parking.charge_refund (recorded_at) WHERE state = 'intended';

-- Good while its charge is booked.
CREATE TABLE scene_parking.month_card (
    card_id     uuid        PRIMARY KEY REFERENCES scene_parking.charge,
    car_park_id text        NOT NULL,
    plate_index bytea       NOT NULL,
    valid_from  timestamptz NOT NULL,
    valid_to    timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL,
    CHECK (valid_from < valid_to)
);
CREATE INDEX month_card_of_plate ON scene_parking.month_card (plate_index, car_park_id);

-- ---- paying afterwards ---------------------------------------------------------------------------

CREATE TABLE scene_parking.contract (
    contract_id uuid        PRIMARY KEY,
    user_id     uuid        NOT NULL,
    plate_index bytea       NOT NULL,
    plate_masked text       NOT NULL,
    limit_fen   bigint      NOT NULL CHECK (limit_fen >= 0),
    signed_at   timestamptz NOT NULL,
    ended_at    timestamptz,
    recorded_by text        NOT NULL
);
CREATE UNIQUE INDEX contract_of_plate ON scene_parking.contract (plate_index) WHERE ended_at IS NULL;
CREATE INDEX contract_of_user ON scene_parking.contract (user_id);

CREATE TABLE scene_parking.debt (
    user_id  uuid        PRIMARY KEY,
    state    text        NOT NULL CHECK (state IN ('clear', 'owing', 'grey')),
    owed_fen bigint      NOT NULL CHECK (owed_fen >= 0),
    since    timestamptz,
    attempts integer     NOT NULL CHECK (attempts >= 0),
    next_at  timestamptz,
    CHECK ((state = 'clear') = (owed_fen = 0)),
    CHECK ((state = 'clear') = (since IS NULL AND next_at IS NULL))
);
CREATE INDEX debt_due ON scene_parking.debt (next_at) WHERE next_at IS NOT NULL;

CREATE TABLE scene_parking.notice (
    notice_id   uuid        PRIMARY KEY,
    user_id     uuid        NOT NULL,
    kind        text        NOT NULL CHECK (kind IN ('debit_failed', 'grey_listed', 'cleared', 'plate_in_two_places')),
    facts       jsonb       NOT NULL,
    recorded_at timestamptz NOT NULL
);
CREATE INDEX notice_of_user ON scene_parking.notice (user_id, notice_id);

-- ---- one plate in two places ---------------------------------------------------------------------

CREATE TABLE scene_parking.plate_alert (
    alert_id     uuid        PRIMARY KEY,
    plate_index  bytea       NOT NULL,
    plate_masked text        NOT NULL,
    user_id      uuid,
    stay_a       uuid        NOT NULL,
    stay_b       uuid        NOT NULL,
    evidence     jsonb       NOT NULL,
    state        text        NOT NULL CHECK (state IN ('open', 'claimed', 'closed')),
    not_mine     uuid,
    dispute_id   uuid,
    finding      text        CHECK (finding IN ('cloned', 'misread')),
    recorded_at  timestamptz NOT NULL,
    closed_at    timestamptz,
    UNIQUE (stay_a, stay_b),
    CHECK (stay_a < stay_b),
    CHECK ((state = 'closed') = (closed_at IS NOT NULL AND finding IS NOT NULL))
);
CREATE INDEX plate_alert_of_plate ON scene_parking.plate_alert (plate_index) WHERE state <> 'closed';

DO $$
DECLARE name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['car_park', 'lane', 'tariff', 'passage', 'month_card', 'notice'] LOOP
        EXECUTE format(
            'CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON scene_parking.%I '
            'FOR EACH STATEMENT EXECUTE FUNCTION scene_parking.refuse_change()', name);
    END LOOP;
END $$;
