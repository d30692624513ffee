"""Bus (公共交通): what a ride costs, who pays it, and which taps make a ride.

Pure rules: ``feed_rows`` and ``gtfs`` (reading a feed), ``fares`` and ``distance_fare`` (the leg
fare), ``concessions`` (citizen and subsidy shares), ``transfers``, ``caps`` and ``journeys``.
``tables`` and ``service`` keep versions of feeds; ``pricing`` is what ``cardcore`` calls.
No database, web or clock below ``service``.
"""
