# SPDX-License-Identifier: Apache-2.0
"""Pages of one list, one after the other, with an end that the spec states (S24)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from dictamesh.connectors.rest.addresses import Query
from dictamesh.connectors.rest.answers import records
from dictamesh.connectors.rest.options import LinkedPages, NumberedPages, OffsetPages, Pages
from dictamesh.connectors.rows import Record, follow
from dictamesh.connectors.sdk.errors import Fault, Terminal

MAX_PAGES = 1000


@dataclass(frozen=True, slots=True)
class Page:
    """One page's rows, and its whole answer with the address it came from."""

    rows: list[Record]
    document: Any
    url: str


class Ask(Protocol):
    """Reads one page: by further query parameters, or by the link of the page before."""

    async def __call__(self, extra: Query, link: tuple[str, str] | None = None) -> Page: ...


@dataclass(frozen=True, slots=True)
class Window:
    """The rows wanted of a list; `want` None: all."""

    skip: int = 0
    want: int | None = None


@dataclass(frozen=True, slots=True)
class _Step:
    """One call: its parameters or link, the most rows it may give, and the rows the source leaves out before them."""

    extra: Query
    size: int | None = None
    left_out: int = 0
    at: int = 0  # rows read before it, or the number of its page from 0
    link: tuple[str, str] | None = None


async def read(ask: Ask, pages: Pages | None, window: Window, key: Sequence[str], place: str) -> list[Record]:
    """Return exactly the rows of the window.

    `Terminal(TOO_LARGE)` after 1,000 pages; `Terminal(INVALID_RESPONSE)` where a page or link comes again, or a page
    holds more rows than it may.
    """
    found: list[Record] = []
    before: list[Record] = []
    seen: set[str] = set()
    skip = window.skip
    step = _first(pages, window) if window.want != 0 else None
    for _ in range(MAX_PAGES):
        if step is None:
            return found
        page = await ask(step.extra, step.link)
        _sound(page, step, before, seen, key, place)
        before = page.rows
        skip -= step.left_out
        found += page.rows[skip:]
        skip = max(0, skip - len(page.rows))
        if window.want is not None and len(found) >= window.want:
            return found[: window.want]
        step = _following(pages, window, step, page, place)
    raise Terminal(Fault.TOO_LARGE, place=place)


def _sound(page: Page, step: _Step, before: list[Record], seen: set[str], key: Sequence[str], place: str) -> None:
    rows = page.rows
    too_many = step.size is not None and len(rows) > step.size
    again = bool(rows) and rows == before and all(name in rows[0] for name in key)
    linked_again = step.link is not None and page.url in seen
    seen.add(page.url)
    if too_many or again or linked_again:
        raise Terminal(Fault.INVALID_RESPONSE, place=place)


def _first(pages: Pages | None, window: Window) -> _Step:
    match pages:
        case OffsetPages():
            return _offset_step(pages, window, 0)
        case NumberedPages():
            size = pages.page_size
            if pages.size is not None and window.want is not None and window.skip == 0:
                size = min(size, window.want)
            index = window.skip // size
            return _numbered_step(pages, size, index, index * size)
        case LinkedPages() if pages.size is not None:
            return _Step([(pages.size, str(pages.page_size))])
        case _:
            return _Step([])


def _following(pages: Pages | None, window: Window, step: _Step, page: Page, place: str) -> _Step | None:
    match pages:
        case OffsetPages():
            full = len(page.rows) == step.size
            return _offset_step(pages, window, step.at + len(page.rows)) if full else None
        case NumberedPages():
            ended = _ended(pages, page, step, place)
            return None if ended else _numbered_step(pages, step.size or pages.page_size, step.at + 1, 0)
        case LinkedPages():
            link = follow(page.document, pages.next)
            if link is None or link == "":
                return None
            if not isinstance(link, str):
                raise Terminal(Fault.INVALID_RESPONSE, place=place)
            return _Step([], link=(page.url, link))
        case _:
            return None


def _offset_step(pages: OffsetPages, window: Window, got: int) -> _Step:
    size = pages.max_limit if window.want is None else min(pages.max_limit, window.want - got)
    extra = [(pages.limit, str(size)), (pages.offset, str(window.skip + got))]
    return _Step(extra, size, window.skip if got == 0 else 0, got)


def _numbered_step(pages: NumberedPages, size: int, index: int, left_out: int) -> _Step:
    extra = [(pages.page, str(pages.start + index))]
    if pages.size is not None:
        extra.append((pages.size, str(size)))
    return _Step(extra, size, left_out, index)


def _ended(pages: NumberedPages, page: Page, step: _Step, place: str) -> bool:
    size = step.size or pages.page_size
    if not page.rows:
        return True
    if pages.short_page:
        return len(page.rows) < size
    end = follow(page.document, pages.last if pages.last is not None else pages.total)
    if not isinstance(end, int) or isinstance(end, bool):
        raise Terminal(Fault.INVALID_RESPONSE, place=place)
    read_pages = step.at + 1
    return read_pages >= end if pages.last is not None else read_pages * size >= end


def page_of(document: Any, path: str | None, url: str, place: str) -> Page:
    """Build a page from an answer."""
    return Page(records(document, path, place), document, url)
