-- Where a department is, for those who read English; empty: as in Chinese.
ALTER TABLE scene_hospital.department ADD COLUMN place_en text NOT NULL DEFAULT '';
