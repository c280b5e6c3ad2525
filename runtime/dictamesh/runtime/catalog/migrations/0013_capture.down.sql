-- SPDX-License-Identifier: Apache-2.0
DROP TABLE dictamesh_entity_state;
DROP TABLE dictamesh_capture_state;
