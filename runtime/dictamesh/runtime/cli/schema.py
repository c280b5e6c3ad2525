# SPDX-License-Identifier: Apache-2.0
"""`schema`: GraphQL SDL, Avro schemas of topics, JSON Schema of the spec files."""

import argparse

from dictamesh.connectors.registry import manifests
from dictamesh.runtime.cli.common import plan_of, print_json
from dictamesh.runtime.cli.exits import FINDINGS, FINE, UsageError
from dictamesh.specs.jsonschema import document_schema
from dictamesh.specs.suggest import suggest


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
    found = {
        entity.topic.name: entity.avro
        for entity in plan.entities.values()
        if options.entity in {None, entity.name, entity.address}
    }
    if not found:
        names = [entity.name for entity in plan.entities.values()]
        near = suggest(options.entity, names)
        hint = f"did you mean '{near}'?" if near else f"there are: {', '.join(names)}"
        raise UsageError(f"there is no entity '{options.entity}'; {hint}")
    print_json(next(iter(found.values())) if options.entity else found)
    return FINE
