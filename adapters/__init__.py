"""The front doors and the outside world: HTTP, web pages, terminals, partners, CLI, drivers.

Only ``wiring`` builds implementations. Nothing below imports from here.
"""
