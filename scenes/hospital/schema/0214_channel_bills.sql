-- The third book from outside: the bill of the channel that moved the citizens' part.

-- The newest bill of a day counts; the same file again changes nothing.
CREATE TABLE scene_hospital.channel_bill (
    merchant_id text        NOT NULL REFERENCES scene_hospital.hospital,
    channel     text        NOT NULL,
    business_on date        NOT NULL,
    rows        bigint      NOT NULL CHECK (rows >= 0),
    in_fen      bigint      NOT NULL CHECK (in_fen >= 0),
    out_fen     bigint      NOT NULL CHECK (out_fen >= 0),
    sha256      bytea       NOT NULL,
    taken_by    text        NOT NULL,
    taken_at    timestamptz NOT NULL,
    PRIMARY KEY (merchant_id, channel, business_on)
);
-- What it says was paid. "our_no" is what the scene named: HP… a payment, HR… a return, HD… a deposit, HDR… its rest.
CREATE TABLE scene_hospital.channel_item (
    merchant_id text    NOT NULL,
    channel     text    NOT NULL,
    business_on date    NOT NULL,
    row_no      integer NOT NULL CHECK (row_no > 0),
    channel_no  text    NOT NULL,
    our_no      text    NOT NULL,
    direction   text    NOT NULL CHECK (direction IN ('in', 'out')),
    amount_fen  bigint  NOT NULL CHECK (amount_fen > 0),
    PRIMARY KEY (merchant_id, channel, business_on, row_no),
    FOREIGN KEY (merchant_id, channel, business_on) REFERENCES scene_hospital.channel_bill
);
CREATE INDEX channel_item_of_ours ON scene_hospital.channel_item (merchant_id, our_no);

-- A day of which the hospital has said that it has told everything: what is missing then goes back.
CREATE TABLE scene_hospital.his_day (
    merchant_id text        NOT NULL REFERENCES scene_hospital.hospital,
    business_on date        NOT NULL,
    complete_at timestamptz NOT NULL,
    PRIMARY KEY (merchant_id, business_on)
);

-- Payments against the city's orders are a comparison of their own.
ALTER TABLE scene_hospital.difference DROP CONSTRAINT difference_kind_check;
ALTER TABLE scene_hospital.difference DROP CONSTRAINT difference_owner_check;
UPDATE scene_hospital.difference SET kind = replace(kind, 'channel_', 'order_') WHERE kind LIKE 'channel\_%';
ALTER TABLE scene_hospital.difference
    ADD CONSTRAINT difference_kind_check CHECK (kind IN (
        'insurer_only', 'insurer_missing', 'insurer_amount', 'his_only', 'his_missing', 'his_amount',
        'order_only', 'order_missing', 'order_amount', 'channel_only', 'channel_missing', 'channel_amount')),
    ADD CONSTRAINT difference_owner_check CHECK (owner IN ('city', 'hospital', 'insurer', 'channel'));
