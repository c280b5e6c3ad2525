-- SPDX-License-Identifier: Apache-2.0
DROP TABLE dictamesh_entity_relationships;
DROP TABLE dictamesh_entity_catalog;
DROP TABLE dictamesh_schemas;
DROP FUNCTION dictamesh_touch_updated_at();
