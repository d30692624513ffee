-- In a feed of several operators a fare may be one operator's alone; '' is any.
ALTER TABLE scene_bus.fare ADD COLUMN agency_id text NOT NULL DEFAULT '';
