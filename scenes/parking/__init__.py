"""Parking (智慧停车): cars known by their plates, from the entry to the car-park owner's money.

Pure rules: ``tariffs`` (what a stay costs), ``stays`` (which passages make one stay), ``exits``
(does the gate open), ``clones`` (one plate in two places), ``debits`` (when what is owed is asked
for again). ``pricing`` is what ``cardcore`` calls, ``tables`` and ``service`` keep car parks,
passages and stays.
"""
