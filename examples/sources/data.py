# SPDX-License-Identifier: Apache-2.0
"""The example's records: 1,000 customers, 300 products, 5,000 invoices, 20,000 items, the same on every machine.

E-mail addresses end in the domains that are reserved for examples.
"""

import random
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from examples.sources.words import COUNTRIES, GERMANY, PROVIDERS, RANGES, STYLES, TAGS

Row = dict[str, Any]
T = TypeVar("T")

NOW = datetime(2026, 1, 1, tzinfo=UTC)  # the day on which the records were "exported"


@dataclass(frozen=True, slots=True)
class Data:
    """Every record, in the order of its id; `invoices` and `items` are rows of the ERP, the others JSON of an API."""

    customers: list[Row]
    products: list[Row]
    invoices: list[Row]
    items: list[Row]


class Draw:
    """Random choices made of `Random.random` alone: the one method whose sequence Python promises to keep."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed).random

    def below(self, end: int) -> int:
        return int(self._random() * end)

    def low(self, end: int) -> int:
        """Like `below`, but small numbers come more often."""
        return int(self._random() * self._random() * end)

    def pick(self, values: Sequence[T]) -> T:
        return values[self.below(len(values))]

    def chance(self, share: float) -> bool:
        return self._random() < share

    def moment(self, start: datetime, end: datetime) -> datetime:
        return start + timedelta(seconds=self.below(int((end - start).total_seconds())))


def generate() -> Data:
    """All records, made anew by each call (about 0.2 s), so that a caller may change its copy."""
    customers, products = _customers(Draw(1)), _products(Draw(2))
    invoices, items = _invoices(Draw(3), customers, products)
    return Data(customers, products, invoices, items)


def _customers(draw: Draw) -> list[Row]:
    start, end = datetime(2019, 1, 1, tzinfo=UTC), datetime(2023, 1, 1, tzinfo=UTC)
    created = sorted(draw.moment(start, end) for _ in range(1000))
    seen: dict[str, int] = {}
    rows = [_customer(draw, f"c-{n:04}", moment, seen) for n, moment in enumerate(created, 1)]
    rows[0].update(first_name="John", last_name="Doe", email="john@example.com", status="active")
    return rows


def _customer(draw: Draw, key: str, created: datetime, seen: dict[str, int]) -> Row:
    country = GERMANY if key == "c-0001" else draw.pick(COUNTRIES)
    first, last = draw.pick(country.first_names), draw.pick(country.last_names)
    city, postcode = draw.pick(country.places)
    street = f"{draw.pick(country.streets)} {1 + draw.below(120)}"
    local = _ascii(f"{first}.{last}")
    seen[local] = seen.get(local, 0) + 1
    number = draw.below(10**country.digits)
    return {
        "id": key,
        "first_name": first,
        "last_name": last,
        "email": f"{local}{seen[local] if seen[local] > 1 else ''}@example.{draw.pick(['com', 'org', 'net'])}",
        "phone": None if draw.chance(0.1) else country.phone.format(f"{number:0{country.digits}}"),
        "birthdate": draw.moment(datetime(1945, 1, 1, tzinfo=UTC), datetime(2005, 1, 1, tzinfo=UTC)).date().isoformat(),
        "country": country.code,
        "city": city,
        "postcode": postcode,
        "address": {"street": street, "city": city, "postcode": postcode},
        "status": "archived" if draw.chance(0.08) else "active",
        "newsletter": draw.chance(0.45),
        "tags": [tag for tag in TAGS if draw.chance(0.15)],
        "date_created": _utc(created),
        "date_updated": None if draw.chance(0.3) else _utc(draw.moment(created, NOW)),
    }


def _products(draw: Draw) -> list[Row]:
    kinds = [
        (f"{style} {thing}", kind, euros) for style in STYLES for things, kind, euros in RANGES for thing in things
    ]
    rows = []
    for n in range(1, 301):
        name, category, euros = kinds[n * 7 % 300]  # 7 shares no factor with 300: each kind once, well mixed
        cents = (euros + draw.low(60)) * 100 + draw.pick([49, 90, 95, 99])
        rows.append(_product(draw, n, name, category, cents))
    rows[0].update(sku="WID-0001", name="Widget", price={"amount": "19.99", "currency": "EUR"}, category="hardware")
    return rows


def _product(draw: Draw, n: int, name: str, category: str, cents: int) -> Row:
    return {
        "id": f"p-{n:04}",
        "sku": f"{category[:3].upper()}-{n:04}",
        "name": name,
        "category": category,
        "price": {"amount": f"{cents // 100}.{cents % 100:02}", "currency": "EUR"},
        "inventory": 0 if draw.chance(0.05) else draw.below(500),
        "provider": draw.pick(PROVIDERS),
        "created": _utc(draw.moment(datetime(2018, 1, 1, tzinfo=UTC), datetime(2023, 1, 1, tzinfo=UTC))),
    }


def _invoices(draw: Draw, customers: list[Row], products: list[Row]) -> tuple[list[Row], list[Row]]:
    sizes = [1] * 5000
    for _ in range(15_000):
        sizes[1 + draw.below(4999)] += 1  # the first invoice keeps its single item
    cents = {row["id"]: int(row["price"]["amount"].replace(".", "")) for row in products}
    created = sorted(draw.moment(datetime(2023, 1, 2, tzinfo=UTC), NOW) for _ in sizes)
    invoices, items = [], []
    for n, (size, moment) in enumerate(zip(sizes, created, strict=True), 1):
        lines = [_item(draw, f"i-{n:05}", line, products, cents) for line in range(1, size + 1)]
        if n == 1:
            lines[0].update(product_id="p-0001", quantity=2, unit_cents=1999)
        owner = "c-0001" if n == 1 else draw.pick(customers)["id"]
        invoices.append(_invoice(draw, n, owner, moment, sum(row["quantity"] * row["unit_cents"] for row in lines)))
        items += lines
    return invoices, items


def _invoice(draw: Draw, n: int, customer: str, created: datetime, cents: int) -> Row:
    recent = NOW - created < timedelta(days=45)
    status = draw.pick(["open"] * 12 + ["paid"] * 8 if recent else ["paid"] * 17 + ["overdue"] * 2 + ["cancelled"])
    updated = created if status == "open" else min(created + timedelta(seconds=draw.below(40 * 86_400)), NOW)
    return {
        "id": f"i-{n:05}",
        "invoice_no": f"INV-{created.year}-{n:05}",
        "customer_id": customer,
        "status": status,
        "total_cents": cents,
        "due_on": (created + timedelta(days=draw.pick([14, 30]))).date().isoformat(),
        "created_at": f"{created:%Y-%m-%d %H:%M:%S}",
        "updated_at": f"{updated:%Y-%m-%d %H:%M:%S}",
    }


def _item(draw: Draw, invoice: str, line: int, products: list[Row], cents: dict[str, int]) -> Row:
    product = products[draw.low(len(products))]["id"]
    return {
        "id": f"{invoice}-{line:02}",
        "invoice_id": invoice,
        "product_id": product,
        "quantity": 1 + draw.low(9),
        "unit_cents": cents[product],
    }


def _utc(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S}.000Z"


def _ascii(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name.lower().replace("ß", "ss").replace("'", ""))
    return plain.encode("ascii", "ignore").decode()
