-- What happened, for a stream outside: filled by the relay where an installation has a stream, and
-- emptied as the stream acknowledges. The event's id is what the stream tells duplicates by.
CREATE TABLE cardcore.event_feed (
    seq         bigint      PRIMARY KEY,
    event_id    uuid        NOT NULL UNIQUE,
    topic       text        NOT NULL,
    subject_id  uuid        NOT NULL,
    merchant_id text,
    recorded_at timestamptz NOT NULL,
    payload     jsonb       NOT NULL
);
