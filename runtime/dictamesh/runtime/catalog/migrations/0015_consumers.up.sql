-- SPDX-License-Identifier: Apache-2.0
-- How far each group of consumers has come in the event log (EV-10, EV-17).

CREATE TABLE dictamesh_consumer_offsets (
    group_name  text        NOT NULL,
    topic       text        COLLATE "C" NOT NULL,
    partition   integer     NOT NULL,
    next_offset bigint      NOT NULL,
    updated_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pk_dictamesh_consumer_offsets PRIMARY KEY (group_name, topic, partition),
    CONSTRAINT chk_dictamesh_consumer_offsets_numbers CHECK (partition >= 0 AND next_offset >= 0)
) WITH (fillfactor = 50);
COMMENT ON TABLE dictamesh_consumer_offsets IS
    'DictaMesh: the next offset that a group reads of each partition; moved in the transaction that holds its effects.';
