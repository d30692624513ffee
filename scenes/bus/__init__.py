"""Bus (公共交通): what a ride costs, who bears it, and which taps make a ride.

Pure rules, from prices to charges: ``leg_fares`` (the words), ``network`` and ``fare_products``
(what was published), ``fares``, ``product_fares``, ``distance_fare`` and ``distance_lines`` (the
leg fare), ``fare_table`` (all prices in force), ``transfers``, ``concessions`` and ``caps``,
``rides`` (a person's week, in the one order of rules), ``taps`` and ``journeys``; reading:
``feed_rows``, ``gtfs``, ``gtfs_fares_v2``, ``rule_set``; comparing: ``feed_differences``.
``tables``, ``feed_store`` and ``service`` keep versions; ``pricing`` is what ``cardcore`` calls.
No database, web or clock below ``feed_store``; nothing of ledger, codes or keys anywhere.
"""
