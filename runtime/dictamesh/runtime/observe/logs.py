# SPDX-License-Identifier: Apache-2.0
"""Logs as JSON lines or as text, which never hold a value of a source or of a caller (OB-8, S26).

A message of ours is a constant; what varies goes into `extra`, under a name of `FIELDS`. A text among the `%` arguments
is replaced by its type, an exception is told as `exc_info` is. Of a library's record only the logger, the place and the
exception's type are told, as its text may quote values.
"""

import contextlib
import json
import logging
import sys
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from enum import Enum, StrEnum
from pathlib import PurePath
from types import TracebackType
from typing import Any, TextIO

import orjson

from dictamesh.runtime.observe.faults import exception_fields, is_ours, location, type_name
from dictamesh.runtime.observe.trace import CURRENT

FIELDS = (
    "entity", "entity_type", "product", "server", "connector", "operation", "code", "outcome", "state", "reason",
    "check", "file", "plan_hash", "version", "port", "signal", "count", "rows", "attempt", "duration_ms", "fault",
    "sqlstate", "error_type", "cause_type", "place", "topic", "engine",
)  # fmt: skip
LIBRARIES = ("aiohttp", "asyncio", "psycopg", "psycopg.pool", "duckdb", "graphql", "pybreaker", "py.warnings")
_LONGEST = 200
_UNWRITABLE = '{"level":"ERROR","message":"a log record could not be written"}\n'


class LogFormat(StrEnum):
    JSON = "json"
    TEXT = "text"


class SafeFormatter(logging.Formatter):
    """Turns a record into one line that holds what may be told."""

    def __init__(self, service: str, layout: LogFormat) -> None:
        super().__init__()
        self._service = service
        self._write = _as_json if layout is LogFormat.JSON else _as_text

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, without its end."""
        trace = CURRENT.get()
        line: dict[str, Any] = {
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")[:-6] + "Z",
            "level": record.levelname,
            "service": self._service,
            "trace_id": trace.trace_id if trace else None,
            "span_id": trace.span_id if trace else None,
            "logger": record.name,
        }
        return self._write(line | (_own(record) if is_ours(record.name) else _foreign(record)))


class _SafeHandler(logging.StreamHandler[TextIO]):
    def handleError(self, record: logging.LogRecord) -> None:  # noqa: ARG002, N802 - the name and shape are logging's
        """Say that a record was lost; logging would print the record and its arguments."""
        with contextlib.suppress(OSError, ValueError):
            self.stream.write(_UNWRITABLE)


def configure(
    *,
    service: str = "dictamesh-runtime",
    level: int | str = logging.INFO,
    layout: LogFormat | str = LogFormat.JSON,
    stream: TextIO | None = None,
) -> Callable[[], None]:
    """Send every logger of the process through one handler (default: stderr), and return what undoes it.

    `level` is that of our own loggers; libraries speak from WARNING on. Uncaught exceptions of the process and its
    threads, exceptions in destructors and Python's warnings take the same way. Raises ValueError for an unknown level
    or layout.
    """
    handler = _SafeHandler(stream or sys.stderr)
    handler.setFormatter(SafeFormatter(service, LogFormat(layout)))
    undo = contextlib.ExitStack()
    root, ours = logging.getLogger(), logging.getLogger("dictamesh")
    for logger, new in ((ours, level.upper() if isinstance(level, str) else level), (root, logging.WARNING)):
        undo.callback(logger.setLevel, logger.level)
        logger.setLevel(new)
    _route(undo, root, [handler])
    for name in ("dictamesh", *LIBRARIES):
        _route(undo, logging.getLogger(name), [])
    _hook(undo)
    return undo.close


def _route(undo: contextlib.ExitStack, logger: logging.Logger, handlers: list[logging.Handler]) -> None:
    def restore(old: list[logging.Handler], propagated: bool) -> None:
        logger.handlers[:] = old
        logger.propagate = propagated

    undo.callback(restore, list(logger.handlers), logger.propagate)
    logger.handlers[:] = handlers
    logger.propagate = True


def _hook(undo: contextlib.ExitStack) -> None:
    log = logging.getLogger("dictamesh.process")

    def uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        log.critical("an exception reached the top of the process", exc_info=(kind, error, trace))

    def in_thread(failed: threading.ExceptHookArgs) -> None:
        if failed.exc_value is not None and not isinstance(failed.exc_value, SystemExit):
            log.critical("an exception ended a thread", exc_info=failed.exc_value)

    def unraisable(failed: Any) -> None:
        log.error("an exception in a destructor was ignored", exc_info=failed.exc_value)

    undo.callback(setattr, sys, "excepthook", sys.excepthook)
    undo.callback(setattr, threading, "excepthook", threading.excepthook)
    undo.callback(setattr, sys, "unraisablehook", sys.unraisablehook)
    sys.excepthook, threading.excepthook, sys.unraisablehook = uncaught, in_thread, unraisable
    undo.callback(logging.captureWarnings, False)
    logging.captureWarnings(True)


def _own(record: logging.LogRecord) -> dict[str, Any]:
    error = record.exc_info[1] if record.exc_info else _mentioned(record)
    fields: dict[str, Any] = {"message": _message(record)}
    if error is not None:
        fields |= exception_fields(error)
    given = {name: _plain(getattr(record, name)) for name in FIELDS if getattr(record, name, None) is not None}
    return fields | given


def _foreign(record: logging.LogRecord) -> dict[str, Any]:
    error = record.exc_info[1] if record.exc_info else None
    fields = exception_fields(error) if error is not None else {}
    words = f"{record.name} reported {record.levelname}" + (f" ({fields['error_type']})" if fields else "")
    return {"message": words, "place": location(record.pathname, record.lineno, record.funcName or "")} | fields


def _mentioned(record: logging.LogRecord) -> BaseException | None:
    """Find an exception that stands as message or argument, in place of `exc_info`."""
    args = record.args if isinstance(record.args, tuple) else ()
    return next((value for value in (record.msg, *args) if isinstance(value, BaseException)), None)


def _message(record: logging.LogRecord) -> str:
    if isinstance(record.msg, BaseException):
        return type_name(record.msg)
    if not isinstance(record.msg, str):
        return f"<{type(record.msg).__name__}>"
    if not record.args:
        return record.msg
    args: Any
    if isinstance(record.args, Mapping):
        args = {name: _harmless(value) for name, value in record.args.items()}
    else:
        args = tuple(_harmless(value) for value in record.args)
    try:
        return str(record.msg % args)
    except (TypeError, ValueError, KeyError):
        return record.msg


def _harmless(value: object) -> object:
    if isinstance(value, BaseException):
        return type_name(value)
    if isinstance(value, Enum | PurePath):
        return str(value)
    return value if value is None or isinstance(value, int | float) else f"<{type(value).__name__}>"


def _plain(value: object) -> str | int | float | bool:
    if isinstance(value, bool | int | float) and not isinstance(value, Enum):
        return value
    return str(value)[:_LONGEST] if isinstance(value, str | Enum) else f"<{type(value).__name__}>"


def _as_json(line: dict[str, Any]) -> str:
    return orjson.dumps(line).decode()


def _as_text(line: dict[str, Any]) -> str:
    rest = {k: v for k, v in line.items() if k not in {"timestamp", "level", "service", "message"} and v is not None}
    pairs = "".join(f" {name}={_quoted(value)}" for name, value in rest.items())
    return f"{line['timestamp']} {line['level']:<8} {_printable(line['message'])}{pairs}"


def _quoted(value: object) -> str:
    text = str(value)
    return text if text.isprintable() and " " not in text and '"' not in text and text else json.dumps(text)


def _printable(text: str) -> str:
    return text if text.isprintable() else json.dumps(text)[1:-1]
