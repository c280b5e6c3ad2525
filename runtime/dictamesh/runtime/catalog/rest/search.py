# SPDX-License-Identifier: Apache-2.0
"""The route of full-text search (MC-20)."""

from dictamesh.runtime.catalog.rest.parameters import choice, page, text
from dictamesh.runtime.catalog.rest.route import Call, Route
from dictamesh.runtime.catalog.search.query import LONGEST_QUERY
from dictamesh.runtime.catalog.search.search import FACETS, FURTHEST, SearchPage, Wanted, search


async def search_catalog(call: Call) -> SearchPage:
    """Search products, entities, fields and relations.

    By names, descriptions, tags, owners and domains; never by values. Words may be begun only, `"phrases"` stand in
    quotes, `-word` excludes, `OR` stands between alternatives; every text is a query. Without `q` everything is found.
    A facet may be chosen several times; its counts say what else could be chosen in it.
    """
    chosen = {name: call[name] for name in FACETS}
    return await search(call.catalog, call.sight, Wanted(call["q"], chosen), call["limit"], call["offset"])


ROUTES = (
    Route(
        "GET",
        "/catalog/search",
        search_catalog,
        SearchPage,
        (
            text("q", "What to search for.", LONGEST_QUERY).such_as('email OR phone -"date of birth"'),
            choice("kind", "Only these kinds.", ("product", "entity", "field", "relation")).repeated(),
            text("domain", "Only these domains.").repeated(),
            text("owner", "Only these owners.").repeated(),
            text("classification", "Only these tiers.").repeated(),
            text("status", "Only these states of a product.").repeated(),
            choice("pii", "With, or without, personal data.", ("true", "false")).repeated(),
            text("tag", "Only what bears one of these tags, or one below it.").repeated(),
            text("regime", "Only what falls under one of these regimes, such as GDPR.").repeated(),
            *page(furthest=FURTHEST),
        ),
    ),
)
