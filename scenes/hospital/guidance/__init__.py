"""智能导诊: from what somebody says to where they should go. It names no disease and finds none.

``text`` makes words comparable, ``knowledge`` holds the tables under ``knowledge/``, ``reading``
finds complaints and what is denied of them, ``triage`` raises red flags and ranks departments.
"""
