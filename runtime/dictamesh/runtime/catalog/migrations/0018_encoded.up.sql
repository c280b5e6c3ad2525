-- SPDX-License-Identifier: Apache-2.0
-- Events as they are published: encoded once, while they are in memory, so that the relay neither parses nor encodes.

ALTER TABLE dictamesh_event_log ADD COLUMN encoded bytea;
COMMENT ON COLUMN dictamesh_event_log.encoded IS
    'DictaMesh: 8 bytes that tell a schema, and the event in Avro by it; null where the relay encodes event_payload.';
