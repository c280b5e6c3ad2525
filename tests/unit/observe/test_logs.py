# SPDX-License-Identifier: Apache-2.0
"""Logs tell what happened and never a value (OB-8, S26)."""

import asyncio
import gc
import io
import json
import logging
import re
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import psycopg.errors
import pytest
from aiohttp import ClientSession, web
from hypothesis import given, settings
from hypothesis import strategies as st

from dictamesh.connectors.sdk.errors import Fault, Transient
from dictamesh.runtime.observe import LogFormat, begin, configure, exception_fields, within
from dictamesh.runtime.observe.server import listen
from dictamesh.runtime.resilience import Guard, Retry, Settings

CANARY = "john.doe@canary.example"
OWN = logging.getLogger("dictamesh.runtime.somewhere")


class Captured(io.StringIO):
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.getvalue().splitlines()]

    def one(self) -> dict[str, Any]:
        (line,) = self.lines()
        return line


@pytest.fixture
def log() -> Iterator[Captured]:
    stream = Captured()
    undo = configure(stream=stream, level="debug")
    yield stream
    undo()
    assert CANARY not in stream.getvalue()


def test_a_line_of_ours(log: Captured):
    context = begin()
    with within(context):
        OWN.info("read an entity", extra={"entity_type": "Customer", "duration_ms": 1.5, "server": "cms"})
    line = log.one()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line.pop("timestamp"))
    assert line == {
        "level": "INFO",
        "service": "dictamesh-runtime",
        "trace_id": context.trace_id,
        "span_id": context.span_id,
        "logger": OWN.name,
        "message": "read an entity",
        "entity_type": "Customer",
        "duration_ms": 1.5,
        "server": "cms",
    }


def test_only_listed_fields_pass_and_only_plain_values(log: Captured):
    OWN.warning("odd", extra={"row": CANARY, "entity_id": CANARY, "code": [CANARY], "product": "p" * 1000})
    line = log.one()
    assert line["code"] == "<list>"
    assert line["product"] == "p" * 200
    assert not {"row", "entity_id"} & set(line)


def test_arguments_of_a_message_are_numbers_and_enums_or_told_by_type(log: Captured):
    OWN.info("%d of %s, %s: %s %r", 3, 4.5, Fault.TIMEOUT, CANARY, [CANARY])
    OWN.info("%(who)s %(n)d", {"who": CANARY, "n": 2})
    OWN.info("100%")
    OWN.info(ValueError(CANARY))
    OWN.info([CANARY])
    assert [line["message"] for line in log.lines()] == [
        "3 of 4.5, timeout: <str> '<list>'",
        "<str> 2",
        "100%",
        "ValueError",
        "<list>",
    ]


def test_an_exception_among_the_arguments_is_told_as_exc_info_is(log: Captured):
    OWN.error("rows not written to %s: %s", Path("audit.jsonl"), psycopg.errors.UniqueViolation(CANARY))
    line = log.one()
    assert line["message"] == "rows not written to audit.jsonl: psycopg.errors.UniqueViolation"
    assert (line["error_type"], line["sqlstate"]) == ("psycopg.errors.UniqueViolation", "23505")


def test_arguments_that_do_not_fit_the_message_are_dropped():
    stream = Captured()
    undo = configure(stream=stream)  # in the test itself, where pytest's own handler would raise
    OWN.info("%d wrong", CANARY)
    OWN.info("%s %s", CANARY)
    undo()
    assert [line["message"] for line in stream.lines()] == ["%d wrong", "%s %s"]


def test_an_exception_is_told_by_type_sqlstate_and_place(log: Captured):
    try:
        raise psycopg.errors.InvalidTextRepresentation(f"invalid input: {CANARY}")
    except psycopg.Error as error:
        error.add_note(CANARY)
        OWN.exception("a statement failed", extra={"server": "erp"})
    line = log.one()
    assert line["error_type"] == "psycopg.errors.InvalidTextRepresentation"
    assert (line["sqlstate"], line["server"]) == ("22P02", "erp")
    assert "place" not in line  # no frame of ours


async def test_the_place_is_the_innermost_frame_of_ours(log: Captured):
    async def source() -> None:
        try:
            int(CANARY)
        except ValueError as error:
            raise Transient(Fault.INVALID_RESPONSE, place="GET /items") from error

    try:
        await Guard("cms", Settings(retry=Retry(attempts=1))).call(source)
    except Transient:
        OWN.exception("a call failed")
    line = log.one()
    assert re.fullmatch(r"dictamesh/runtime/resilience/call\.py:\d+ _within", line["place"])
    assert (line["fault"], line["cause_type"]) == ("invalid_response", "ValueError")
    assert line["error_type"] == "dictamesh.connectors.sdk.errors.Transient"


def test_a_cyclic_chain_of_causes_ends():
    one, two, three = ValueError(CANARY), KeyError(CANARY), OSError(CANARY)
    one.__cause__, two.__context__, three.__context__ = two, three, one
    assert exception_fields(one) == {"error_type": "ValueError", "cause_type": "OSError"}


def test_an_sqlstate_that_is_none_is_left_out():
    error = ValueError()
    error.sqlstate = CANARY  # type: ignore[attr-defined]  # as a driver of somebody's might
    assert exception_fields(error) == {"error_type": "ValueError"}


def test_a_real_driver_that_quotes_values_is_not_quoted(log: Captured):
    with duckdb.connect() as connection, pytest.raises(duckdb.Error, match=CANARY) as error:
        connection.execute("SELECT CAST(? AS INTEGER)", [CANARY]).fetchall()
    OWN.error("a query failed", exc_info=error.value)
    assert log.one()["error_type"].endswith("ConversionException")


@pytest.mark.parametrize("name", ["aiohttp.server", "asyncio", "psycopg.pool", "duckdb", "acme.connector", "root"])
def test_a_library_is_told_by_logger_level_place_and_type(log: Captured, name: str):
    logging.getLogger(None if name == "root" else name).error(
        "row %s", CANARY, exc_info=ValueError(CANARY), extra={"code": CANARY}
    )
    line = log.one()
    assert line["message"] == f"{name} reported ERROR (ValueError)"
    assert (line["logger"], line["error_type"]) == (name, "ValueError")
    assert "code" not in line
    assert re.fullmatch(r"observe/test_logs\.py:\d+ \w+", line["place"])


def test_libraries_speak_from_warning_on(log: Captured):
    logging.getLogger("aiohttp.access").info("GET /%s", CANARY)
    logging.getLogger("asyncio").debug("using selector")
    assert log.getvalue() == ""


async def test_a_failing_handler_of_a_real_server(log: Captured):
    async def fail(_: web.Request) -> web.Response:
        raise RuntimeError(CANARY)

    app = web.Application()
    app.router.add_get("/{id}", fail)
    server = await listen(app, port=0)
    async with ClientSession() as session, session.get(f"http://127.0.0.1:{server.port}/{CANARY}") as answer:
        assert answer.status == 500
    await server.close()
    line = log.one()
    assert line["message"] == "aiohttp.server reported ERROR (RuntimeError)"


async def test_a_task_whose_exception_nobody_took(log: Captured):
    async def fail(_: str) -> None:
        raise RuntimeError(CANARY)

    task = asyncio.create_task(fail(CANARY), name=CANARY)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    del task
    gc.collect()
    assert log.one()["message"] == "asyncio reported ERROR (RuntimeError)"


def test_what_reaches_the_top_of_process_or_thread(log: Captured):
    try:
        raise RuntimeError(CANARY)
    except RuntimeError as error:
        sys.excepthook(type(error), error, error.__traceback__)

    def fail() -> None:
        raise RuntimeError(CANARY)

    thread = threading.Thread(target=fail, name=CANARY)
    thread.start()
    thread.join()

    class Broken:
        def __del__(self) -> None:
            raise RuntimeError(CANARY)

    Broken()
    gc.collect()
    assert [(line["level"], line["error_type"]) for line in log.lines()] == [
        ("CRITICAL", "RuntimeError"),
        ("CRITICAL", "RuntimeError"),
        ("ERROR", "RuntimeError"),
    ]


def test_warnings_take_the_same_way(log: Captured):
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(False)  # catch_warnings saved pytest's hook: set ours anew inside it
        logging.captureWarnings(True)
        warnings.warn(CANARY, stacklevel=1)
        logging.captureWarnings(False)
    assert log.one()["message"] == "py.warnings reported WARNING"


def test_a_record_that_cannot_be_written_leaves_no_traces(log: Captured, capsys: pytest.CaptureFixture[str]):
    OWN.error("lone surrogate", extra={"code": "\ud800" + CANARY})
    assert log.one() == {"level": "ERROR", "message": "a log record could not be written"}
    assert capsys.readouterr().err == ""


def test_the_text_format_is_one_line_per_record():
    stream = io.StringIO()
    undo = configure(stream=stream, layout="text", service="s")
    OWN.info("two\nlines", extra={"product": "a b", "server": "cms\n2026 forged"})
    undo()
    (line,) = stream.getvalue().splitlines()
    pattern = rf'\S+Z INFO     two\\nlines logger={OWN.name} product="a b" server="cms\\n2026 forged"'
    assert re.fullmatch(pattern, line)


def test_undo_restores_everything():
    def state() -> list[Any]:
        loggers = [logging.getLogger(n) for n in (None, "dictamesh", "aiohttp", "asyncio", "psycopg.pool")]
        hooks = [sys.excepthook, threading.excepthook, sys.unraisablehook]
        return [*((x.level, list(x.handlers), x.propagate) for x in loggers), *hooks]

    own = logging.NullHandler()
    logging.getLogger("aiohttp").addHandler(own)
    before = state()
    configure(stream=io.StringIO(), level="error", layout=LogFormat.TEXT)()
    assert state() == before
    logging.getLogger("aiohttp").removeHandler(own)


@pytest.mark.parametrize("options", [{"level": "loud"}, {"layout": "xml"}])
def test_unknown_settings_change_nothing(options: dict[str, str]):
    before = list(logging.getLogger().handlers), logging.getLogger().level
    with pytest.raises(ValueError):
        configure(**options)  # type: ignore[arg-type]  # wrong on purpose
    assert (list(logging.getLogger().handlers), logging.getLogger().level) == before


values = st.recursive(
    st.sampled_from([CANARY, CANARY.encode(), ValueError(CANARY), f"%s {CANARY}", {CANARY: 1}]),
    lambda inner: st.one_of(st.lists(inner), st.tuples(inner), st.dictionaries(st.just("k"), inner)),
    max_leaves=4,
)
sinks: list[Callable[[list[Any]], None]] = [
    lambda v: OWN.info("it %s %r", *v),
    lambda v: OWN.error("it", *v),
    lambda v: OWN.error("it", exc_info=RuntimeError(*v)),
    lambda v: OWN.error("it", exc_info=KeyError(*v), stack_info=True),
    lambda v: OWN.error("it", extra={"row": v, "key": v[0]}),
    lambda v: OWN.error("it", exc_info=ExceptionGroup("it", [ValueError(x) for x in v])),
    lambda v: logging.getLogger("asyncio").error(v[0], *v),
    lambda v: logging.getLogger("psycopg").warning("%s", v, exc_info=ValueError(*v)),
]


@settings(max_examples=300, deadline=None)
@given(
    given_values=st.lists(values, min_size=2, max_size=2),
    sink=st.sampled_from(sinks),
    layout=st.sampled_from(LogFormat),
)
def test_no_sink_tells_a_value(given_values: list[Any], sink: Callable[[list[Any]], None], layout: LogFormat):
    stream = io.StringIO()
    undo = configure(stream=stream, layout=layout)
    try:
        sink(given_values)
    finally:
        undo()
    assert len(stream.getvalue().splitlines()) == 1
    assert "canary" not in stream.getvalue()
