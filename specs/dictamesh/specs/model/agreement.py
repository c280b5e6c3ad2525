# SPDX-License-Identifier: Apache-2.0
"""`kind: Agreement`: who may use which products, and for how long; rules of policies ask for one by name (S13)."""

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from dictamesh.specs.model.parts import ApiVersion, Listed, OneOrMany, Part, Slug


def _day(value: Any) -> Any:
    if isinstance(value, date):
        return value
    try:
        if isinstance(value, str) and len(value) == 10:
            return date.fromisoformat(value)
    except ValueError:
        pass
    raise ValueError("this is no day; write it as year-month-day, like 2026-12-31")


Day = Annotated[date, BeforeValidator(_day, json_schema_input_type=Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\d$")])]


class Consumer(Part):
    """Who is party to an agreement: all keys hold; a list means any of its values."""

    roles: OneOrMany | None = None
    purposes: OneOrMany | None = None
    claims: dict[str, Annotated[tuple[Any, ...], Listed]] | None = None


class Agreement(Part):
    """An agreement on the use of data products. Only an approved one is ever in force."""

    api_version: ApiVersion
    kind: Literal["Agreement"]
    name: Slug
    owner: str
    description: str = ""
    products: Annotated[OneOrMany, Field(description="product names or globs")]
    consumer: Consumer = Consumer()
    status: Literal["requested", "approved", "rejected"] = "requested"
    approver: str | None = None
    start_date: Day | None = None
    end_date: Day | None = None
