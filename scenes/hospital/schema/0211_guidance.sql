-- Where people are sent: what a department treats, where things are, what of a visit is done; and how
-- many complained of what. Nothing of what anybody said is in here, nor who said it.
ALTER TABLE scene_hospital.department ADD COLUMN specialties text[] NOT NULL DEFAULT '{}';
CREATE INDEX department_of_specialty ON scene_hospital.department USING gin (specialties);

-- A window or room for a step of a visit, of one department or of all. "waiting" is what the hospital
-- says itself, good for as long as the scene's rules believe it.
CREATE TABLE scene_hospital.place (
    merchant_id text        NOT NULL REFERENCES scene_hospital.hospital,
    place_code  text        NOT NULL,
    step        text        NOT NULL CHECK (step IN ('register', 'check_in', 'wait', 'consult', 'pay',
                                'laboratory', 'imaging', 'treatment', 'report', 'pharmacy', 'emergency')),
    dept_code   text,
    name_zh     text        NOT NULL,
    name_en     text        NOT NULL,
    floor_zh    text        NOT NULL,
    floor_en    text        NOT NULL,
    window_no   text,
    waiting     integer     CHECK (waiting BETWEEN 0 AND 9999),
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (merchant_id, place_code),
    FOREIGN KEY (merchant_id, dept_code) REFERENCES scene_hospital.department
);

-- Steps of a visit that the hospital says are done: blood was drawn, the medicine was handed out.
CREATE TABLE scene_hospital.visit_step (
    visit_id uuid        NOT NULL REFERENCES scene_hospital.visit,
    step     text        NOT NULL CHECK (step IN ('laboratory', 'imaging', 'treatment', 'report', 'pharmacy')),
    done_at  timestamptz NOT NULL,
    PRIMARY KEY (visit_id, step)
);

-- How many complained of a group of symptoms on a day: figures, deleted after two years. merchant_id
-- is empty where nobody named a hospital.
CREATE TABLE scene_hospital.symptom_count (
    counted_on    date    NOT NULL,
    merchant_id   text    NOT NULL,
    symptom_group text    NOT NULL,
    asked         integer NOT NULL CHECK (asked > 0),
    PRIMARY KEY (counted_on, merchant_id, symptom_group)
);
