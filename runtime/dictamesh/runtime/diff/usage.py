# SPDX-License-Identifier: Apache-2.0
"""Who uses what: queries of the last days, as the catalog counts them, and relations and flows of other products."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dictamesh.runtime.compile.plan import Plan


class UnreadableUsage(ValueError):  # noqa: N818 - the state of a document
    """A usage document is not of the form that `GET /api/v1/catalog/usage` gives."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Users by address; `known` is false without data, when nothing may count as unused."""

    known: bool = False
    users: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def of(self, address: str) -> tuple[str, ...]:
        """Return who used a field or entity, or anything below it."""
        found = {user: None for each, users in self.users.items() if _below(each, address) for user in users}
        return tuple(found)


def read_usage(document: Any) -> Usage:
    """Read what the catalog says of usage: `{"fields": [{"address", "principal", "operations"}], "entities": ...}`.

    Raises UnreadableUsage.
    """
    if not isinstance(document, Mapping) or not isinstance(document.get("fields"), list):
        raise UnreadableUsage("a usage document holds 'fields', as GET /api/v1/catalog/usage gives them")
    counted: dict[str, dict[str, int]] = {}
    for each in [*document["fields"], *(document.get("entities") or ())]:
        if not isinstance(each, Mapping) or not isinstance(each.get("address"), str):
            raise UnreadableUsage("an entry of a usage document has no address")
        user = str(each.get("principal") or "anonymous")
        users = counted.setdefault(each["address"], {})
        users[user] = users.get(user, 0) + int(each.get("operations") or 0)
    users_of = {
        address: tuple(f"{user} ({count} operations)" for user, count in sorted(users.items()) if count)
        for address, users in counted.items()
    }
    return Usage(known=True, users=users_of)


def dependants(plan: Plan) -> Mapping[str, tuple[str, ...]]:
    """Return relations and flows of other products by the field that they rest on."""
    found: dict[str, dict[str, None]] = {}
    for entity in plan.entities.values():
        for link in entity.links:
            target = plan.entities[link.target]
            if target.product != entity.product:
                for name in link.theirs:
                    told = f"{entity.product} (relation {entity.name}.{link.name})"
                    found.setdefault(f"{link.target}.{name}", {})[told] = None
    for flow in plan.flows:
        if not isinstance(flow.source, str):
            continue
        product = flow.target.partition("#")[0]
        if product != flow.source.partition("#")[0]:
            found.setdefault(flow.source, {})[
                f"{product} ({'lineage' if flow.kind else 'input'} of {flow.target.partition('#')[2]})"
            ] = None
    return {address: tuple(users) for address, users in found.items()}


def _below(address: str, above: str) -> bool:
    return address == above or address.startswith((f"{above}.", f"{above}#"))
