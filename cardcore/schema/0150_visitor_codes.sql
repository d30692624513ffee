-- Somebody who is only let in needs no name: a printed code that says nothing and pays nothing, for
-- at most a week. Several may be valid, so that a lost reply can be asked for again.
INSERT INTO cardcore.offline_limit
    (level, code_class, validity_min, cap_fen, cumulative_cap_fen, uses_max, dynamic_ttl_s, living_max)
VALUES ('anonymous', 'P', 10080, 0, 0, 0, 30, 3);
