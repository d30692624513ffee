-- Which proof of a plate is the newest: two may be of one instant.
ALTER TABLE cardcore.plate_proof ADD COLUMN seq bigint GENERATED ALWAYS AS IDENTITY UNIQUE;
