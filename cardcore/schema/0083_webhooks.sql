-- Webhooks: who wants to hear of what, what there was to hear, and how telling it went.
-- cardcore.outbox is a queue: the relay takes rows out and keeps those that somebody waits for.

CREATE TABLE cardcore.webhook_endpoint (
    endpoint_id     uuid        PRIMARY KEY,
    merchant_id     text        NOT NULL REFERENCES cardcore.merchant,
    url             text        NOT NULL CHECK (length(url) <= 500),
    topics          text[]      NOT NULL CHECK (cardinality(topics) > 0),
    status          text        NOT NULL CHECK (status IN ('active', 'disabled')),
    disabled_reason text,
    recorded_at     timestamptz NOT NULL,
    CHECK ((status = 'disabled') = (disabled_reason IS NOT NULL))
);
CREATE INDEX webhook_endpoint_of ON cardcore.webhook_endpoint (merchant_id);

CREATE TABLE cardcore.webhook_event (
    event_id    uuid        PRIMARY KEY,
    merchant_id text        NOT NULL,
    topic       text        NOT NULL,
    subject_id  uuid        NOT NULL,
    version     bigint      NOT NULL UNIQUE,
    occurred_at timestamptz NOT NULL,
    payload     jsonb       NOT NULL
);

CREATE TABLE cardcore.webhook_delivery (
    delivery_id uuid        PRIMARY KEY,
    event_id    uuid        NOT NULL REFERENCES cardcore.webhook_event,
    endpoint_id uuid        NOT NULL REFERENCES cardcore.webhook_endpoint,
    status      text        NOT NULL CHECK (status IN ('pending', 'delivered', 'failed', 'cancelled')),
    attempts    smallint    NOT NULL DEFAULT 0,
    tries_left  smallint    NOT NULL CHECK (tries_left >= 0),
    next_at     timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL,
    UNIQUE (event_id, endpoint_id)
);
CREATE INDEX webhook_delivery_due ON cardcore.webhook_delivery (next_at) WHERE status = 'pending';
CREATE INDEX webhook_delivery_of ON cardcore.webhook_delivery (endpoint_id, delivery_id);

CREATE TABLE cardcore.webhook_attempt (
    delivery_id uuid        NOT NULL REFERENCES cardcore.webhook_delivery,
    attempt_no  smallint    NOT NULL,
    begun_at    timestamptz NOT NULL,
    outcome     text        NOT NULL,
    status_code integer,
    PRIMARY KEY (delivery_id, attempt_no)
);
