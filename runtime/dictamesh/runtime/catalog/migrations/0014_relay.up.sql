-- SPDX-License-Identifier: Apache-2.0
-- How far the event log has been published to Kafka (EV-13, EV-17).

CREATE TABLE dictamesh_relay_offsets (
    mesh         text        NOT NULL,
    topic        text        COLLATE "C" NOT NULL,
    partition    integer     NOT NULL,
    next_offset  bigint      NOT NULL,
    published_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pk_dictamesh_relay_offsets PRIMARY KEY (mesh, topic, partition),
    CONSTRAINT chk_dictamesh_relay_offsets_numbers CHECK (partition >= 0 AND next_offset >= 0)
) WITH (fillfactor = 50);
COMMENT ON TABLE dictamesh_relay_offsets IS
    'DictaMesh: the next offset of each partition to be published; moved once the brokers have what lies before it.';
