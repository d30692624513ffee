"""Outside services, one file each, with its simulator. Nothing of the core imports from here."""
