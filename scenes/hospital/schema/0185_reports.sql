-- Reports of examinations (检查检验报告) that other hospitals may recognise, who read them, and what
-- was made of them. What is clinical is sealed with the person's own key; nothing here can open it.

-- How long results of a category are of use: the city's catalogue. The national 办法 names no days;
-- these are figures to begin with, and "source" says where a city's own come from.
CREATE TABLE scene_hospital.report_validity (
    category text    PRIMARY KEY CHECK (category ~ '^[a-z][a-z0-9_]{0,39}$'),
    kind     text    NOT NULL CHECK (kind IN ('lab', 'imaging')),
    days     integer NOT NULL CHECK (days BETWEEN 1 AND 3650),
    name_zh  text    NOT NULL,
    name_en  text    NOT NULL,
    source   text    NOT NULL
);
INSERT INTO scene_hospital.report_validity (category, kind, days, name_zh, name_en, source) VALUES
    ('blood_count',  'lab',        3, '血常规、电解质、凝血', 'Blood count, electrolytes, clotting', 'initial'),
    ('biochemistry', 'lab',        7, '生化、肝肾功能',       'Biochemistry, liver and kidney',      'initial'),
    ('serology',     'lab',       30, '免疫、血清学',         'Immunology, serology',                'initial'),
    ('inherited',    'lab',     3650, '遗传、血型基因',       'Genetics',                            'initial'),
    ('ecg',          'imaging',    3, '心电、电生理',         'Electrocardiogram',                   'initial'),
    ('ultrasound',   'imaging',   14, '超声',                 'Ultrasound',                          'initial'),
    ('x_ray',        'imaging',   30, 'X线、CT',              'X-ray, CT',                           'initial'),
    ('mri',          'imaging',   90, '磁共振',               'Magnetic resonance',                  'initial');

CREATE TABLE scene_hospital.report (
    report_id      uuid        PRIMARY KEY,
    merchant_id    text        NOT NULL REFERENCES scene_hospital.hospital,
    visit_id       uuid        NOT NULL REFERENCES scene_hospital.visit,
    user_id        uuid        NOT NULL,
    out_report_no  text        NOT NULL,
    kind           text        NOT NULL CHECK (kind IN ('lab', 'imaging')),
    category       text        NOT NULL REFERENCES scene_hospital.report_validity,
    mark           text        NOT NULL CHECK (mark IN ('national', 'province', 'city', 'none')),
    area           text        CHECK (area ~ '^[0-9]{6}$'),
    performed_at   timestamptz NOT NULL,
    valid_until    timestamptz NOT NULL,
    content_sealed bytea       NOT NULL,
    recorded_at    timestamptz NOT NULL,
    withdrawn_at   timestamptz,
    withdrawn_for  text,
    UNIQUE (merchant_id, out_report_no),
    CHECK (performed_at < valid_until),
    CHECK ((withdrawn_at IS NULL) = (withdrawn_for IS NULL))
);
CREATE INDEX report_of_user ON scene_hospital.report (user_id, performed_at);
CREATE INDEX report_of_visit ON scene_hospital.report (visit_id);

-- Every look at reports: which, for which visit, by which doctor, on what ground.
CREATE TABLE scene_hospital.report_read (
    read_id          uuid        PRIMARY KEY,
    user_id          uuid        NOT NULL,
    merchant_id      text        NOT NULL REFERENCES scene_hospital.hospital,
    visit_id         uuid        NOT NULL REFERENCES scene_hospital.visit,
    doctor_code      text        NOT NULL,
    client_id        text        NOT NULL,
    basis            text        NOT NULL CHECK (basis IN ('consent', 'emergency')),
    emergency_reason text,
    note_sealed      bytea,
    report_ids       uuid[]      NOT NULL,
    recorded_at      timestamptz NOT NULL,
    CHECK ((basis = 'emergency') = (emergency_reason IS NOT NULL)),
    CHECK ((basis = 'emergency') = (note_sealed IS NOT NULL))
);
CREATE INDEX report_read_of_user ON scene_hospital.report_read (user_id, recorded_at);
CREATE INDEX report_read_of_visit ON scene_hospital.report_read (visit_id);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON scene_hospital.report_read
    FOR EACH STATEMENT EXECUTE FUNCTION scene_hospital.refuse_change();

-- What a doctor made of a report: one word per report and visit.
CREATE TABLE scene_hospital.report_recognition (
    report_id   uuid        NOT NULL REFERENCES scene_hospital.report,
    visit_id    uuid        NOT NULL REFERENCES scene_hospital.visit,
    merchant_id text        NOT NULL REFERENCES scene_hospital.hospital,
    user_id     uuid        NOT NULL,
    doctor_code text        NOT NULL,
    recognised  boolean     NOT NULL,
    standing    text        NOT NULL CHECK (standing IN ('recognisable', 'expired', 'other_area', 'unmarked')),
    reason      text        CHECK (reason IN ('condition_changed', 'changes_quickly', 'decisive',
                                'emergency', 'appraisal', 'other')),
    note_sealed bytea,
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (report_id, visit_id),
    CHECK (NOT recognised OR (standing = 'recognisable' AND reason IS NULL)),
    CHECK ((NOT recognised AND standing = 'recognisable') = (reason IS NOT NULL))
);
CREATE INDEX report_recognition_of_user ON scene_hospital.report_recognition (user_id, recorded_at);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON scene_hospital.report_recognition
    FOR EACH STATEMENT EXECUTE FUNCTION scene_hospital.refuse_change();
