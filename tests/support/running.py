# SPDX-License-Identifier: Apache-2.0
"""The example as a user runs it: its sources on loopback, the runtime as a process of its own."""

import asyncio
import inspect
import json
import os
import re
import shutil
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from examples.sources import data, erp, serve
from examples.sources.cms import cms_app
from examples.sources.counted import QUERIES, REQUESTS
from examples.sources.hook import Hook
from examples.sources.shop import shop_app

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(sys.executable).with_name("dictamesh-runtime")
TOUR = (
    "{ customers(limit: 3) { id name email invoices(limit: 2) { total items { quantity product { name price } } } } }"
)
READY = re.compile(r"^ready\s+(http://\S+)/graphql", re.MULTILINE)
METRICS = re.compile(r"^metrics\s+(http://\S+)/metrics", re.MULTILINE)


@dataclass
class Sources:
    """The example's three systems; the lists are served live."""

    records: data.Data
    cms: web.Application
    shop: web.Application
    environment: dict[str, str]
    hook: Hook = field(default_factory=lambda: Hook(""))

    def calls(self) -> int:
        return sum(self.cms[REQUESTS].values()) + sum(self.shop[REQUESTS].values())

    def forget(self) -> None:
        for app in (self.cms, self.shop):
            app[REQUESTS].clear()
            app[QUERIES].clear()


@dataclass
class Runtime:
    """A runtime that is serving."""

    process: asyncio.subprocess.Process
    url: str
    metrics_url: str
    output: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    readers: list[asyncio.Task[None]] = field(default_factory=list)

    async def ask(self, query: str, key: str | None = None, **more: Any) -> dict[str, Any]:
        headers = {"X-API-Key": serve.key(f"{key}.key")} if key else {}
        headers |= more.pop("headers", {})
        async with aiohttp.ClientSession() as session:
            body = {"query": query, **more}
            async with session.post(f"{self.url}/graphql", json=body, headers=headers) as response:
                return await response.json(content_type=None)

    async def get(self, path: str, key: str | None = None) -> tuple[int, Any]:
        headers = {"X-API-Key": serve.key(f"{key}.key")} if key else {}
        async with aiohttp.ClientSession() as session, session.get(f"{self.url}{path}", headers=headers) as response:
            return response.status, await response.json(content_type=None)

    async def send(self, method: str, path: str, body: Any, key: str | None) -> tuple[int, str, Mapping[str, str]]:
        """Send JSON to a path; returns status, text and headers of the answer."""
        headers = {"X-API-Key": serve.key(f"{key}.key")} if key else {}
        async with (
            aiohttp.ClientSession() as session,
            session.request(method, f"{self.url}{path}", json=body, headers=headers) as response,
        ):
            return response.status, await response.text(), dict(response.headers)

    async def fetch(self, path: str, headers: Mapping[str, str]) -> tuple[int, str]:
        """Get a path with any headers; returns status and text."""
        async with aiohttp.ClientSession() as session, session.get(f"{self.url}{path}", headers=headers) as response:
            return response.status, await response.text()

    async def metrics(self) -> str:
        async with aiohttp.ClientSession() as session, session.get(f"{self.metrics_url}/metrics") as response:
            return await response.text()

    async def post(self, body: bytes, headers: Mapping[str, str] | None = None) -> tuple[int, str, Mapping[str, str]]:
        """Send a body as it is; returns status, text and headers of the answer."""
        sent = {"Content-Type": "application/json", **(headers or {})}
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{self.url}/graphql", data=body, headers=sent) as response,
        ):
            return response.status, await response.text(), dict(response.headers)

    def log(self) -> list[dict[str, Any]]:
        """The log so far; every line is a JSON object, or this fails."""
        return [json.loads(line) for line in self.errors]

    def said(self, message: str) -> list[dict[str, Any]]:
        """The log records whose message holds `message`."""
        return [record for record in self.log() if message in record["message"]]

    async def until_said(self, message: str, times: int = 1) -> list[dict[str, Any]]:
        """Wait for a log record, and fail where none comes."""
        await until(lambda: len(self.said(message)) >= times, f"the log says {message!r}")
        return self.said(message)

    async def reloads(self) -> dict[str, int]:
        """How the changes of the tree that were seen so far ended."""
        found = re.findall(r'dictamesh_reloads_total\{outcome="(\w+)"\} ([0-9.]+)', await self.metrics())
        return {outcome: int(float(count)) for outcome, count in found}

    async def ready(self, seconds: float = 60.0) -> bool:
        """Wait until the ready line stands there; false where the process ended or took longer."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            text = "".join(self.output)
            found, metrics = READY.search(text), METRICS.search(text)
            if found and metrics:
                self.url, self.metrics_url = found[1], metrics[1]
                return True
            if self.process.returncode is not None and all(reader.done() for reader in self.readers):
                return False
            await asyncio.sleep(0.02)
        return False

    async def stop(self, number: int = signal.SIGTERM) -> int:
        if self.process.returncode is None:
            self.process.send_signal(number)
        code = await asyncio.wait_for(self.process.wait(), 40)
        await asyncio.gather(*self.readers)
        return code


async def until(true: Callable[[], Awaitable[bool] | bool], what: str, seconds: float = 30.0) -> None:
    """Wait until something holds; fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        held = true()
        if inspect.isawaitable(held):
            held = await held
        if held:
            return
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        await asyncio.sleep(0.05)


@asynccontextmanager
async def example_sources(folder: Path) -> AsyncIterator[Sources]:
    """The CMS and the shop in this process, the ERP as a file under `folder`."""
    records = data.generate()
    path = folder / "erp.sqlite"
    erp.build_sqlite(path, records)
    async with AsyncExitStack() as stack:
        cms = cms_app(records.customers, serve.key("cms.token"))
        hook = Hook(serve.key("shop-webhook.key"))
        shop = shop_app(records.products, serve.key("shop.key"), hook)
        urls = {
            "CMS_URL": await serve.listen(stack, cms, 0),
            "SHOP_URL": await serve.listen(stack, shop, 0),
            "ERP_PATH": str(path),
        }
        yield Sources(records, cms, shop, urls, hook)


def example_tree(folder: Path) -> Path:
    """A copy of the example's specs that a test may edit; returns its mesh file."""
    tree = folder / "mesh"
    tree.mkdir()
    for name in ("mesh.yaml", "taxonomy.yaml"):
        shutil.copy(ROOT / "examples" / name, tree / name)
    for name in ("products", "policies", "keys"):
        shutil.copytree(ROOT / "examples" / name, tree / name)
    (tree / "sources").mkdir()
    shutil.copy(ROOT / "examples" / "sources" / "suppliers.csv", tree / "sources")
    return tree / "mesh.yaml"


def edit(path: Path, before: str, after: str) -> None:
    """Change a file of a tree as an editor does: a new file moved over the old one."""
    text = path.read_text(encoding="utf-8")
    assert before in text, f"{path.name} holds no {before!r}"
    place(path, text.replace(before, after))


def place(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    draft = path.with_name(f".{path.name}.new")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)


def clean_environment(more: Mapping[str, str]) -> dict[str, str]:
    """The environment without what would change the runtime's settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("DICTAMESH_", "COVERAGE"))}
    return {**kept, **more}


@asynccontextmanager
async def running(
    config: Path, data_dir: Path, environment: Mapping[str, str], *arguments: str
) -> AsyncIterator[Runtime]:
    """`dictamesh-runtime --config` on free ports; stopped at the end, killed if it will not."""
    runtime = await start(config, data_dir, environment, *arguments)
    try:
        yield runtime
    finally:
        if runtime.process.returncode is None:
            await runtime.stop()


async def start(config: Path, data_dir: Path, environment: Mapping[str, str], *arguments: str) -> Runtime:
    """Start the runtime and wait until it is ready; fails with its output where it is not."""
    runtime = await spawn(config, data_dir, environment, *arguments)
    if not await runtime.ready():
        if runtime.process.returncode is None:
            runtime.process.kill()
        await asyncio.gather(*runtime.readers)
        raise AssertionError(f"the runtime did not start:\n{''.join(runtime.output)}\n{''.join(runtime.errors)}")
    return runtime


async def spawn(config: Path, data_dir: Path, environment: Mapping[str, str], *arguments: str) -> Runtime:
    """Start the runtime on free ports without waiting for anything."""
    command = [str(PROGRAM), "--config", str(config), "--port", "0", "--metrics-port", "0", "--data-dir", str(data_dir)]
    process = await asyncio.create_subprocess_exec(
        *command,
        *arguments,
        env=clean_environment(environment),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    return of_process(process)


def of_process(process: asyncio.subprocess.Process) -> Runtime:
    """A runtime by its process, whose output is collected from now on."""
    runtime = Runtime(process, "", "")
    runtime.readers = [
        asyncio.create_task(_collect(process.stdout, runtime.output)),
        asyncio.create_task(_collect(process.stderr, runtime.errors)),
    ]
    return runtime


async def _collect(stream: asyncio.StreamReader | None, lines: list[str]) -> None:
    assert stream is not None
    async for line in stream:
        lines.append(line.decode())


async def command(*arguments: str, environment: Mapping[str, str] | None = None) -> tuple[int, str, str]:
    """Run one command of the program; returns exit code, standard output and standard error."""
    process = await asyncio.create_subprocess_exec(
        str(PROGRAM),
        *arguments,
        env=clean_environment(environment or {}),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


def pretty(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)
