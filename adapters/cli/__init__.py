"""The command line: ``cardcore <command>``. One file per area; ``main`` mounts them."""
