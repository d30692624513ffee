-- The journal has an order of its own: two events of one instant are told in the order they were
-- written.
ALTER TABLE cardcore.person_event ADD COLUMN seq bigint GENERATED ALWAYS AS IDENTITY;
