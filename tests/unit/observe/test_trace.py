# SPDX-License-Identifier: Apache-2.0
"""The trace context of W3C."""

import asyncio
import re

import pytest

from dictamesh.runtime.observe import CURRENT, TraceContext, begin, parse, within

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


def test_a_header_is_read_and_written():
    context = parse(f"00-{TRACE}-{SPAN}-01")
    assert context == TraceContext(TRACE, SPAN, sampled=True)
    assert context.traceparent() == f"00-{TRACE}-{SPAN}-01"
    assert parse(f"00-{TRACE}-{SPAN}-00").traceparent().endswith("-00")


def test_a_later_version_may_say_more():
    assert parse(f"01-{TRACE}-{SPAN}-03-more") == TraceContext(TRACE, SPAN)


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "00",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01-more",
        f"00-{TRACE}-{SPAN}-1",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE}-{SPAN}-01\n",
        f" 00-{TRACE}-{SPAN}-01",
        f"00-{TRACE[:-1]}٣-{SPAN}-01",
        f"01-{TRACE}-{SPAN}-01-{'x' * 1000}",
    ],
)
def test_an_invalid_header_starts_a_new_trace(header: str | None):
    assert parse(header) is None
    context = begin(header)
    assert re.fullmatch("[0-9a-f]{32}", context.trace_id)
    assert re.fullmatch("[0-9a-f]{16}", context.span_id)
    assert context.trace_id != TRACE


def test_a_valid_header_gives_a_new_span_of_its_trace():
    context = begin(f"00-{TRACE}-{SPAN}-00")
    assert (context.trace_id, context.sampled) == (TRACE, False)
    assert context.span_id != SPAN


async def test_the_context_follows_the_tasks_of_a_request():
    async def inner() -> str:
        await asyncio.sleep(0)
        return CURRENT.get().trace_id

    async def request() -> bool:
        with within(begin()) as context:
            return await asyncio.create_task(inner()) == context.trace_id

    assert await asyncio.gather(request(), request()) == [True, True]
    assert CURRENT.get() is None
