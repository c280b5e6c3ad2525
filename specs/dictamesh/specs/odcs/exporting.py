# SPDX-License-Identifier: Apache-2.0
"""From a product to a contract: a mechanical projection that the official schema accepts (DESIGN §3)."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dictamesh.specs.odcs.fitting import fitted, to_odcs
from dictamesh.specs.odcs.keeping import ABSENT, IN_CONTRACT, IN_PRODUCT, Edit, at, keep, replaced, restore
from dictamesh.specs.odcs.relating import add_relationships, relationships
from dictamesh.specs.odcs.schemas import WRITTEN

METRICS = frozenset({"nullValues", "missingValues", "invalidValues", "duplicateValues", "rowCount"})


@dataclass(frozen=True, slots=True)
class Exported:
    """A contract as plain data. `lost`: pointers to which something that an import kept no longer fits."""

    contract: dict[str, Any]
    lost: tuple[str, ...]


def to_contract(product: Mapping[str, Any]) -> Exported:
    """Return the contract of a product's document; references stay as they are written."""
    data: dict[str, Any] = copy.deepcopy(dict(product))
    related = relationships(data)
    lost = restore(data, IN_PRODUCT)
    header = {"apiVersion": WRITTEN, "kind": "DataContract"}
    data = {**header, **{key: value for key, value in data.items() if key not in header}}
    unsaid = [] if "status" in data else [replaced(data, ("status",), product["status"])]  # 3.1 asks for it, 3.2 not
    edits = [*unsaid, *_rules(data), *fitted(data, to_odcs)]
    keep(data, edits, IN_CONTRACT)
    add_relationships(data, related)
    return Exported(data, tuple(lost))


def _rules(data: Any) -> list[Edit]:
    """Quality rules in the words of 3.1: `metric` for `rule`, and what an enumeration leaves unsaid."""
    edits: list[Edit] = []
    for path in _quality(data, ()):
        rule = at(data, path)
        if rule.get("type", "library") != "library":
            continue
        if rule.get("metric") is None and rule.get("rule") in METRICS:
            edits.append(replaced(data, (*path, "metric"), rule["rule"]))
        if rule.get("metric") == "invalidValues" and not any(str(key).startswith("must") for key in rule):
            edits.append(replaced(data, (*path, "mustBe"), 0))
    return edits


def _quality(value: Any, path: tuple[str | int, ...]) -> list[tuple[str | int, ...]]:
    """The places of all quality rules below `schema`."""
    if isinstance(value, list):
        return [found for index, each in enumerate(value) for found in _quality(each, (*path, index))]
    if not isinstance(value, dict):
        return []
    rules = value.get("quality", ABSENT)
    found = [(*path, "quality", index) for index in range(len(rules) if isinstance(rules, list) else 0)]
    for key in ("schema", "properties", "items"):
        found += _quality(value.get(key), (*path, key))
    return found
