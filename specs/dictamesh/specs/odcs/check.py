# SPDX-License-Identifier: Apache-2.0
"""Is a document a contract: by the official schema of its version, and by what schemas cannot say."""

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Any

from dictamesh.specs.diagnostics import Findings
from dictamesh.specs.documents import Document, Path, Site
from dictamesh.specs.odcs.faults import Fault, faults, known_keys
from dictamesh.specs.odcs.report import report
from dictamesh.specs.odcs.schemas import NEWEST, VERSIONS, WRITTEN


def check(document: Document, findings: Findings) -> None:
    """Record every fault of a contract at its place."""
    data: Any = document.plain()
    version = data.get("apiVersion")
    if isinstance(version, str) and version not in VERSIONS:
        found = _of_another_version(version, data, document, findings)
    else:
        read_by, found = _judged(data)
        _report(read_by, found, document, findings)
    if not found:
        _check_ids(data, document.site, findings)
        for site in _relationships(document.site):
            _check_ends(site, findings)
        for site in _everywhere(document.site, ("mustBeBetween", "mustNotBeBetween")):
            _check_bounds(site, findings)


def _report(read_by: str, found: Iterable[Fault], document: Document, findings: Findings) -> None:
    for each in found:
        report(each, document.site, partial(known_keys, read_by), findings)


def _of_another_version(
    version: str, data: Mapping[str, Any], document: Document, findings: Findings
) -> tuple[Fault, ...]:
    """Version 2 had other words, and a file is read where it has none of them; others are unknown."""
    old = version.startswith("v2.")
    read_by = WRITTEN if old else NEWEST
    found = tuple(each for each in faults(read_by, data) if each.path != ("apiVersion",))
    if found or not old:
        message = f"'apiVersion': contracts of version '{version}' are not read"
        changed = f"Bring it to {WRITTEN} first; the standard says what changed."
        listed = f"The versions that are read are {', '.join(VERSIONS)}."
        findings.error("DM122", document.site / "apiVersion", message, changed if old else listed)
    if not old:
        _report(read_by, found, document, findings)
    return found


def _judged(data: Mapping[str, Any]) -> tuple[str, tuple[Fault, ...]]:
    """The version that a document is judged by, and its faults.

    Files of 3.0 use words of 3.1 as well, which is theirs to be valid by: the standard's own examples do.
    """
    version = data.get("apiVersion")
    own = version if isinstance(version, str) else NEWEST
    found = faults(own, data)
    if found and own.startswith("v3.0."):
        newer = faults(WRITTEN, data)
        if len(newer) <= len(found):
            return WRITTEN, newer
    return own, found


def _check_ids(value: Any, site: Site, findings: Findings) -> None:
    """Ids are unique within the list they stand in."""
    if isinstance(value, Mapping):
        for key, each in value.items():
            _check_ids(each, site / key, findings)
    elif isinstance(value, list):
        seen: dict[str, Site] = {}
        for index, each in enumerate(value):
            _check_ids(each, site / index, findings)
            name = each.get("id") if isinstance(each, Mapping) else None
            if isinstance(name, str):
                place = site / index / "id"
                first = seen.setdefault(name, place)
                if first is not place:
                    message = f"the id '{name}' stands in this list already, at {first.span}"
                    findings.error("DM604", place, message, "Ids are unique within a list; change one.")


def _relationships(site: Site) -> Iterator[Site]:
    for place in _everywhere(site, ("relationships",)):
        if isinstance(place.plain, list):
            yield from (place / index for index in range(len(place.plain)))


def _check_ends(site: Site, findings: Findings) -> None:
    own, theirs = (_ends((site / key).plain) for key in ("from", "to"))
    if own and len(own) != len(theirs):
        message = f"{len(own)} properties at one end of the relationship and {len(theirs)} at the other"
        findings.error("DM212", site / "to", message, "Name as many properties in 'to' as in 'from'.")


def _ends(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _check_bounds(site: Site, findings: Findings) -> None:
    low, high = site.plain
    if low > high:
        key = site.path[-1]
        findings.error("DM104", site, f"'{key}' names the larger number first", "Write the smaller number first.")


def _everywhere(site: Site, keys: Iterable[str]) -> Iterator[Site]:
    """Every place of some keys in the schema of a contract; facts of the author's own are left alone."""
    wanted = frozenset(keys)
    yield from (_below(site, path) for path in _paths(site.plain, (), wanted))


def _paths(value: Any, path: Path, wanted: frozenset[str]) -> Iterator[Path]:
    if isinstance(value, Mapping):
        for key, each in value.items():
            if key in wanted:
                yield (*path, key)
            if key not in {"customProperties", "examples", "implementation", "arguments"}:
                yield from _paths(each, (*path, key), wanted)
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from _paths(each, (*path, index), wanted)


def _below(site: Site, path: Path) -> Site:
    for step in path:
        site = site / step
    return site
