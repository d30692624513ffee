-- The day first: whoever asks for a merchant's day names both, some ask for a day of all merchants, and
-- new orders lie together. Led by the merchant, it was also taken for looking up a merchant's own
-- number while the table was young, and read a whole merchant for each.
DROP INDEX cardcore.business_order_of_day;
CREATE INDEX business_order_of_day ON cardcore.business_order (business_on, merchant_id);
