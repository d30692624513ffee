-- Registering for a visit: who sees patients when, the places there are, and who has one.
CREATE SCHEMA scene_hospital;

CREATE FUNCTION scene_hospital.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% of %.% is refused: rows are only ever added', TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME;
END $$;

-- A hospital and its rules. "fixmedins_code" is its number with the insurer (定点医药机构编号); without
-- one everybody pays for themselves. Orders carry "terminal_id", the counter of its own system.
CREATE TABLE scene_hospital.hospital (
    merchant_id           text        PRIMARY KEY,
    terminal_id           text        NOT NULL,
    fixmedins_code        text,
    hold_s                integer     NOT NULL DEFAULT 600 CHECK (hold_s > 0),
    cancel_before_s       integer     NOT NULL DEFAULT 7200 CHECK (cancel_before_s >= 0),
    days_ahead            integer     NOT NULL DEFAULT 7 CHECK (days_ahead >= 0),
    per_day_max           integer     NOT NULL DEFAULT 3 CHECK (per_day_max > 0),
    no_show_max           integer     NOT NULL DEFAULT 3 CHECK (no_show_max > 0),
    no_show_days          integer     NOT NULL DEFAULT 90 CHECK (no_show_days > 0),
    blocked_days          integer     NOT NULL DEFAULT 30 CHECK (blocked_days > 0),
    quote_s               integer     NOT NULL DEFAULT 1800 CHECK (quote_s > 0),
    outpatient_prepayment boolean     NOT NULL DEFAULT false,
    recorded_at           timestamptz NOT NULL
);

CREATE TABLE scene_hospital.department (
    merchant_id text NOT NULL REFERENCES scene_hospital.hospital,
    dept_code   text NOT NULL,
    name_zh     text NOT NULL,
    name_en     text NOT NULL,
    place       text NOT NULL,
    PRIMARY KEY (merchant_id, dept_code)
);

CREATE TABLE scene_hospital.doctor (
    merchant_id text NOT NULL,
    doctor_code text NOT NULL,
    dept_code   text NOT NULL,
    name        text NOT NULL,
    title_zh    text NOT NULL,
    title_en    text NOT NULL,
    PRIMARY KEY (merchant_id, doctor_code),
    FOREIGN KEY (merchant_id, dept_code) REFERENCES scene_hospital.department
);

-- One doctor (or a department's open list) on one half of one day. "walk_in_count" places of
-- "slot_count" are kept for those who come without an appointment.
CREATE TABLE scene_hospital.schedule (
    schedule_id   uuid        PRIMARY KEY,
    merchant_id   text        NOT NULL,
    dept_code     text        NOT NULL,
    doctor_code   text,
    visit_on      date        NOT NULL,
    session       text        NOT NULL CHECK (session IN ('morning', 'afternoon', 'evening')),
    slot_type     text        NOT NULL CHECK (slot_type IN ('general', 'expert', 'special', 'emergency')),
    fee_fen       bigint      NOT NULL CHECK (fee_fen >= 0),
    starts_at     timestamptz NOT NULL,
    ends_at       timestamptz NOT NULL,
    slot_count    integer     NOT NULL CHECK (slot_count BETWEEN 1 AND 500),
    walk_in_count integer     NOT NULL CHECK (walk_in_count BETWEEN 0 AND slot_count),
    status        text        NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'stopped')),
    queue_no_last integer     NOT NULL DEFAULT 0,
    recorded_at   timestamptz NOT NULL,
    UNIQUE NULLS NOT DISTINCT (merchant_id, dept_code, doctor_code, visit_on, session, slot_type),
    FOREIGN KEY (merchant_id, dept_code) REFERENCES scene_hospital.department,
    CHECK (starts_at < ends_at)
);
CREATE INDEX schedule_of_day ON scene_hospital.schedule (merchant_id, visit_on, dept_code);
CREATE INDEX schedule_ending ON scene_hospital.schedule (ends_at);

CREATE TABLE scene_hospital.slot (
    schedule_id     uuid        NOT NULL REFERENCES scene_hospital.schedule,
    slot_no         smallint    NOT NULL CHECK (slot_no > 0),
    starts_at       timestamptz NOT NULL,
    walk_in         boolean     NOT NULL,
    registration_id uuid        UNIQUE,
    PRIMARY KEY (schedule_id, slot_no)
);
CREATE INDEX slot_free ON scene_hospital.slot (schedule_id, walk_in, slot_no) WHERE registration_id IS NULL;

CREATE TABLE scene_hospital.registration (
    registration_id uuid        PRIMARY KEY,
    merchant_id     text        NOT NULL REFERENCES scene_hospital.hospital,
    schedule_id     uuid        NOT NULL REFERENCES scene_hospital.schedule,
    slot_no         smallint    NOT NULL,
    user_id         uuid        NOT NULL,
    dept_code       text        NOT NULL,
    visit_on        date        NOT NULL,
    session         text        NOT NULL,
    walk_in         boolean     NOT NULL,
    state           text        NOT NULL CHECK (state IN ('held', 'booked', 'checked_in', 'called',
                        'passed', 'seen', 'cancelled', 'lapsed', 'no_show')),
    fee_fen         bigint      NOT NULL CHECK (fee_fen >= 0),
    slot_at         timestamptz NOT NULL,
    hold_ends_at    timestamptz,
    bill_id         uuid,
    priority        smallint    NOT NULL DEFAULT 0,
    queue_no        integer,
    calls           smallint    NOT NULL DEFAULT 0,
    turn            integer,
    recorded_at     timestamptz NOT NULL,
    changed_at      timestamptz NOT NULL,
    CHECK ((state = 'held') = (hold_ends_at IS NOT NULL)),
    UNIQUE (schedule_id, queue_no)
);
-- One place per person, department and half day, whatever two counters do at the same instant.
CREATE UNIQUE INDEX registration_once ON scene_hospital.registration
    (user_id, merchant_id, dept_code, visit_on, session)
    WHERE state NOT IN ('cancelled', 'lapsed', 'no_show');
CREATE INDEX registration_of_user ON scene_hospital.registration (user_id, visit_on);
CREATE INDEX registration_of_schedule ON scene_hospital.registration (schedule_id);
CREATE INDEX registration_held ON scene_hospital.registration (hold_ends_at) WHERE state = 'held';
CREATE INDEX registration_of_bill ON scene_hospital.registration (bill_id) WHERE bill_id IS NOT NULL;

CREATE TABLE scene_hospital.registration_event (
    event_no        bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    registration_id uuid        NOT NULL REFERENCES scene_hospital.registration,
    step            text        NOT NULL,
    state_after     text        NOT NULL,
    done_by         text        NOT NULL,
    recorded_at     timestamptz NOT NULL
);
CREATE INDEX registration_event_of ON scene_hospital.registration_event (registration_id, event_no);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON scene_hospital.registration_event
    FOR EACH STATEMENT EXECUTE FUNCTION scene_hospital.refuse_change();
