# SPDX-License-Identifier: Apache-2.0
"""The event log published to Kafka: topics, schemas, the relay, and reading either bus."""
