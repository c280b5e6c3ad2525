# SPDX-License-Identifier: Apache-2.0
"""What policies cost an operation: 20 fields of 100 rows with 500 policies loaded, beside Cedar asked the same."""

import itertools
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cedarpy

from dictamesh.runtime.compile.plan import Plan
from dictamesh.runtime.governance.access import Access, AccessCache
from dictamesh.runtime.governance.places import places
from dictamesh.runtime.governance.principal import Principal
from dictamesh.runtime.mesh.build import build
from dictamesh.specs.documents import Memory
from tests.bench.figures import Figure

POLICIES, FIELDS, ROWS = 500, 20, 100
CALLS = 50  # operations of one round
WHO = Principal("bench", True, frozenset({"analyst"}), "analytics", ("analytics",), {"regions": ("north", "south")})
MESH = """\
apiVersion: dictamesh/v1
kind: Mesh
name: bench
include: [taxonomy.yaml, product.yaml, policies.yaml]
servers: {db: {type: sqlite, path: a.sqlite}}
roles: [support, analyst, steward]
purposes: [service, analytics]
security:
  claims: {regions: [string]}
  keys: {pepper: "${env:PEPPER}"}
"""
PRODUCT = """\
apiVersion: dictamesh/v1
kind: DataProduct
id: people
name: people
version: 1.0.0
status: active
schema:
  - name: Person
    properties:
      - {name: id, logicalType: string, primaryKey: true, classification: public}
      - {name: region, logicalType: string, classification: public}
"""


def files() -> dict[str, str]:
    """A mesh in which each of 20 fields is governed by 25 of 500 policies; every fifth field by rows."""
    tags = "\n".join(f"  t{n}: {{description: a tag}}" for n in range(FIELDS))
    fields = "\n".join(
        f"      - {{name: f{n}, logicalType: string, classification: confidential, tags: [t{n}]}}"
        for n in range(FIELDS)
    )
    return {
        "mesh.yaml": MESH,
        "taxonomy.yaml": f"apiVersion: dictamesh/v1\nkind: Taxonomy\ntags:\n{tags}\n",
        "product.yaml": f"{PRODUCT}{fields}\nsource: {{server: db}}\n",
        "policies.yaml": "---\n".join(_policy(n) for n in range(POLICIES)),
    }


def _policy(number: int) -> str:
    tag = number % FIELDS
    effect = ("allow", "mask, mask: {kind: partial}", "mask, mask: {kind: hmac, key: pepper}", "allow")[tag % 4]
    where = ", where: \"region = 'north'\"" if tag % 5 == 0 else ""
    return f"""\
apiVersion: dictamesh/v1
kind: Policy
name: p{number:03}
owner: office
match: {{tags: [t{tag}]}}
rules:
  - {{name: support, roles: [support], purposes: [service], effect: deny}}
  - {{name: analysts, roles: [analyst], purposes: [analytics], effect: {effect}{where}}}
  - {{name: others, effect: mask, mask: {{kind: redact}}}}
"""


def _plan() -> Plan:
    found = build(Memory(files()), "mesh.yaml").plan
    if found is None:
        raise RuntimeError("the generated mesh has faults")
    return found


def measure(_folder: Path, rounds: int) -> list[Figure]:
    """CPU microseconds of one operation: rights never asked for before, known rights, and Cedar for the same fields."""
    plan = _plan()
    known, keys = places(plan), {"pepper": b"a pepper of the bench"}
    rows = [{"id": str(n), "region": "north" if n % 2 else "south"} for n in range(ROWS)]
    for row in rows:
        row |= {f"f{n}": f"value {n} of {row['id']}" for n in range(FIELDS)}
    cache = AccessCache(plan, keys)
    by_field, by_value = _cedar()
    work: dict[str, Callable[[], object]] = {
        "cold": lambda: _served(Access(plan, WHO, keys, known), plan, rows),
        "warm": lambda: _served(cache.access(WHO), plan, rows),
        "decisions alone, cold": lambda: _decided(Access(plan, WHO, keys, known)),
        "decisions alone, warm": lambda: _decided(cache.access(WHO)),
        "field": by_field,
        "value": by_value,
    }
    spent: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(rounds):
        for name, each in work.items():
            spent[name].append(_micros(each, 5 if name == "value" else CALLS))
    what = f"{FIELDS} fields x {ROWS} rows, {POLICIES} policies"
    told = {"cold": "value", "warm": "value", "decisions alone, cold": "field", "decisions alone, warm": "field"}
    peers = {"field": "cedarpy, once a field", "value": "cedarpy, once a value"}
    return [Figure(f"{what}: {name}", "CPU us", spent[name], spent[peer], peers[peer]) for name, peer in told.items()]


def _served(access: Access, plan: Plan, rows: list[dict[str, str]]) -> int:
    """Decide and mask as the gateway does: one serializer per field, then every value."""
    serve = [(f"f{n}", access.serializer(plan.entities["people#Person"].field(f"f{n}"))) for n in range(FIELDS)]
    return sum(1 for row in rows for name, each in serve if each(row[name], row) is not None)


def _decided(access: Access) -> int:
    return sum(access.field(f"people#Person.f{n}").clear for n in range(FIELDS))


def _micros(work: Callable[[], object], times: int) -> float:
    work()
    began = time.process_time()
    for _ in range(times):
        work()
    return (time.process_time() - began) / times * 1_000_000


def _cedar() -> tuple[Callable[[], object], Callable[[], object]]:
    """The same rules as far as Cedar has them (allow or deny), parsed once: by field, and by value."""
    text = "\n".join(
        f'forbid (principal in Role::"support", action, resource in Tag::"t{n % FIELDS}")'
        ' when { context.purpose == "service" };'
        f'permit (principal in Role::"analyst", action, resource in Tag::"t{n % FIELDS}")'
        ' when { context.purpose == "analytics" };'
        for n in range(POLICIES)
    )
    policies = cedarpy.PolicySet.from_str(text)
    entities = cedarpy.Entities.from_json_str(_json(list(_entities())))
    requests = [
        {
            "principal": 'Caller::"c"',
            "action": 'Action::"read"',
            "resource": f'Field::"f{n}"',
            "context": {"purpose": "analytics"},
        }
        for n in range(FIELDS)
    ]
    every = list(itertools.chain.from_iterable([requests] * ROWS))
    return (
        lambda: cedarpy.is_authorized_batch(requests, policies, entities),
        lambda: cedarpy.is_authorized_batch(every, policies, entities),
    )


def _entities() -> Iterator[dict[str, Any]]:
    yield {"uid": {"type": "Role", "id": "analyst"}, "attrs": {}, "parents": []}
    yield {"uid": {"type": "Caller", "id": "c"}, "attrs": {}, "parents": [{"type": "Role", "id": "analyst"}]}
    for n in range(FIELDS):
        yield {"uid": {"type": "Tag", "id": f"t{n}"}, "attrs": {}, "parents": []}
        yield {"uid": {"type": "Field", "id": f"f{n}"}, "attrs": {}, "parents": [{"type": "Tag", "id": f"t{n}"}]}


def _json(value: object) -> str:
    return json.dumps(value)
