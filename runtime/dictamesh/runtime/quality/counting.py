# SPDX-License-Identifier: Apache-2.0
"""Rules that a source measures itself: counts of rows, and queries that give one value.

What is sent means what `cells` means. A cell that does not fit its type is NULL to a condition and no NULL to a rule,
so NULL is asked of the column as it is, without its type.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import Any

from dictamesh.connectors.sdk import Output, Request, Source
from dictamesh.runtime.adapters.adapter import EntityAdapter
from dictamesh.runtime.adapters.pushdown import bound
from dictamesh.runtime.compile.plan import FieldPlan
from dictamesh.runtime.quality.results import Measured
from dictamesh.specs.expressions import call
from dictamesh.specs.expressions.tree import Column, Expr, Literal, columns, substitute
from dictamesh.specs.manifest import Measure, SourceColumn
from dictamesh.specs.quality import Check, QualityRule
from dictamesh.specs.types import LONG, STRING, Kind

Way = Callable[[], Awaitable[Measured]]


class NoValue(Exception):  # noqa: N818 - the state of an answer
    """A query gave something that cannot be held against a bound; the text is ours and holds no value."""


@dataclass(slots=True)
class Counting:
    """Counts of one entity; those that several rules need are asked for once."""

    adapter: EntityAdapter
    parameters: Mapping[str, Any]
    _known: dict[Expr | None, int] = field(default_factory=dict)

    def way(self, rule: QualityRule) -> Way | None:
        """Return how the source measures a rule; None where rows have to be read."""
        if rule.measure is not None:
            measure = rule.measure
            return lambda: self._value(measure)
        if not self.adapter.counts(None):
            return None
        if rule.check is Check.ROWS:
            return self._rows
        if rule.condition is not None:
            return self._condition(rule.condition)
        if rule.check is Check.DUPLICATE:
            return self._duplicates(rule)
        known = self._field(rule)
        return None if known is None else _WAYS[rule.check](self, rule, known)

    async def _rows(self) -> Measured:
        return Measured(await self._count(None))

    async def _count(self, where: Expr | None) -> int:
        try:
            known = self._known.get(where)
        except TypeError:  # a literal that is a list
            return await self.adapter.counted(where)
        if known is None:
            known = self._known[where] = await self.adapter.counted(where)
        return known

    def _condition(self, condition: Expr) -> Way | None:
        entity = self.adapter.entity
        over = substitute(condition, {path: entity.field(path[0]).expr for path in columns(condition)})
        where = bound(over, self.parameters)
        return self._counted(where) if self.adapter.counts(where) else None

    def _counted(self, where: Expr) -> Way:
        async def measured() -> Measured:
            return Measured(await self._count(None), await self._count(where))

        return measured

    def _field(self, rule: QualityRule) -> FieldPlan | None:
        """The field of a rule where it is a column of the source."""
        found = self.adapter.entity.field(rule.path[0]) if rule.through == (False,) else None
        return found if found is not None and found.column is not None else None

    def _counts_null(self, known: FieldPlan) -> bool:
        """Whether the source can tell NULL from a cell that does not fit its type, and counts it."""
        text = known.type.kind is Kind.STRING and self.adapter.entity.capabilities.text_values
        return (text or self.adapter.line.manifest.sql is not None) and self.adapter.counts(_is_null(known))

    def nulls(self, _rule: QualityRule, known: FieldPlan) -> Way | None:
        """Measure `nullValues`."""
        return self._counted(_is_null(known)) if self._counts_null(known) else None

    def missing(self, rule: QualityRule, known: FieldPlan) -> Way | None:
        """Measure `missingValues`."""
        parts = [_is_null(known)] if rule.null else []
        if rule.values:
            parts.append(_among(known, rule))
        if not parts or (rule.null and not self._counts_null(known)):
            return None
        where = parts[0] if len(parts) == 1 else call("or", *parts)
        return self._counted(where) if self.adapter.counts(where) else None

    def invalid(self, rule: QualityRule, known: FieldPlan) -> Way | None:
        """Measure `invalidValues`: rows that are neither NULL nor valid."""
        if rule.pattern is not None:
            return None
        null, valid = _is_null(known), _among(known, rule)
        if not (self._counts_null(known) and self.adapter.counts(valid)):
            return None

        async def measured() -> Measured:
            rows = await self._count(None)
            return Measured(rows, max(0, rows - await self._count(null) - await self._count(valid)))

        return measured

    def _duplicates(self, rule: QualityRule) -> Way | None:
        entity, sql = self.adapter.entity, self.adapter.line.manifest.sql
        fields = [entity.field(name) for name in rule.fields]
        if sql is None or entity.coerce or any(each.column is None for each in fields):
            return None
        measure = sql.duplicates(entity.source, tuple(SourceColumn(each.column or "", each.type) for each in fields))
        if measure is None:
            return None

        async def measured() -> Measured:
            surplus = (await self._value(measure)).value or Fraction(0)
            return Measured(await self._count(None), int(surplus))

        return measured

    async def _value(self, measure: Measure) -> Measured:
        """Run a query in the place of the entity's table; raises NoValue."""
        entity, line = self.adapter.entity, self.adapter.line
        options = line.manifest.entity.model_validate({"query": measure.query})
        source = Source(
            entity.address, measure.column, (SourceColumn(measure.column, LONG),), (measure.column,), options
        )
        asked = Output(measure.column, Column((measure.column,), LONG))
        rows = await line.fetch(source, Request((asked,), limit=2))
        if len(rows) != 1:
            raise NoValue("the query gave no row" if not rows else "the query gave several rows")
        return Measured(value=_number(rows[0][0]))


_WAYS: dict[Check, Callable[[Counting, QualityRule, FieldPlan], Way | None]] = {
    Check.NULL: Counting.nulls,
    Check.MISSING: Counting.missing,
    Check.INVALID: Counting.invalid,
}


def _is_null(known: FieldPlan) -> Expr:
    return call("is_null", Column((known.column or known.name,), STRING))


def _among(known: FieldPlan, rule: QualityRule) -> Expr:
    return call("in", known.expr, *(Literal(value, known.type) for value in rule.values))


def _number(value: Any) -> Fraction:
    if isinstance(value, int | Decimal | float):
        try:
            return Fraction(value)
        except (ValueError, OverflowError):
            raise NoValue("the query gave no finite number") from None
    raise NoValue("the query gave no value" if value is None else "the query gave neither a number nor true or false")
