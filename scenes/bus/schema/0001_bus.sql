-- Versions of published prices. Rows are only ever added: an order of last year is explained from
-- the activation it was priced by. No foreign key leaves this schema.
CREATE SCHEMA scene_bus;

CREATE FUNCTION scene_bus.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% of %.% is refused: rows are only ever added', TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME;
END $$;

-- One import of one source: an operator's feed, or a set of distance lines.
CREATE TABLE scene_bus.tariff_version (
    version_no  integer     GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source      text        NOT NULL CHECK (source ~ '^[a-z][a-z0-9_]{0,39}$'),
    format      text        NOT NULL CHECK (format IN ('gtfs', 'distance')),
    timezone    text        NOT NULL,
    digest      bytea       NOT NULL CHECK (octet_length(digest) = 32),
    notices     jsonb       NOT NULL,
    imported_by text        NOT NULL,
    recorded_at timestamptz NOT NULL,
    UNIQUE (source, digest)
);

-- From when on a source is priced by a version. The latest row of a source counts; going back is a
-- new row. version_no NULL withdraws the source.
CREATE TABLE scene_bus.activation (
    activation_no integer     GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source        text        NOT NULL,
    version_no    integer     REFERENCES scene_bus.tariff_version,
    activated_by  text        NOT NULL,
    recorded_at   timestamptz NOT NULL
);
CREATE INDEX activation_of_source ON scene_bus.activation (source, activation_no DESC);

CREATE TABLE scene_bus.stop (
    version_no    integer  NOT NULL REFERENCES scene_bus.tariff_version,
    stop_id       text     NOT NULL,
    name          text     NOT NULL,
    zone_id       text     NOT NULL,
    parent_id     text     NOT NULL,
    location_type smallint NOT NULL,
    PRIMARY KEY (version_no, stop_id)
);

CREATE TABLE scene_bus.line (
    version_no integer NOT NULL REFERENCES scene_bus.tariff_version,
    line_id    text    NOT NULL,
    name       text    NOT NULL,
    agency_id  text    NOT NULL,
    network_id text    NOT NULL,
    PRIMARY KEY (version_no, line_id)
);

CREATE TABLE scene_bus.pattern_stop (
    version_no integer NOT NULL REFERENCES scene_bus.tariff_version,
    line_id    text    NOT NULL,
    pattern_no integer NOT NULL,
    sequence   integer NOT NULL,
    stop_id    text    NOT NULL,
    PRIMARY KEY (version_no, line_id, pattern_no, sequence)
);

CREATE TABLE scene_bus.trip (
    version_no integer  NOT NULL REFERENCES scene_bus.tariff_version,
    trip_id    text     NOT NULL,
    line_id    text     NOT NULL,
    service_id text     NOT NULL,
    direction  smallint NOT NULL,
    pattern_no integer  NOT NULL,
    starts_s   integer,
    ends_s     integer,
    PRIMARY KEY (version_no, trip_id)
);

CREATE TABLE scene_bus.service (
    version_no integer    NOT NULL REFERENCES scene_bus.tariff_version,
    service_id text       NOT NULL,
    weekdays   smallint[] NOT NULL,
    starts_on  date       NOT NULL,
    ends_on    date       NOT NULL,
    added      date[]     NOT NULL,
    removed    date[]     NOT NULL,
    PRIMARY KEY (version_no, service_id)
);

CREATE TABLE scene_bus.fare (
    version_no          integer NOT NULL REFERENCES scene_bus.tariff_version,
    fare_id             text    NOT NULL,
    price_fen           bigint  NOT NULL CHECK (price_fen >= 0),
    prepaid             boolean NOT NULL,
    transfers           integer,
    transfer_duration_s integer,
    PRIMARY KEY (version_no, fare_id)
);

CREATE TABLE scene_bus.fare_rule (
    version_no     integer NOT NULL REFERENCES scene_bus.tariff_version,
    rule_no        integer NOT NULL,
    fare_id        text    NOT NULL,
    line_id        text    NOT NULL,
    origin_id      text    NOT NULL,
    destination_id text    NOT NULL,
    contains_id    text    NOT NULL,
    PRIMARY KEY (version_no, rule_no)
);

-- Files of the newer fares, verbatim: they are few and small, and are read again when loaded.
CREATE TABLE scene_bus.product_file (
    version_no integer NOT NULL REFERENCES scene_bus.tariff_version,
    name       text    NOT NULL,
    content    bytea   NOT NULL,
    PRIMARY KEY (version_no, name)
);
CREATE TABLE scene_bus.currency (
    version_no     integer NOT NULL REFERENCES scene_bus.tariff_version,
    code           text    NOT NULL,
    minor_per_unit integer NOT NULL CHECK (minor_per_unit > 0),
    PRIMARY KEY (version_no, code)
);

CREATE TABLE scene_bus.distance_line (
    version_no integer   NOT NULL REFERENCES scene_bus.tariff_version,
    line_id    text      NOT NULL,
    name       text      NOT NULL,
    sentence   text      NOT NULL,
    stops      text[]    NOT NULL,
    along_m    integer[] NOT NULL,
    PRIMARY KEY (version_no, line_id),
    CHECK (cardinality(stops) = cardinality(along_m) AND cardinality(stops) >= 2)
);

DO $$
DECLARE name text;
BEGIN
    FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'scene_bus' LOOP
        EXECUTE format(
            'CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON scene_bus.%I '
            'FOR EACH STATEMENT EXECUTE FUNCTION scene_bus.refuse_change()', name);
    END LOOP;
END $$;
