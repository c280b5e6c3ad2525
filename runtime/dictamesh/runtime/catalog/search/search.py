# SPDX-License-Identifier: Apache-2.0
"""Searching with facets: what the caller may not know of is not found, not counted, and costs no time."""

import html
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from dictamesh.runtime.catalog.catalog import Catalog
from dictamesh.runtime.catalog.search.documents import DocumentKind
from dictamesh.runtime.catalog.search.query import Query, Term, read
from dictamesh.runtime.catalog.sight import Sight, seen_kinds, seen_types

Facet = Literal["kind", "domain", "owner", "classification", "status", "pii", "tag", "regime"]
FACETS: tuple[Facet, ...] = ("kind", "domain", "owner", "classification", "status", "pii", "tag", "regime")
FACET_VALUES = 50
"""Values of a facet that are told, the most frequent ones."""
FURTHEST = 10_000

_OPEN, _CLOSE = "\ue000", "\ue001"
_HEADLINE = f"StartSel={_OPEN}, StopSel={_CLOSE}"
_COLUMNS: Mapping[Facet, bytes] = {
    "kind": b"kind",
    "domain": b"domain",
    "owner": b"owner",
    "classification": b"classification",
    "status": b"status",
    "pii": b"pii::text",
}
_LISTS: Mapping[Facet, bytes] = {"tag": b"tags", "regime": b"regimes"}
# A product is seen where one of its entities is, what tells of one or two entities where all of them are.
_VISIBLE = b"""
(SELECT d.* FROM dictamesh_search_documents d
   JOIN seen s ON s.name = d.entity_types[1] LEFT JOIN seen o ON o.name = d.entity_types[2]
  WHERE d.kind <> 'product' AND (cardinality(d.entity_types) = 1 OR o.name IS NOT NULL)
    AND (d.kind <> 'relation' OR d.address <> ALL (%(unseen)s::text[]))
 UNION ALL
 SELECT d.* FROM dictamesh_search_documents d
  WHERE d.kind = 'product' AND (d.entity_types = '{}' OR d.entity_types && %(types)s::text[])
 OFFSET 0)
"""


@dataclass(frozen=True, slots=True)
class Highlight:
    """Where a hit matches: text of one of its parts as HTML, matching words within ``<mark>``."""

    part: Literal["name", "description"]
    html: str


@dataclass(frozen=True, slots=True)
class Hit:
    """One thing that was found; ``score`` compares hits of one search.

    ``classification`` and ``pii`` are those of entities and fields, null for products and relations.
    """

    kind: DocumentKind
    address: str
    name: str
    product: str
    domain: str | None
    owner: str | None
    classification: str | None
    status: str
    pii: bool | None
    tags: tuple[str, ...]
    regimes: tuple[str, ...]
    description: str
    score: float
    highlights: tuple[Highlight, ...]


@dataclass(frozen=True, slots=True)
class FacetValue:
    """A value of a facet and how many hits would remain if it alone were chosen in that facet."""

    value: str
    count: int


@dataclass(frozen=True, slots=True)
class Facets:
    """Values by facet, the most frequent first, 50 at most."""

    kind: tuple[FacetValue, ...] = ()
    domain: tuple[FacetValue, ...] = ()
    owner: tuple[FacetValue, ...] = ()
    classification: tuple[FacetValue, ...] = ()
    status: tuple[FacetValue, ...] = ()
    pii: tuple[FacetValue, ...] = ()
    tag: tuple[FacetValue, ...] = ()
    regime: tuple[FacetValue, ...] = ()


@dataclass(frozen=True, slots=True)
class SearchPage:
    """Hits, best first; ``total`` counts all of them."""

    items: tuple[Hit, ...]
    total: int
    limit: int
    offset: int
    facets: Facets


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to search for; ``q`` None finds everything. Of each facet one of the chosen values must fit."""

    q: str | None = None
    chosen: Mapping[Facet, tuple[str, ...]] = field(default_factory=dict)


async def search(catalog: Catalog, sight: Sight, wanted: Wanted, limit: int, offset: int) -> SearchPage:
    """A page of hits with the facets of the whole search; raises ``CatalogUnavailable``."""
    query = None if wanted.q is None else read(wanted.q)
    if query is not None and not query.groups:
        return SearchPage((), 0, limit, offset, Facets())
    parameters: dict[str, Any] = {"limit": limit, "offset": offset, "most": FACET_VALUES, "q": (wanted.q or "").lower()}
    parameters |= {f"chosen_{name}": list(values) for name, values in wanted.chosen.items() if values}
    sees_all = await _look(catalog, sight, parameters)
    match = b"NULL::tsquery" if query is None else _tsquery(query, parameters)
    found = _found(match, everything=sees_all, any_text=query is None)
    filters = {name: _filter(name) for name in FACETS if f"chosen_{name}" in parameters}
    counted = await catalog.pool.rows(_counts(found, filters), parameters)
    rows = await catalog.pool.rows(_page(found, filters), parameters)
    return SearchPage(tuple(_hit(row) for row in rows), _total(counted), limit, offset, _facets(counted))


async def _look(catalog: Catalog, sight: Sight, parameters: dict[str, Any]) -> bool:
    """Set what the caller may know of; returns whether that is everything."""
    known = await catalog.directory.known()
    types = seen_types(known, sight)
    kinds = seen_kinds(known, sight)
    plan = catalog.plan()
    addresses = {entity.name: entity.address for entity in plan.entities.values()}
    unseen = [
        f"{addresses.get(kind.subject, kind.subject)}.{kind.name}"
        for number, kind in known.kinds.items()
        if number not in kinds
    ]
    parameters |= {"types": sorted(types), "unseen": unseen}
    return len(types) == len(known.types) and not unseen


def _found(match: bytes, *, everything: bool, any_text: bool) -> bytes:
    """The documents that the caller may know of and that match.

    For whom something is hidden that is taken away first, and the text is matched afterwards without an index: however
    much of it is hidden, its answer takes the same time.
    """
    source = b"dictamesh_search_documents" if everything else _VISIBLE
    condition = b"true" if any_text else b"d.tsv @@ m.query"
    return (
        b"WITH seen AS MATERIALIZED (SELECT unnest(%(types)s::text[]) AS name), m AS MATERIALIZED (SELECT "
        + match
        + b" AS query), found AS MATERIALIZED (SELECT d.*, m.query FROM m, "
        + source
        + b" d WHERE "
        + condition
        + b")"
    )


def _tsquery(query: Query, parameters: dict[str, Any]) -> bytes:
    """The condition as SQL; every word of the caller is a bound value."""
    groups = []
    for group in query.groups:
        parts = [_term(term, parameters) for term in group]
        groups.append(b"(" + b" && ".join(parts) + b")")
    return b"(" + b" || ".join(groups) + b")"


def _term(term: Term, parameters: dict[str, Any]) -> bytes:
    """A term in both ways in which documents are indexed: as it is, and by the stem of English words."""
    name = f"t{len(parameters)}"
    if term.phrase:
        parameters[name] = " ".join(term.words)
        function = b"phraseto_tsquery"
    else:
        parameters[name] = " <-> ".join((*term.words[:-1], f"{term.words[-1]}:*"))
        function = b"to_tsquery"
    bound = b"%(" + name.encode() + b")s"
    both = b"(" + function + b"('simple', " + bound + b") || " + function + b"('english', " + bound + b"))"
    return b"(!! " + both + b")" if term.without else both


def _filter(name: Facet) -> bytes:
    bound = b"%(chosen_" + name.encode() + b")s::text[]"
    return _LISTS[name] + b" && " + bound if name in _LISTS else _COLUMNS[name] + b" = ANY (" + bound + b")"


def _where(conditions: Iterable[bytes]) -> bytes:
    listed = list(conditions)
    return b" WHERE " + b" AND ".join(listed) if listed else b""


def _counts(found: bytes, filters: Mapping[Facet, bytes]) -> bytes:
    """How many hits there are in all, and for each value of a facet under the choices in the other ones."""
    parts = [b"SELECT NULL AS facet, NULL AS value, count(*) AS count FROM found" + _where(filters.values())]
    for name in FACETS:
        others = [each for facet, each in filters.items() if facet != name]
        listed = _LISTS.get(name)
        value = _COLUMNS[name] if listed is None else b"t.value"
        source = b"found" if listed is None else b"found, unnest(" + listed + b") AS t (value)"
        parts.append(
            b"(SELECT '"
            + name.encode()
            + b"', "
            + value
            + b", count(*) FROM "
            + source
            + _where([*others, value + b" IS NOT NULL"])
            + b" GROUP BY 2 ORDER BY 3 DESC, 2 LIMIT %(most)s)"
        )
    return found + b" " + b" UNION ALL ".join(parts)


def _page(found: bytes, filters: Mapping[Facet, bytes]) -> bytes:
    headline = f"'{_HEADLINE}, HighlightAll=true'".encode()
    fragments = f"'{_HEADLINE}, MaxFragments=2, MinWords=8, MaxWords=24'".encode()
    return (
        found
        + b"""
, page AS (
    SELECT *, CASE WHEN query IS NULL THEN 0 ELSE ts_rank(tsv, query) END AS score, lower(name) = %(q)s AS exact
      FROM found"""
        + _where(filters.values())
        + b"""
     ORDER BY exact DESC, score DESC, array_position('{product,entity,relation,field}'::text[], kind),
              address COLLATE "C", mesh COLLATE "C"
     LIMIT %(limit)s OFFSET %(offset)s
)
SELECT kind, address, name, product, domain, owner, classification, status, pii, tags, regimes, description,
       score::float8,
       CASE WHEN query IS NOT NULL THEN ts_headline('simple', name, query, """
        + headline
        + b""") END AS in_name,
       CASE WHEN query IS NOT NULL THEN ts_headline('simple', description, query,
            CASE WHEN length(description) <= 300 THEN """
        + headline
        + b" ELSE "
        + fragments
        + b""" END) END AS in_description
  FROM page
"""
    )


def _hit(row: dict[str, Any]) -> Hit:
    marked = {"name": row.pop("in_name"), "description": row.pop("in_description")}
    highlights = tuple(
        Highlight(part, _as_html(text))  # type: ignore[arg-type]  # the two parts
        for part, text in marked.items()
        if text and _OPEN in text
    )
    return Hit(
        **{**row, "tags": tuple(row["tags"]), "regimes": tuple(row["regimes"]), "score": round(row["score"], 6)},
        highlights=highlights,
    )


def _as_html(text: str) -> str:
    return html.escape(text).replace(_OPEN, "<mark>").replace(_CLOSE, "</mark>")


def _total(counted: Iterable[Mapping[str, Any]]) -> int:
    return next(int(row["count"]) for row in counted if row["facet"] is None)


def _facets(counted: Iterable[Mapping[str, Any]]) -> Facets:
    values: dict[str, list[FacetValue]] = {}
    for row in counted:
        if row["facet"] is not None:
            values.setdefault(row["facet"], []).append(FacetValue(row["value"], row["count"]))
    return Facets(**{name: tuple(found) for name, found in values.items()})
