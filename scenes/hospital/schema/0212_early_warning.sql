-- Daily counts of complaints that other points send: gates, schools, pharmacies, laboratories. Figures
-- alone, by whoever tells them; deleted after two years.
CREATE TABLE scene_hospital.point_count (
    counted_on    date        NOT NULL,
    point         text        NOT NULL CHECK (point IN ('gate', 'school', 'pharmacy', 'laboratory')),
    symptom_group text        NOT NULL,
    told_by       text        NOT NULL,
    counted       integer     NOT NULL CHECK (counted >= 0),
    recorded_at   timestamptz NOT NULL,
    PRIMARY KEY (counted_on, point, symptom_group, told_by)
);
