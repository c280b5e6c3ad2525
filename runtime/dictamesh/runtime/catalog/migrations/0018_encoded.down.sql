-- SPDX-License-Identifier: Apache-2.0
ALTER TABLE dictamesh_event_log DROP COLUMN encoded;
