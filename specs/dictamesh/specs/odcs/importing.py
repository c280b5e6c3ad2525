# SPDX-License-Identifier: Apache-2.0
"""From a contract to a product: the words of ODCS stay, and what the language has no word for is kept."""

import copy
import re
import unicodedata
from collections.abc import Container, Mapping
from dataclasses import dataclass
from typing import Any

from dictamesh.specs.documents import Path
from dictamesh.specs.model.parts import API_VERSION, SLUG
from dictamesh.specs.odcs.fitting import fitted, to_language
from dictamesh.specs.odcs.keeping import IN_CONTRACT, IN_PRODUCT, Edit, keep, replaced, restore
from dictamesh.specs.odcs.relating import remove_relationships

STATUSES = {"production": "active", "development": "draft", "test": "draft"}
"""Words for a status that version 3.0.0 had, in those of the standard since."""
DRAFT = "draft"
HEAD = ("apiVersion", "kind", "id", "name", "version", "status")
"""Keys that a document begins with."""
VOCABULARY = ("proposed", "draft", "active", "deprecated", "retired")
_RULES = {"duplicateCount": "duplicateValues", "nullCheck": "nullValues", "rowCount": "rowCount"}
"""Library rules of 3.0 that 3.1 calls otherwise and means alike."""
_LONGEST = 100  # characters of a name that is made


@dataclass(frozen=True, slots=True)
class Imported:
    """A product's document as plain data, and the places of the contract that it could not take over as they are.

    `wanted` is the name that it would have if no other product had it. `kept` are places whose words the language
    lacks, `lost` pointers into the contract to which something that an earlier export kept no longer fits.
    """

    product: dict[str, Any]
    wanted: str
    kept: tuple[Path, ...]
    lost: tuple[str, ...]


def to_product(contract: Mapping[str, Any], stem: str, taken: Container[str] = ()) -> Imported:
    """Return the product of a contract that `check` found no fault in.

    `stem` is the name of its file, for a contract that has none; `taken` are names that other products have.
    """
    data: dict[str, Any] = copy.deepcopy(dict(contract))
    remove_relationships(data)
    lost = restore(data, IN_CONTRACT)
    _modernize(data)
    data |= {"apiVersion": API_VERSION, "kind": "DataProduct"}
    wanted = _name(data, stem)
    spelled = [*_named(data, wanted, taken), *_status(data)]
    data = {key: data[key] for key in sorted(data, key=lambda key: HEAD.index(key) if key in HEAD else len(HEAD))}
    unfit = fitted(data, to_language)
    keep(data, [*spelled, *unfit], IN_PRODUCT)
    return Imported(data, wanted, tuple(edit.path for edit in unfit), tuple(lost))


def _name(data: Mapping[str, Any], stem: str) -> str:
    given = data.get("name", data.get("dataProduct", stem))
    return given if isinstance(given, str) and SLUG.match(given) and len(given) <= _LONGEST else slug(str(given))


def _named(data: dict[str, Any], wanted: str, taken: Container[str]) -> list[Edit]:
    """Give the product its own name: a number follows where another has it."""
    free, number = wanted, 1
    while free in taken:
        number += 1
        free = f"{wanted}-{number}"
    return [] if data.get("name") == free else [replaced(data, ("name",), free)]


def slug(text: str) -> str:
    """A name made of any text: small letters, digits and dashes."""
    plain = unicodedata.normalize("NFKD", text.casefold()).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", plain)[:_LONGEST].strip("-") or "contract"


def _status(data: dict[str, Any]) -> list[Edit]:
    given = data.get("status")
    if given in VOCABULARY:
        return []
    return [replaced(data, ("status",), STATUSES.get(str(given).lower(), DRAFT))]


def _modernize(data: dict[str, Any]) -> None:
    """Say in the words of 3.1 what earlier versions spell otherwise."""
    if isinstance(data.get("team"), list):
        data["team"] = {"members": data["team"]}
    for rule in _rules(data.get("schema")):
        if rule.get("type", "library") == "library" and "metric" not in rule and rule.get("rule") in _RULES:
            rule["metric"] = _RULES[rule.pop("rule")]


def _rules(value: Any) -> list[dict[str, Any]]:
    """All quality rules of a schema."""
    if isinstance(value, list):
        return [rule for each in value for rule in _rules(each)]
    if not isinstance(value, dict):
        return []
    own = [each for each in value.get("quality", ()) if isinstance(each, dict)]
    return own + [rule for key in ("properties", "items") for rule in _rules(value.get(key))]
