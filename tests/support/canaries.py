# SPDX-License-Identifier: Apache-2.0
"""Sources full of unmistakable personal data, and the search for it in everything that a runtime writes."""

import csv
import sqlite3
from collections import Counter
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

from aiohttp import web

TOKEN = "clinic-token-of-the-test"

# By kind of place. None of these texts occurs anywhere by chance.
SHOWN = {
    "computed name": "Zyxwvut Qponmlkji",
    "text": "canary.mail.5512@leak.example",
    "64-bit number": "7391827364555",
    "decimal": "918273.64",
    "float": "71.48213",
    "date": "1907-03-19",
    "timestamp": "1908-04-21T05:06:07Z",
    "unclassified": "UNCLASSIFIED-CANARY-3391",
    "object": "STREET-CANARY-9917",
    "number in an object": "84426193",
    "array": "ALIAS-CANARY-2204",
    "key in SQL": "canary.login.6630@leak.example",
    "foreign key": "KEYCANARY-7710",
    "foreign key of a hidden row": "HIDDENKEY-CANARY-7711",
    "decimal in SQL": "817263.54",
    "computed decimal": "1634527.08",
    "date in SQL": "1911-07-23",
    "number in SQL": "66442200",
    "text in CSV": "REASON-CANARY-4478",
    "decimal in CSV": "553311.97",
    "date in CSV": "1913-09-27",
    "hidden row": "HIDDENROW-CANARY-2277",
    "hidden row in SQL": "HIDDENROW-CANARY-8815",
    "hidden row in CSV": "HIDDENROW-CANARY-9926",
}
"""What a caller with the right is shown."""

NEVER = {
    "no value of the enumeration": "STATE-CANARY-1183",
    "text in an integer": "LEVEL-CANARY-8842",
    "text in a public integer": "OPENLEVEL-CANARY-8843",
    "a cast that fails": "CODE-CANARY-6021",
    "text in an integer of SQL": "VISITS-CANARY-5117",
    "text in an integer of CSV": "MINUTES-CANARY-7349",
    "body of a 500": "ERRORBODY-CANARY-1029",
    "reason phrase of a 500": "REASONPHRASE-CANARY-1030",
    "header of a 500": "HEADER-CANARY-1031",
    "body of a 403": "REFUSALBODY-CANARY-3310",
    "redirect": "LOCATION-CANARY-6671",
    "body that is no JSON": "NONSENSE-CANARY-4405",
    "body of another shape": "SHAPE-CANARY-4406",
    "next link": "NEXT-CANARY-4407",
}
"""What no caller is shown, as no field can hold it."""

CANARIES = {**SHOWN, **NEVER}


def clinic_app(served: Counter[str]) -> web.Application:
    """The REST source; `served` counts the answers by path."""
    app = web.Application(middlewares=[_counted(served)])
    app.router.add_get("/people", _people)
    app.router.add_get("/people/{id}", _person)
    for name, answer in BROKEN.items():
        app.router.add_get(f"/{name}", answer)
        app.router.add_get(f"/{name}/{{id}}", answer)
    return app


def _counted(served: Counter[str]) -> Any:
    @web.middleware
    async def counted(request: web.Request, handler: Any) -> web.StreamResponse:
        served[request.path] += 1
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            raise web.HTTPUnauthorized(text=NEVER["body of a 403"])
        return await handler(request)

    return counted


def people() -> list[dict[str, Any]]:
    """One person full of canaries whom most callers know of, and one whom they do not."""
    first, last = SHOWN["computed name"].split()
    known = {
        "id": SHOWN["foreign key"], "first": first, "last": last, "email": SHOWN["text"],
        "phone": int(SHOWN["64-bit number"]), "score": float(SHOWN["decimal"]), "weight": float(SHOWN["float"]),
        "born": SHOWN["date"], "seen": SHOWN["timestamp"], "unclassified": SHOWN["unclassified"],
        "address": {"street": SHOWN["object"], "zip": int(SHOWN["number in an object"])},
        "aliases": [SHOWN["array"]], "state": NEVER["no value of the enumeration"],
        "level": NEVER["text in an integer"], "code": NEVER["a cast that fails"],
        "open_level": NEVER["text in a public integer"], "region": "north", "note": "nothing",
    }  # fmt: skip
    hidden = {**known, "id": SHOWN["foreign key of a hidden row"], "region": "south", "note": SHOWN["hidden row"]}
    return [known, hidden]


async def _people(request: web.Request) -> web.Response:
    ids = request.query.get("ids")
    wanted = ids.split(",") if ids else None
    return web.json_response({"data": [row for row in people() if wanted is None or row["id"] in wanted]})


async def _person(request: web.Request) -> web.Response:
    for row in people():
        if row["id"] == request.match_info["id"]:
            return web.json_response(row)
    raise web.HTTPNotFound(text=NEVER["body of a 403"])


async def _error(_: web.Request) -> web.Response:
    return web.json_response(
        {"error": f"no such person: {NEVER['body of a 500']}"},
        status=500,
        reason=NEVER["reason phrase of a 500"],
        headers={"X-Detail": NEVER["header of a 500"], "Set-Cookie": f"who={NEVER['header of a 500']}"},
    )


async def _refusal(_: web.Request) -> web.Response:
    return web.Response(status=403, text=NEVER["body of a 403"])


async def _redirect(_: web.Request) -> web.Response:
    return web.Response(status=302, headers={"Location": f"http://elsewhere.example/{NEVER['redirect']}"})


async def _nonsense(_: web.Request) -> web.Response:
    return web.Response(text=f"<html>{NEVER['body that is no JSON']}", content_type="application/json")


async def _shape(_: web.Request) -> web.Response:
    return web.json_response({"data": {"id": NEVER["body of another shape"]}, "id": [NEVER["body of another shape"]]})


async def _next(_: web.Request) -> web.Response:
    link = f"http://elsewhere.example/{NEVER['next link']}"
    return web.json_response({"data": [{"id": "1"}], "next": link})


BROKEN = {
    "error": _error, "refusal": _refusal, "redirect": _redirect, "nonsense": _nonsense, "shape": _shape, "next": _next,
}  # fmt: skip


def make_ledger(path: Path) -> None:
    """The SQL source."""
    rows = [
        (SHOWN["key in SQL"], SHOWN["foreign key"], SHOWN["decimal in SQL"], SHOWN["date in SQL"],
         SHOWN["number in SQL"], NEVER["text in an integer of SQL"], "north", "nothing"),
        ("other@leak.example", SHOWN["foreign key of a hidden row"], "1.00", "2001-01-01", "1", "2", "south",
         SHOWN["hidden row in SQL"]),
    ]  # fmt: skip
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(
            "CREATE TABLE accounts (login TEXT PRIMARY KEY, person_id TEXT, balance NUMERIC, opened TEXT,"
            " visits INTEGER, open_visits INTEGER, region TEXT, note TEXT)"
        )
        connection.executemany("INSERT INTO accounts VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
        connection.commit()


def make_lake(folder: Path) -> None:
    """The files."""
    folder.mkdir()
    rows = [
        ("id", "login", "reason", "cost", "day", "minutes", "region", "note"),
        ("1", SHOWN["key in SQL"], SHOWN["text in CSV"], SHOWN["decimal in CSV"], SHOWN["date in CSV"],
         NEVER["text in an integer of CSV"], "north", "nothing"),
        ("2", "other@leak.example", "none", "1", "2001-01-01", "3", "south", SHOWN["hidden row in CSV"]),
    ]  # fmt: skip
    with (folder / "visits.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)


def found_in(text: str | bytes, canaries: Iterable[str] = CANARIES) -> list[str]:
    """The kinds of canaries that a text holds, written as they are, as numbers are, or in parts."""
    raw = text if isinstance(text, bytes) else text.encode()
    return [kind for kind in canaries if any(form in raw for form in _forms(CANARIES[kind]))]


def _forms(canary: str) -> set[bytes]:
    forms = {canary, canary.lower(), canary.replace(" ", "+"), canary.replace("@", "%40"), canary.removesuffix("Z")}
    forms |= set(canary.split())  # the parts of a name
    if canary.replace(".", "").isdigit() and "." in canary:
        forms.add(canary.replace(".", ""))  # as an integer without its scale
    return {form.encode() for form in forms}


def files_below(*folders: Path) -> dict[str, bytes]:
    """Every file below some folders, as bytes."""
    found = {}
    for folder in folders:
        for path in folder.rglob("*"):
            if path.is_file() and not path.is_symlink():
                found[str(path)] = path.read_bytes()
    return found
