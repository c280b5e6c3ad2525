# SPDX-License-Identifier: Apache-2.0
"""Ports that a mesh listens on; one that cannot be had is told with its cure."""

import os
from collections.abc import Awaitable

from aiohttp import web

from dictamesh.runtime.mesh.failure import StartFailed
from dictamesh.runtime.observe.server import Listening
from dictamesh.specs.model import Runtime


async def serve(app: web.Application, settings: Runtime) -> Listening:
    """Serve an application where the settings say; raises OSError, OverflowError."""
    # a client that goes away cancels its operation (S23)
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, settings.host, settings.port).start()
    except BaseException:
        await runner.cleanup()
        raise
    return Listening(settings.host, int(runner.addresses[0][1]), runner)


async def listening(opening: Awaitable[Listening], host: str, port: int, option: str) -> Listening:
    """Wait for a port to be opened; raises StartFailed that names the `option` which chooses another."""
    try:
        return await opening
    except OSError as error:
        reason = os.strerror(error.errno).lower() if error.errno and error.errno > 0 else "no such address"
        raise StartFailed(
            f"port {port} of {host} cannot be had ({reason})", f"choose another with {option}; 0 picks a free one"
        ) from None
    except OverflowError:
        raise StartFailed(f"{port} is no port", f"choose one of 0 to 65535 with {option}") from None
