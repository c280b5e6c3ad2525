# SPDX-License-Identifier: Apache-2.0
"""What a captured change costs: records made, changed, seen again and deleted, through the recorder into the log.

Records have five fields, one of them computed. Processor time is that of this process; batches are of 500.
"""

import time
from collections.abc import Callable
from pathlib import Path

import uvloop

from dictamesh.runtime.adapters.records import RecordIds
from dictamesh.runtime.adapters.surrogates import Surrogates
from dictamesh.runtime.capture.contract import Batch, Seen
from dictamesh.runtime.capture.recorder import CatalogRecorder
from dictamesh.runtime.capture.states_of import states_of
from dictamesh.runtime.catalog.cluster import start
from dictamesh.runtime.catalog.migrate import up
from dictamesh.runtime.catalog.pool import Pool, PoolSettings, open_pool
from dictamesh.runtime.events.payload import NoPayload
from dictamesh.runtime.mesh.build import build
from dictamesh.specs.documents import Memory
from tests.bench.figures import Figure

COUNT = 10_000
BATCH = 500
SLOWEST = 200.0  # microseconds: 5,000 changes a second
MESH = "apiVersion: dictamesh/v1\nkind: Mesh\nname: bench\ninclude: [a.yaml]\nservers: {s: {type: sqlite, path: x}}\n"
PRODUCT = """\
apiVersion: dictamesh/v1
kind: DataProduct
id: customers
name: customers
version: 1.0.0
status: active
schema:
  - name: Customer
    properties:
      - {name: id, logicalType: string, primaryKey: true, classification: public}
      - {name: name, logicalType: string, classification: public}
      - {name: age, logicalType: integer, classification: public}
      - {name: label, logicalType: string, classification: public, transformLogic: "upper(name)"}
      - {name: store, logicalType: string, classification: public}
source: {server: s, Customer: {changes: {snapshot: {}}}}
"""
STEPS: dict[str, Callable[[int], Seen]] = {
    "created": lambda number: _seen(number, 1),
    "seen again": lambda number: _seen(number, 1),
    "updated": lambda number: _seen(number, 2),
    "deleted": lambda number: Seen(columns={"id": f"c{number}"}, deleted=True),
}


def measure(folder: Path, rounds: int) -> list[Figure]:
    """Return wall and processor time of each kind of change, in microseconds."""
    return uvloop.run(_measure(folder, rounds))


def _seen(number: int, age: int) -> Seen:
    return Seen(columns={"id": f"c{number}", "name": "ana", "age": age, "store": f"s{number % 50}"})


async def _measure(folder: Path, rounds: int) -> list[Figure]:
    wall: dict[str, list[float]] = {name: [] for name in STEPS}
    processor: dict[str, list[float]] = {name: [] for name in STEPS}
    cluster = await start(folder)
    pool = await open_pool(cluster.dsn, PoolSettings(max_size=2, idle=1))
    try:
        await up(pool)
        for _ in range(rounds):
            for name, step in STEPS.items():
                took, used = await _run(pool, step)
                wall[name].append(took)
                processor[name].append(used)
    finally:
        await pool.close()
        await cluster.stop()
    found = [Figure(f"a record {name}", "us", values) for name, values in wall.items()]
    return found + [
        Figure(f"a record {name}, processor", "us", used, target=SLOWEST) for name, used in processor.items()
    ]


async def _run(pool: Pool, step: Callable[[int], Seen]) -> tuple[float, float]:
    plan = build(Memory({"mesh.yaml": MESH, "a.yaml": PRODUCT}), "mesh.yaml").plan
    assert plan is not None
    entity = plan.entities["customers#Customer"]
    recorder = CatalogRecorder(pool, plan, entity, RecordIds(Surrogates(plan.name, {})), b"k" * 32, NoPayload())
    state = states_of(plan.name, entity)[0]
    clock, cpu = time.perf_counter(), time.process_time()
    for at in range(0, COUNT, BATCH):
        seen = [step(number) for number in range(at, at + BATCH)]
        await recorder.record(Batch(state, seen, position={"at": at}))
    return (time.perf_counter() - clock) / COUNT * 1e6, (time.process_time() - cpu) / COUNT * 1e6
