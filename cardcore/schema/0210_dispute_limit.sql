-- Up to how much one person may credit or decide alone, by reason; above it two do (four eyes).
ALTER TABLE cardcore.dispute_rule
    ADD COLUMN alone_fen_max bigint NOT NULL DEFAULT 20000 CHECK (alone_fen_max >= 0);
