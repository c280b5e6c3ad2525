# SPDX-License-Identifier: Apache-2.0
"""The names that the unit tests of expressions use."""

from dictamesh.specs.expressions import Call, Column, Expr, Missing, Scope
from dictamesh.specs.types import (
    BOOLEAN,
    DATE,
    DECIMAL,
    FLOAT,
    INT,
    JSON,
    LONG,
    STRING,
    TIME,
    TIMESTAMP,
    Kind,
    Type,
)

TYPES: dict[str, Type] = {
    "id": INT,
    "big": LONG,
    "ratio": FLOAT,
    "price": DECIMAL,
    "name": STRING,
    "status": Type(Kind.STRING, values=("open", "paid")),
    "paid": BOOLEAN,
    "due_on": DATE,
    "at": TIMESTAMP,
    "opens": TIME,
    "data": JSON,
    "tags": Type(Kind.ARRAY, item=STRING),
    "Group": STRING,
    "Straße": STRING,
    "a b": INT,
}


def _related(path: tuple[str, ...]) -> Expr | Missing:
    if path[0] != "customer":
        return Missing(0, ("customer",))
    return Column(path, STRING) if path[1:] == ("storeId",) else Missing(1, ("storeId", "country"))


SCOPE = Scope(
    names={name: Column((name,), type_) for name, type_ in TYPES.items()},
    groups={"self": {"total": Call("div", (Column(("price",), DECIMAL), Column(("price",), DECIMAL)), DECIMAL)}},
    parameters={"principal.countries": Type(Kind.ARRAY, item=STRING), "request.purpose": STRING},
    resolve=_related,
)
