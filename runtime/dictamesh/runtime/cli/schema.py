# SPDX-License-Identifier: Apache-2.0
"""`schema`: GraphQL SDL, Avro schemas of topics, JSON Schema of the spec files."""

import argparse

from dictamesh.connectors.registry import manifests
from dictamesh.runtime.cli.common import entities_of, plan_of, print_json
from dictamesh.runtime.cli.exits import FINDINGS, FINE, UsageError
from dictamesh.specs.jsonschema import document_schema


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("kind", choices=["graphql", "avro", "json"], help="which schema")
    parser.add_argument("entity", nargs="?", help="avro: one entity, by type or product#Entity (default: all)")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the schema; `json` needs no mesh file."""
    if options.entity is not None and options.kind != "avro":
        raise UsageError(f"'schema {options.kind}' takes no entity")
    if options.kind == "json":
        print_json(document_schema(manifests()))
        return FINE
    plan = plan_of(options, lambda: FINDINGS)
    if isinstance(plan, int):
        return plan
    if options.kind == "graphql":
        print(plan.sdl, end="")
        return FINE
    found = {entity.topic.name: entity.avro for entity in entities_of(plan, options.entity)}
    print_json(next(iter(found.values())) if options.entity else found)
    return FINE
