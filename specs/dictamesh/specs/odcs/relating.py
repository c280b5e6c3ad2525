# SPDX-License-Identifier: Apache-2.0
"""Relations of the language as `relationships` of ODCS, where these can say them: foreign keys of its entities."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from dictamesh.specs.odcs.keeping import CUSTOM, IN_CONTRACT

_END = re.compile(r"(?:(?P<product>[^#]+)#)?(?P<entity>[A-Za-z_][A-Za-z0-9_]*)\.(?P<field>[A-Za-z_][A-Za-z0-9_]*)\Z")
_FILE = re.compile(r"[A-Za-z0-9._-]+\Z")
_MARK = "relation"


def relationships(product: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Return a relationship for each relation that the standard can say, by the entity that holds the foreign key."""
    found: dict[str, list[dict[str, Any]]] = {}
    for relation in product.get("relations", ()):
        own, theirs = (_ends(relation[key]) for key in ("from", "to"))
        if relation["cardinality"] == "one-to-many":
            own, theirs = theirs, own
        said = _relationship(relation["name"], own, theirs, product["name"])
        if said is not None:
            found.setdefault(_entity(own, product["name"]), []).append(said)
    return found


def add_relationships(contract: Mapping[str, Any], found: Mapping[str, list[dict[str, Any]]]) -> None:
    """Add relationships to their entities; they only repeat what is kept."""
    for entity in contract.get("schema", ()):
        given = entity.get("relationships", ())
        if entity["name"] in found and given != []:
            entity["relationships"] = [*given, *found[entity["name"]]]


def remove_relationships(contract: Mapping[str, Any]) -> None:
    """Take out what `add_relationships` added."""
    for entity in contract.get("schema", ()):
        given = entity.get("relationships", ())
        kept = [each for each in given if not _ours(each)]
        if kept:
            entity["relationships"] = kept
        elif given:
            del entity["relationships"]


def _ours(relationship: Mapping[str, Any]) -> bool:
    return any(
        each.get("property") == IN_CONTRACT and isinstance(each.get("value"), dict) and set(each["value"]) == {_MARK}
        for each in relationship.get(CUSTOM, ())
    )


def _ends(given: Any) -> list[re.Match[str] | None]:
    return [_END.match(each) for each in (given if isinstance(given, list) else [given])]


def _entity(ends: Iterable[re.Match[str] | None], product: str) -> str:
    """The entity of this product that an end names; empty for one of another product."""
    first = next(iter(ends))
    return first["entity"] if first is not None and first["product"] in {None, product} else ""


def _relationship(
    name: str, own: list[re.Match[str] | None], theirs: list[re.Match[str] | None], product: str
) -> dict[str, Any] | None:
    from_, to = list(_shorthand(own, product)), list(_references(theirs, product))
    if len(from_) != len(own) or len(to) != len(theirs) or len(from_) != len(to):
        return None
    one = len(from_) == 1
    return {
        "type": "foreignKey",
        "from": from_[0] if one else from_,
        "to": to[0] if one else to,
        CUSTOM: [{"property": IN_CONTRACT, "value": {_MARK: name}}],
    }


def _shorthand(ends: Iterable[re.Match[str] | None], product: str) -> Iterator[str]:
    for each in ends:
        if each is not None and each["product"] in {None, product}:
            yield f"{each['entity']}.{each['field']}"


def _references(ends: Iterable[re.Match[str] | None], product: str) -> Iterator[str]:
    """References to fields; those of another product lead through the file that it is exported to."""
    for each in ends:
        if each is None:
            continue
        if each["product"] in {None, product}:
            yield f"{each['entity']}.{each['field']}"
        elif _FILE.match(each["product"]):
            yield f"{each['product']}.odcs.yaml#/schema/{each['entity']}/properties/{each['field']}"
