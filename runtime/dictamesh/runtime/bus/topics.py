# SPDX-License-Identifier: Apache-2.0
"""The topics of a mesh: what they should be, what they are, and what sets them right (EV-2, EV-4, EV-6, EV-19)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from dictamesh.runtime.bus.client import Admin, TopicState
from dictamesh.runtime.compile.plan import EntityPlan, Plan

ENTITY_REGISTERED = "system.metadata.entity_registered"
RELATIONSHIP_CREATED = "system.lineage.relationship_created"
_YEAR = 365 * 86_400.0
_SETTINGS = ("retention.ms", "cleanup.policy", "compression.type", "min.insync.replicas")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A topic as the plan wants it; `config` are settings of the brokers. `entity`: whose changes it bears."""

    name: str
    partitions: int
    replication: int
    config: Mapping[str, str]
    entity: EntityPlan | None = field(default=None, repr=False)

    @property
    def compacted(self) -> bool:
        return "compact" in self.config["cleanup.policy"]


@dataclass(frozen=True, slots=True)
class Drift:
    """A setting of a topic that is not as the plan wants it; `curable`: it can be changed in place."""

    topic: str
    setting: str
    wanted: str
    found: str
    curable: bool

    def __str__(self) -> str:
        return f"{self.topic}: {self.setting} is {self.found}, the plan says {self.wanted}"


Outcome = Literal["created", "present"]


def wanted_topics(plan: Plan) -> dict[str, Wanted]:
    """Return every topic of a mesh by name: those of entities, the system's, that of dead letters."""
    kafka = plan.mesh.events.kafka
    replication, least = (kafka.replication, kafka.min_in_sync) if kafka is not None else (None, None)
    found = {}
    for entity in plan.entities.values():
        topic = entity.topic
        found[topic.name] = _wanted(
            topic.name,
            topic.partitions,
            replication or topic.replication,
            topic.retention,
            topic.cleanup,
            least,
            entity,
        )
    for name in (ENTITY_REGISTERED, RELATIONSHIP_CREATED):
        found.setdefault(name, _wanted(name, 3, replication or 3, _YEAR, "compact", least))
    dead = plan.mesh.events.dead_letters
    found.setdefault(dead.topic, _wanted(dead.topic, 3, replication or 3, dead.keep, "delete", least))
    return found


def drift(wanted: Wanted, found: TopicState) -> list[Drift]:
    """Return in what a topic differs from the plan."""
    differs = []
    if found.partitions != wanted.partitions:
        curable = found.partitions < wanted.partitions
        differs.append(Drift(wanted.name, "partitions", str(wanted.partitions), str(found.partitions), curable))
    if found.replication != wanted.replication:
        said = str(wanted.replication), str(found.replication)
        differs.append(Drift(wanted.name, "replication", *said, curable=False))
    for key, value in wanted.config.items():
        actual = found.config.get(key, "")
        if actual != value:
            differs.append(Drift(wanted.name, key, value, actual, curable=True))
    return differs


async def compare(admin: Admin, topics: Mapping[str, Wanted]) -> tuple[list[Wanted], list[Drift]]:
    """Return which topics are not there, and in what the others differ; raises BusUnavailable."""
    there = await admin.topics(list(topics), _SETTINGS)
    missing = [each for name, each in topics.items() if name not in there]
    return missing, [found for name, state in there.items() for found in drift(topics[name], state)]


async def create(admin: Admin, missing: Iterable[Wanted]) -> list[str]:
    """Make topics that are not there, and return those that were made; raises BusUnavailable."""
    return [
        each.name for each in missing if await admin.create(each.name, each.partitions, each.replication, each.config)
    ]


async def cure(admin: Admin, found: Iterable[Drift]) -> list[Drift]:
    """Change what can be changed in place, and return what was; raises BusUnavailable."""
    cured = []
    for each in found:
        if not each.curable:
            continue
        if each.setting == "partitions":
            await admin.grow(each.topic, int(each.wanted))
        else:
            await admin.configure(each.topic, {each.setting: each.wanted})
        cured.append(each)
    return cured


def _wanted(
    name: str,
    partitions: int,
    replication: int,
    retention: float,
    cleanup: str,
    least: int | None,
    entity: EntityPlan | None = None,
) -> Wanted:
    config = {"retention.ms": str(round(retention * 1000)), "cleanup.policy": cleanup, "compression.type": "lz4"}
    if least is not None:
        config["min.insync.replicas"] = str(least)
    return Wanted(name, partitions, replication, config, entity)
