# SPDX-License-Identifier: Apache-2.0
"""The topics of a mesh: what they should be, what they are, and what sets them right (EV-2, EV-4, EV-6, EV-19)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from dictamesh.runtime.bus.admin import Admin, TopicState
from dictamesh.runtime.compile.plan import EntityPlan, Plan, TopicPlan
from dictamesh.runtime.compile.system_topics import system_topics

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


@dataclass(frozen=True, slots=True)
class Compared:
    """What a comparison found: `hidden` are topics whose settings our principal may not see (DescribeConfigs)."""

    missing: list[Wanted]
    drift: list[Drift]
    hidden: list[str]


def wanted_topics(plan: Plan) -> dict[str, Wanted]:
    """Return every topic of a mesh by name: those of entities, the system's, that of dead letters."""
    kafka = plan.mesh.events.kafka
    replication, least = (kafka.replication, kafka.min_in_sync) if kafka is not None else (None, None)
    found = {}
    for entity in plan.entities.values():
        found[entity.topic.name] = _wanted(entity.topic, replication, least, entity)
    for topic in system_topics(plan.mesh.events):
        found.setdefault(topic.name, _wanted(topic, replication, least))
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
    for key, value in (wanted.config if found.config is not None else {}).items():
        actual = (found.config or {}).get(key, "")
        if actual != value:
            differs.append(Drift(wanted.name, key, value, actual, curable=True))
    return differs


async def compare(admin: Admin, topics: Mapping[str, Wanted]) -> Compared:
    """Return in what topics differ from the plan; raises BusUnavailable."""
    there = await admin.topics(list(topics), _SETTINGS)
    return Compared(
        [each for name, each in topics.items() if name not in there],
        [found for name, state in there.items() for found in drift(topics[name], state)],
        [name for name, state in there.items() if state.config is None],
    )


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


def _wanted(topic: TopicPlan, replication: int | None, least: int | None, entity: EntityPlan | None = None) -> Wanted:
    config = {
        "retention.ms": str(round(topic.retention * 1000)),
        "cleanup.policy": topic.cleanup,
        "compression.type": topic.compression,
    }
    if least is not None:
        config["min.insync.replicas"] = str(least)
    return Wanted(topic.name, topic.partitions, replication or topic.replication, config, entity)
