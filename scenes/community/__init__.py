"""Community (社区物业与养老): gates, doors and who may pass them when.

``access`` is the pure rule, ``pricing`` what ``cardcore`` calls, ``tables`` and ``service`` keep
doors and grants. A passage costs nothing; it is recorded as an order of amount zero.
"""
