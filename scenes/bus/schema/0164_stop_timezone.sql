-- A stop may keep another clock than its feed; '' is the feed's.
ALTER TABLE scene_bus.stop ADD COLUMN timezone text NOT NULL DEFAULT '';
