"""Terminals away from the server: how they are enrolled, what they carry, what they bring back.

A room beside the three words of the API: it may call ``business``, ``account`` and ``user``; none
of them calls it. What a terminal decides off-line is decided by ``codes`` on the terminal itself.
"""
