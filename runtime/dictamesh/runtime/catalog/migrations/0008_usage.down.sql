-- SPDX-License-Identifier: Apache-2.0
DROP TABLE dictamesh_cache_status;
DROP TABLE dictamesh_service_levels;
DROP TABLE dictamesh_usage;
