-- "undoing": a cancelling (2208) or a reversal (2601) of what was said last may have been heard, now
-- or later: whatever is found settled from here on is taken back, never believed.
ALTER TABLE scene_hospital.payment ADD COLUMN undoing boolean NOT NULL DEFAULT false;
ALTER TABLE scene_hospital.refund ADD COLUMN undoing boolean NOT NULL DEFAULT false;
UPDATE scene_hospital.payment SET undoing = true WHERE state IN ('reversing', 'cancelling');
UPDATE scene_hospital.refund SET undoing = true WHERE state = 'reversing';

-- "whole": the rest could not be settled at what was paid, so all of the payment goes back and the
-- rest is billed anew; "follows_bill_id": the bill whose rest this one is.
ALTER TABLE scene_hospital.refund ADD COLUMN whole boolean NOT NULL DEFAULT false;
ALTER TABLE scene_hospital.bill ADD COLUMN follows_bill_id uuid UNIQUE REFERENCES scene_hospital.bill;
