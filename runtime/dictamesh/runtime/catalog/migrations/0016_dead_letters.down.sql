-- SPDX-License-Identifier: Apache-2.0
DROP TABLE dictamesh_webhook_deliveries;
DROP TABLE dictamesh_dead_letters;
