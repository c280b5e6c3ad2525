# SPDX-License-Identifier: Apache-2.0
"""Kafka and the schema registry: what publishes the event log, and what may stand in a topic."""
