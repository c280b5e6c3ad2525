# SPDX-License-Identifier: Apache-2.0
"""Quality rules checked while a mesh runs: by one of its replicas, when they are due, in the background."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from dictamesh.runtime.adapters.adapters import Adapters
from dictamesh.runtime.catalog.catalog import Quality, QualityResult
from dictamesh.runtime.catalog.errors import CatalogUnavailable
from dictamesh.runtime.catalog.lease import leased
from dictamesh.runtime.catalog.pool import Pool
from dictamesh.runtime.catalog.quality import Latest, QualityRow, RuleKey, forget, latest, record
from dictamesh.runtime.compile.plan import EntityPlan, Plan
from dictamesh.runtime.mesh.lines import lines_of
from dictamesh.runtime.mesh.telemetry import PlanTelemetry
from dictamesh.runtime.mesh.world import World
from dictamesh.runtime.observe.metrics import Checked, Metrics
from dictamesh.runtime.quality.checks import check
from dictamesh.runtime.quality.due import due
from dictamesh.runtime.quality.reading import reading
from dictamesh.runtime.quality.results import Outcome, Result
from dictamesh.specs.quality import QualityRule

_LOG = logging.getLogger("dictamesh.quality")
_LONGEST_WAIT = 60.0  # seconds: what other replicas found is shown within that
_SHORTEST_WAIT = 0.05


@dataclass(slots=True)
class QualityWatch:
    """Checks the rules of the plan that is served. `told` hears of each check, `now` gives aware times."""

    pool: Pool
    metrics: Metrics
    world: Callable[[], World]
    told: Callable[[EntityPlan, Sequence[Result], datetime], None] = lambda _entity, _results, _at: None
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    _since: dict[RuleKey, datetime] = field(default_factory=dict)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def wake(self) -> None:
        """Look at the plan anew; for each reload."""
        self._changed.set()

    async def run(self) -> None:
        """Check rules as they become due, until cancelled."""
        while True:
            self._changed.clear()
            try:
                wait = await self._round()
            except CatalogUnavailable as error:
                _LOG.warning("quality rules are not checked: the catalog does not answer", exc_info=error)
                wait = _LONGEST_WAIT
            except Exception as error:  # noqa: BLE001 - checks must go on, whatever one of them meets
                _LOG.error("a check of quality rules broke off", exc_info=error)
                wait = _LONGEST_WAIT
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._changed.wait()

    async def _round(self) -> float:
        """Check what is due and return the seconds until something is."""
        world = self.world()
        rules = dict(_rules(world.plan))
        if not rules or not world.plan.mesh.quality.enabled:
            self.metrics.quality(())
            return _LONGEST_WAIT
        self._since = {key: self._since.get(key) or self.now() for key in rules}
        known = await latest(self.pool, world.plan.name, list(rules))
        if self._due(world.plan, rules, known):
            async with leased(self.pool, f"quality {world.plan.name}") as mine:
                if mine:
                    # another replica may have been faster
                    known = await latest(self.pool, world.plan.name, list(rules))
                    await self._check(world, self._due(world.plan, rules, known))
            known = await latest(self.pool, world.plan.name, list(rules))
        self._show(known)
        return self._wait(world.plan, rules, known)

    def _when(self, plan: Plan, key: RuleKey, rule: QualityRule, known: Mapping[RuleKey, Latest]) -> datetime | None:
        checked = known[key].checked_at if key in known else None
        return due(rule, checked, self._since[key], plan.mesh.quality.every)

    def _due(
        self, plan: Plan, rules: "Mapping[RuleKey, _Rule]", known: Mapping[RuleKey, Latest]
    ) -> "dict[RuleKey, _Rule]":
        now = self.now()
        found = {}
        for key, each in rules.items():
            when = self._when(plan, key, each.rule, known)
            if when is not None and when <= now:
                found[key] = each
        return found

    def _wait(self, plan: Plan, rules: "Mapping[RuleKey, _Rule]", known: Mapping[RuleKey, Latest]) -> float:
        times = [self._when(plan, key, each.rule, known) for key, each in rules.items()]
        left = [(when - self.now()).total_seconds() for when in times if when is not None]
        # what is overdue is being checked by another replica
        return max(min([*left, _LONGEST_WAIT]), _SHORTEST_WAIT if min(left, default=1) > 0 else 1.0)

    async def _check(self, world: World, chosen: "Mapping[RuleKey, _Rule]") -> None:
        by_entity: dict[str, list[_Rule]] = {}
        for each in chosen.values():
            by_entity.setdefault(each.entity.address, []).append(each)
        with world.held():
            adapters = _adapters(world, self.metrics)
            for address, those in by_entity.items():
                at = self.now()
                results = await _checked(adapters, address, [each.rule for each in those])
                self._tell(those[0].entity, results)
                self.told(those[0].entity, results, at)
                await record(self.pool, [_row(world.plan, each, at) for each in results])
        await forget(self.pool, world.plan.name, world.plan.mesh.quality.keep)

    def _tell(self, entity: EntityPlan, results: Iterable[Result]) -> None:
        for each in results:
            self.metrics.count("quality_checks_total", entity.product, entity.name, each.rule.name, each.outcome.value)
            if each.outcome is not Outcome.PASSED:
                failed = each.outcome is Outcome.FAILED
                _LOG.warning(
                    "a quality rule is not met" if failed else "a quality rule could not be checked",
                    extra={
                        "entity": each.address,
                        "check": each.rule.name,
                        "outcome": each.outcome.value,
                        "count": each.bad,
                        "rows": each.rows,
                        "reason": each.reason,
                    },
                )

    def _show(self, known: Mapping[RuleKey, Latest]) -> None:
        self.metrics.quality(
            Checked(key.product, key.entity_type, key.rule, each.outcome == Outcome.PASSED, each.pass_rate)
            for key, each in known.items()
            if each.pass_rate is not None
        )


def known_quality(pool: Pool, plan: Callable[[], Plan]) -> Quality:
    """Return what tells the catalog the last check of each rule, of the plan served."""

    async def known(products: Sequence[str]) -> dict[str, list[QualityResult]]:
        rules = {key: each for key, each in _rules(plan()) if key.product in products}
        found: dict[str, list[QualityResult]] = {name: [] for name in products}
        for key, each in (await latest(pool, plan().name, list(rules))).items():
            entity, rule = rules[key].entity, rules[key].rule
            address = ".".join((entity.address, *rule.path))
            passed = None if each.pass_rate is None else each.outcome == Outcome.PASSED
            found[key.product].append(QualityResult(address, rule.name, passed, each.pass_rate, each.checked_at))
        return found

    return known


@dataclass(frozen=True, slots=True)
class _Rule:
    entity: EntityPlan
    rule: QualityRule


def _rules(plan: Plan) -> Iterator[tuple[RuleKey, _Rule]]:
    for entity in plan.entities.values():
        for rule in entity.quality:
            if rule.reason is None:
                yield RuleKey(entity.product, entity.name, rule.name), _Rule(entity, rule)


async def _checked(adapters: Adapters, address: str, rules: list[QualityRule]) -> list[Result]:
    """Results of an entity's rules; a fault of ours is one, too, so that other entities are checked all the same."""
    try:
        return await check(adapters, address, rules, adapters.plan.mesh.quality.max_scan)
    except Exception as error:  # noqa: BLE001 - whatever it is, the rules were not checked
        _LOG.error("the rules of an entity could not be checked", exc_info=error, extra={"entity": address})
        return [Result(address, rule, Outcome.ERROR, reason="INTERNAL_ERROR") for rule in rules]


def _adapters(world: World, metrics: Metrics) -> Adapters:
    """Adapters over the same connectors, behind guards that leave those of callers alone."""
    lines = {name: replace(line, guard=line.guard.beside()) for name, line in lines_of(world.lines).items()}
    return reading(world.plan, lines, PlanTelemetry(metrics, world.plan))


def _row(plan: Plan, result: Result, at: datetime) -> QualityRow:
    entity, rule = plan.entities[result.address], result.rule
    return QualityRow(
        mesh=plan.name,
        product_id=entity.product_id,
        product=entity.product,
        product_version=plan.products[entity.product].version,
        entity_type=entity.name,
        property=rule.property,
        rule=rule.name,
        metric=rule.check.value,
        dimension=rule.dimension,
        severity=rule.severity,
        outcome=result.outcome.value,
        checked_rows=result.rows,
        failed_rows=result.bad,
        measured=None if result.value is None else str(result.decimal),
        pass_rate=result.rate,
        reason=result.reason,
        plan_hash=plan.hash,
        checked_at=at,
        duration_ms=round(result.seconds * 1000, 3),
    )
