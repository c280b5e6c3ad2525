-- SPDX-License-Identifier: Apache-2.0
DROP TABLE dictamesh_event_log;
DROP TABLE dictamesh_event_partitions;
DROP FUNCTION dictamesh_refuse_change_but_retention();
