-- Two scenes without parts of their own may have the same package, byte for byte.
ALTER TABLE cardcore.terminal_package DROP CONSTRAINT terminal_package_etag_key;
ALTER TABLE cardcore.terminal_package ADD CONSTRAINT terminal_package_of_scene UNIQUE (scene, etag);
