"""The agent of a bus validator or gate: decides offline, keeps what it decided, uploads it.

``home`` is its folder, ``key`` and ``enrolment`` who it is, ``package_store`` what it was told.
``decision`` judges a scan by ``codes.verify`` and the fares, and writes the signed record through
``journal`` before anybody is told: the one durable step. ``memory`` (replay and offline uses) and
``record_queue`` live in the same file, so a power cut leaves them agreeing. ``uplink`` empties the
queue and pulls packages by ``backoff`` through ``server``; ``display`` has every word a person
reads; ``input_stdin``, ``input_images`` and ``input_http`` bring scans; ``agent`` ties it together.
No network and no server is needed to decide. Source: docs/terminal.md.
"""
