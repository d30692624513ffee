-- Who a hospital knows a person as: the name they have with this hospital alone, the same that is told
-- when their code is verified there. Written when the hospital is told it for the first time.
CREATE TABLE scene_hospital.patient (
    merchant_id text        NOT NULL REFERENCES scene_hospital.hospital,
    user_id     uuid        NOT NULL,
    subject     text        NOT NULL UNIQUE,
    named_at    timestamptz NOT NULL,
    PRIMARY KEY (merchant_id, user_id)
);
-- A hospital's appointments of a day, as its system asks for them.
CREATE INDEX registration_of_day ON scene_hospital.registration (merchant_id, slot_at);
