# SPDX-License-Identifier: Apache-2.0
"""What `make run` executes: the example's sources in this process, and the runtime over them in a child.

Arguments go to the runtime (`--port 0`). From the environment: CMS_PORT and SHOP_PORT (else 8055 and 8056, or free ones
where those are taken), CMS_URL or SHOP_URL (a server of your own instead of the example's), SHOP_WEBHOOK (whom the shop
tells of changes), ERP_PATH, and ERP_DSN (fill that PostgreSQL database with the ERP's tables too).
"""

import asyncio
import ctypes
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import psycopg
from aiohttp import web

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # a script sees only its own folder

from examples.sources import data, erp, serve
from examples.sources.cms import cms_app
from examples.sources.hook import Hook
from examples.sources.shop import shop_app

EXAMPLES = Path(__file__).resolve().parent
GRACE = 40.0  # seconds from the first signal to the kill: the runtime drains within 30
PR_SET_PDEATHSIG = 1


def main(argv: Sequence[str] | None = None, command: Sequence[str] | None = None) -> int:
    """Run until the runtime ends or a signal ends it; returns its exit code, 128 + n where signal n killed it, 3 where
    the sources or the runtime cannot start. `command` stands in for the runtime and its `--config`.
    """
    program = Path(sys.executable).with_name("dictamesh-runtime")
    if command is None and not program.exists():
        return _failed(f"{program} is missing: run `make setup`")
    command = command or [str(program), "--config", _shown(EXAMPLES / "mesh.yaml")]
    try:
        return asyncio.run(_run([*command, *(sys.argv[1:] if argv is None else argv)]))
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except psycopg.Error as error:  # its text may quote the password
        return _failed(f"the database at ERP_DSN cannot be filled ({type(error).__name__})")
    except OSError as error:
        return _failed(str(error))


def _failed(message: str) -> int:
    print(f"run.py: {message}", file=sys.stderr)
    return 3


async def _run(command: list[str]) -> int:
    records = data.generate()
    erp.build_sqlite(serve.erp_path(), records)
    if "ERP_DSN" in os.environ:
        erp.fill_postgres(os.environ["ERP_DSN"], records)
    hook = Hook(serve.key("shop-webhook.key"), os.environ.get("SHOP_WEBHOOK", _webhook(command)))
    apps = {
        "CMS": (cms_app(records.customers, serve.key("cms.token")), serve.CMS_PORT),
        "SHOP": (shop_app(records.products, serve.key("shop.key"), hook), serve.SHOP_PORT),
    }
    async with AsyncExitStack() as stack:
        urls = {f"{name}_URL": await _url(stack, name, *app) for name, app in apps.items()}
        print(f"sources: cms {urls['CMS_URL']}, shop {urls['SHOP_URL']}, erp {_shown(serve.erp_path())}", flush=True)
        return await _attend(command, {**os.environ, **urls})


def _webhook(command: list[str]) -> str | None:
    """Whom the shop tells of changes: the runtime on its port; nobody where that is any free one."""
    port = command[command.index("--port") + 1 :][:1] if "--port" in command else []
    return None if port == ["0"] else serve.WEBHOOK.replace(":8080/", f":{port[0]}/") if port else serve.WEBHOOK


async def _url(stack: AsyncExitStack, name: str, app: web.Application, port: int) -> str:
    if url := os.environ.get(f"{name}_URL"):
        return url
    asked = os.environ.get(f"{name}_PORT")
    if asked and not (asked.isascii() and asked.isdigit() and int(asked) < 65_536):
        raise OSError(f"{name}_PORT is not a port: {asked}")
    return await serve.listen(stack, app, int(asked or port), spare=not asked)


async def _attend(command: list[str], environ: Mapping[str, str]) -> int:
    """Run the command to its end, handing SIGINT and SIGTERM on to it."""
    loop = asyncio.get_running_loop()
    # A group of its own: Ctrl-C reaches the child once, from here, not twice.
    child = await asyncio.create_subprocess_exec(
        *command, env=environ, stdin=asyncio.subprocess.DEVNULL, process_group=0, preexec_fn=_dies_with(os.getpid())
    )

    def forward(signum: int) -> None:
        if child.returncode is None:
            child.send_signal(signum)
            loop.call_later(GRACE, _kill, child)

    for signum in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(signum, forward, signum)
    try:
        code = await child.wait()
    finally:
        _kill(child)
    return code if code >= 0 else 128 - code


def _kill(child: asyncio.subprocess.Process) -> None:
    if child.returncode is None:
        child.kill()


def _dies_with(parent: int) -> Callable[[], None] | None:
    """What a child does before it starts so that it is asked to stop when this process dies, kill -9 included."""
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None)

    def ask() -> None:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # it died before the request
            os.kill(os.getpid(), signal.SIGTERM)

    return ask


def _shown(path: Path) -> str:
    return os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)


if __name__ == "__main__":
    sys.exit(main())
