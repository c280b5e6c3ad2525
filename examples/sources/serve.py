# SPDX-License-Identifier: Apache-2.0
"""The example's sources: `python examples/sources/serve.py` makes the ERP and serves the CMS and the shop."""

import argparse
import asyncio
import errno
import json
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from aiohttp import web

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # a script sees only its own folder

from examples.sources import data, erp
from examples.sources.cms import cms_app
from examples.sources.hook import Hook
from examples.sources.shop import shop_app

EXAMPLES = Path(__file__).resolve().parents[1]
CMS_PORT, SHOP_PORT = 8055, 8056
WEBHOOK = "http://127.0.0.1:8080/webhooks/products/Product"


def key(name: str) -> str:
    """The text of `examples/keys/<name>`, without the end of the line."""
    return (EXAMPLES / "keys" / name).read_text().strip()


def erp_path() -> Path:
    """Where the ERP's SQLite file lies: ERP_PATH, relative to mesh.yaml, else `sources/erp.sqlite`."""
    return EXAMPLES / os.environ.get("ERP_PATH", "sources/erp.sqlite")


async def listen(stack: AsyncExitStack, app: web.Application, port: int, *, spare: bool = False) -> str:
    """Serve `app` on loopback until `stack` closes, and return its URL; port 0 is any free one.

    With `spare`, a free port stands in for one that is taken; without, that raises OSError.
    """
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
    except OSError as error:
        if not spare or error.errno != errno.EADDRINUSE:
            raise
        await web.TCPSite(runner, "127.0.0.1", 0).start()
    return f"http://127.0.0.1:{runner.addresses[0][1]}"


async def _serve(cms_port: int, shop_port: int, webhook: str) -> None:
    hook = Hook(key("shop-webhook.key"), webhook)
    stop = asyncio.Event()
    for signum in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(signum, stop.set)
    records = data.generate()
    erp.build_sqlite(erp_path(), records)
    async with AsyncExitStack() as stack:
        cms = await listen(stack, cms_app(records.customers, key("cms.token")), cms_port)
        shop = await listen(stack, shop_app(records.products, key("shop.key"), hook), shop_port)
        print(json.dumps({"cms": cms, "shop": shop, "erp": str(erp_path())}), flush=True)
        await stop.wait()


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until SIGINT or SIGTERM; the first line of output is JSON with the URLs and the ERP's path."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cms-port", type=int, default=CMS_PORT, help="0 picks a free one (default %(default)s)")
    parser.add_argument("--shop-port", type=int, default=SHOP_PORT, help="0 picks a free one (default %(default)s)")
    parser.add_argument("--webhook", metavar="URL", default=WEBHOOK, help="whom the shop tells (default %(default)s)")
    options = parser.parse_args(argv)
    try:
        asyncio.run(_serve(options.cms_port, options.shop_port, options.webhook))
    except OSError as error:
        print(f"serve.py: {error}", file=sys.stderr)
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
