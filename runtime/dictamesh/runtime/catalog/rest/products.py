# SPDX-License-Identifier: Apache-2.0
"""Routes of products and of their use."""

from dictamesh.runtime.catalog.levels import HOURS, LARGEST_WINDOW
from dictamesh.runtime.catalog.pages import ProductPage, ProductSummary, WhichProducts
from dictamesh.runtime.catalog.products import list_products, product_page
from dictamesh.runtime.catalog.queries import Page
from dictamesh.runtime.catalog.rest.faults import RequestRefused
from dictamesh.runtime.catalog.rest.parameters import flag, page, text, whole
from dictamesh.runtime.catalog.rest.route import Call, Route
from dictamesh.runtime.catalog.usage import UsageHidden, UsageReport, usage


async def list_catalog_products(call: Call) -> Page[ProductSummary]:
    """List data products.

    By name, with the entities of each that the caller may know of.
    """
    which = WhichProducts(*(call[name] for name in ("domain", "owner", "status", "tag", "contains_pii")))
    return await list_products(call.catalog, call.sight, which, call["limit"], call["offset"])


async def get_product(call: Call) -> ProductPage:
    """Get a product page.

    Contract and fields, what the caller gets of each, service levels with what was measured, relations, topics and
    consumers.
    """
    return await product_page(call.catalog, call.sight, call["name"], call["hours"])


async def get_usage(call: Call) -> UsageReport:
    """Get who used which fields and entities.

    Counted by operation, caller and purpose, and written once a minute. For callers with a role of `usage.readers`
    where the mesh file names any.
    """
    try:
        return await usage(call.catalog, call.sight, call["days"])
    except UsageHidden:
        raise RequestRefused("FORBIDDEN", "this needs a role of usage.readers") from None


ROUTES = (
    Route(
        "GET",
        "/catalog/products",
        list_catalog_products,
        Page[ProductSummary],
        (
            text("domain", "Only those of this domain."),
            text("owner", "Only those of this owner."),
            text("status", "Only those of this status."),
            text("tag", "Only those with a field that bears this tag, or one below it."),
            flag("contains_pii", "Only those with, or without, personal data."),
            *page(),
        ),
    ),
    Route(
        "GET",
        "/catalog/products/{name}",
        get_product,
        ProductPage,
        (
            text("name", "The product's name.").in_path().such_as("customers"),
            whole("hours", "How far back service levels are measured.", 1, LARGEST_WINDOW, HOURS),
        ),
        faults=("ENTITY_NOT_FOUND",),
    ),
    Route(
        "GET",
        "/catalog/usage",
        get_usage,
        UsageReport,
        (whole("days", "How many days back, today included.", 1, 3660, 30),),
    ),
)
