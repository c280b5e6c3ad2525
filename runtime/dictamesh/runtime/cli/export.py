# SPDX-License-Identifier: Apache-2.0
"""`export KIND`: what other tools read of a mesh, a file each in a folder, or on standard output."""

import argparse
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from dictamesh.runtime.cli.common import entities_of, plan_of, products_of, write_files
from dictamesh.runtime.cli.exits import FINDINGS, FINE
from dictamesh.runtime.compile.plan import EntityPlan
from dictamesh.runtime.exports.asyncapi import events
from dictamesh.runtime.exports.dbt import properties
from dictamesh.runtime.exports.ddl import ddl
from dictamesh.runtime.exports.dialects import DIALECTS
from dictamesh.runtime.exports.json_schema import bundle, row_schema
from dictamesh.specs.documents import write
from dictamesh.specs.odcs.exporting import to_contract

Run = Callable[[argparse.Namespace], int]

_DIALECT = "postgres"


def arguments(parser: argparse.ArgumentParser) -> None:
    kinds = parser.add_subparsers(title="kinds", metavar="KIND", required=True)
    odcs = _kind(kinds, "odcs", "a contract of the Open Data Contract Standard for each product", run_odcs)
    odcs.add_argument("names", nargs="*", metavar="PRODUCT", help="products (default: all)")
    runs = {
        "avro": ("the Avro schema of each topic", run_avro),
        "jsonschema": ("the JSON Schema of the rows of each entity", run_jsonschema),
        "sql": ("a table for each entity, as DDL", run_sql),
        "dbt": ("a dbt properties file for each product: models, sources, tests", run_dbt),
        "asyncapi": ("an AsyncAPI document of all topics", run_asyncapi),
    }
    for name, (said, run) in runs.items():
        kind = _kind(kinds, name, said, run)
        kind.add_argument("entity", nargs="?", metavar="ENTITY", help="one, by type or product#Entity (default: all)")
        if name in {"sql", "dbt"}:
            kind.add_argument(
                "--dialect", choices=list(DIALECTS), default=_DIALECT, help=f"whose types (default: {_DIALECT})"
            )


def _kind(kinds: Any, name: str, said: str, run: Run) -> argparse.ArgumentParser:
    kind: argparse.ArgumentParser = kinds.add_parser(name, help=said)
    kind.set_defaults(run=run)
    kind.add_argument("--config", metavar="FILE", default=argparse.SUPPRESS, help="the mesh file")
    kind.add_argument("--out", metavar="DIR", help="the folder to write to (default: standard output)")
    return kind


def run_odcs(options: argparse.Namespace) -> int:
    """Write `<name>.odcs.yaml` per product, as the official schema of ODCS accepts it."""
    plan = plan_of(options, lambda: FINDINGS)
    if isinstance(plan, int):
        return plan
    texts = {}
    for name in products_of(plan, options.names):
        exported = to_contract(plan.products[name].document)
        texts[f"{name}.odcs.yaml"] = write(exported.contract)
        for place in exported.lost:
            print(f"{name}: what an import kept for '{place}' has no place any more", file=sys.stderr)
    return _written(options, texts, "---\n".join(texts.values()))


def run_avro(options: argparse.Namespace) -> int:
    """Write `<topic>.avsc` per entity; on standard output those of several entities as one object, by topic."""
    plan = plan_of(options, lambda: FINDINGS)
    if isinstance(plan, int):
        return plan
    schemas = {each.topic.name: each.avro for each in entities_of(plan, options.entity)}
    return _schemas(options, schemas, "avsc", schemas)


def run_jsonschema(options: argparse.Namespace) -> int:
    """Write `<Entity>.schema.json` per entity; on standard output those of several entities under `$defs`."""
    plan = plan_of(options, lambda: FINDINGS)
    if isinstance(plan, int):
        return plan
    chosen = entities_of(plan, options.entity)
    return _schemas(options, {each.name: row_schema(each) for each in chosen}, "schema.json", bundle(chosen))


def run_sql(options: argparse.Namespace) -> int:
    """Write `<plural>.sql` per entity."""
    plan = plan_of(options, lambda: FINDINGS)
    if isinstance(plan, int):
        return plan
    dialect = DIALECTS[options.dialect]
    texts = {f"{each.plural}.sql": ddl(each, dialect) for each in entities_of(plan, options.entity)}
    return _written(options, texts, "\n".join(texts.values()))


def run_dbt(options: argparse.Namespace) -> int:
    """Write `<product>.yml` per product; on standard output one file for all."""
    plan = plan_of(options, lambda: FINDINGS)
    if isinstance(plan, int):
        return plan
    dialect, chosen = DIALECTS[options.dialect], entities_of(plan, options.entity)
    products: dict[str, list[EntityPlan]] = {}
    for each in chosen:
        products.setdefault(each.product, []).append(each)
    texts = {f"{name}.yml": write(properties(own, plan.entities, dialect)) for name, own in products.items()}
    return _written(options, texts, write(properties(chosen, plan.entities, dialect)))


def run_asyncapi(options: argparse.Namespace) -> int:
    """Write `asyncapi.yaml`."""
    plan = plan_of(options, lambda: FINDINGS)
    if isinstance(plan, int):
        return plan
    text = write(events(plan, entities_of(plan, options.entity), system=options.entity is None))
    return _written(options, {"asyncapi.yaml": text}, text)


def _schemas(options: argparse.Namespace, schemas: Mapping[str, Any], suffix: str, several: Any) -> int:
    texts = {f"{name}.{suffix}": _json(schema) for name, schema in schemas.items()}
    return _written(options, texts, next(iter(texts.values())) if options.entity else _json(several))


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def _written(options: argparse.Namespace, texts: Mapping[str, str], one: str) -> int:
    """Write files and name them; without a folder print `one`, which says the same as one text."""
    if options.out is None:
        print(one, end="")
        return FINE
    folder = Path(options.out)
    write_files(folder, texts)
    for name in texts:
        print(folder / name)
    return FINE
