-- Cards: the vault (number sealed, found by a blind index), tokens by domain, life, tap counters.

-- Which numbers an issuer gives out. The longest prefix that fits decides.
CREATE TABLE cardcore.card_format (
    prefix      text     PRIMARY KEY CHECK (prefix ~ '^[0-9]{1,12}$'),
    issuer_id   integer  NOT NULL CHECK (issuer_id BETWEEN 0 AND 65535),
    digit_count smallint NOT NULL CHECK (digit_count BETWEEN 16 AND 20),
    check_digit text     NOT NULL CHECK (check_digit IN ('luhn', 'none')),
    name_zh     text     NOT NULL,
    name_en     text     NOT NULL
);

-- Master keys of cards by the version a card tells; the key itself lies in the security module.
CREATE TABLE cardcore.card_key (
    issuer_id   integer     NOT NULL CHECK (issuer_id BETWEEN 0 AND 65535),
    key_version smallint    NOT NULL CHECK (key_version BETWEEN 0 AND 255),
    suite       text        NOT NULL CHECK (suite IN ('sm4', '3des')),
    label       text        NOT NULL UNIQUE,
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (issuer_id, key_version)
);

-- alias is what orders know the card by while it is good: it stands in code_token, and a card that
-- is lost, frozen or unbound has none, so no order can find its owner by it.
CREATE TABLE cardcore.card (
    card_id        uuid        PRIMARY KEY,
    kind           text        NOT NULL CHECK (kind IN ('cpu', 'legacy', 'printed')),
    issuer_id      integer     NOT NULL,
    key_version    smallint,
    number_sealed  bytea       NOT NULL,
    number_index   bytea       NOT NULL UNIQUE,
    number_masked  text        NOT NULL,
    user_id        uuid        REFERENCES cardcore.person,
    status         text        NOT NULL CHECK (status IN ('active', 'lost', 'frozen', 'replaced', 'closed')),
    alias          bytea       UNIQUE CHECK (octet_length(alias) = 8),
    status_index   integer     CHECK (status_index >= 0),
    valid_from     date        NOT NULL,
    valid_to       date        NOT NULL,
    liability_from timestamptz,
    replaces       uuid        REFERENCES cardcore.card,
    tap_counter    integer     NOT NULL DEFAULT 0 CHECK (tap_counter BETWEEN 0 AND 65535),
    recorded_at    timestamptz NOT NULL,
    CHECK (valid_from <= valid_to),
    CHECK ((kind = 'printed') = (key_version IS NULL)),
    CHECK ((alias IS NOT NULL) = (status = 'active' AND user_id IS NOT NULL))
);
CREATE INDEX card_of_user ON cardcore.card (user_id);
CREATE UNIQUE INDEX card_of_status_index ON cardcore.card (issuer_id, status_index)
    WHERE status_index IS NOT NULL;

-- What became of a card, for ever. The state after the event stands in the row: it answers a
-- repeated request, and says whose the card was when a tap of last week comes in.
CREATE TABLE cardcore.card_event (
    event_id       uuid        PRIMARY KEY,
    card_id        uuid        NOT NULL REFERENCES cardcore.card,
    event_no       integer     NOT NULL CHECK (event_no > 0),
    kind           text        NOT NULL,
    status         text        NOT NULL,
    user_id        uuid,
    liability_from timestamptz,
    reason         text        NOT NULL,
    client_id      text        NOT NULL,
    recorded_at    timestamptz NOT NULL,
    UNIQUE (card_id, event_no)
);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON cardcore.card_event
    FOR EACH STATEMENT EXECUTE FUNCTION cardcore.refuse_change();

-- A token stands for the card's number in one domain: one scene, one merchant, both, or anywhere.
CREATE TABLE cardcore.card_token (
    token       bytea       PRIMARY KEY CHECK (octet_length(token) = 8),
    card_id     uuid        NOT NULL REFERENCES cardcore.card,
    scene       text,
    merchant_id text,
    event_id    uuid        NOT NULL REFERENCES cardcore.card_event,
    recorded_at timestamptz NOT NULL,
    revoked_at  timestamptz
);
CREATE INDEX card_token_of_card ON cardcore.card_token (card_id);

-- A spent tap raises its card's counter in the order's own transaction. The replay key of a tap is
-- 'T', card id (16), counter (2); for codes the condition is all this costs.
CREATE FUNCTION cardcore.raise_tap_counter() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE cardcore.card
       SET tap_counter = get_byte(NEW.replay_key, 17) * 256 + get_byte(NEW.replay_key, 18)
     WHERE card_id = encode(substring(NEW.replay_key FROM 2 FOR 16), 'hex')::uuid
       AND tap_counter < get_byte(NEW.replay_key, 17) * 256 + get_byte(NEW.replay_key, 18);
    RETURN NULL;
END $$;
CREATE TRIGGER raise_tap_counter AFTER INSERT ON cardcore.used_code
    FOR EACH ROW WHEN (get_byte(NEW.replay_key, 0) = 84)
    EXECUTE FUNCTION cardcore.raise_tap_counter();

INSERT INTO cardcore.card_format (prefix, issuer_id, digit_count, check_digit, name_zh, name_en) VALUES
    ('370406', 14084, 16, 'luhn', '山亭市民卡', 'Shanting citizen card');
