-- SPDX-License-Identifier: Apache-2.0

ALTER TABLE dictamesh_search_documents DROP COLUMN regimes;
