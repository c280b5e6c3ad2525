# SPDX-License-Identifier: Apache-2.0
"""`make run` as root and as a normal user, with an empty home: ready, an answer, Ctrl-C, nothing left (DO-6)."""

import asyncio
import contextlib
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path

import pytest

from tests.support.running import PROGRAM, READY, ROOT, TOUR, Runtime

NOBODY = 65534
AS_NOBODY = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")
# Where the interpreter lies in a folder of root's: the right to read and nothing more.
MAY_READ = ("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search")


async def tour(folder: Path, *prefix: str) -> None:
    """Start examples/run.py as `make run` does, ask the tour's question, press Ctrl-C."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "ERP_PATH": str(folder / "erp.sqlite"),
        "CMS_PORT": "0",
        "SHOP_PORT": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    ports = ("--port", "0", "--metrics-port", "0", "--data-dir", str(folder / "data"))
    process = await asyncio.create_subprocess_exec(
        *prefix,
        sys.executable,
        str(ROOT / "examples" / "run.py"),
        *ports,
        env=environment,
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    assert process.stdout is not None
    seen = ""
    try:
        async with asyncio.timeout(60):
            while (found := READY.search(seen)) is None:
                line = await process.stdout.readline()
                assert line, f"it ended before it was ready:\n{seen}"
                seen += line.decode()
        answer = await Runtime(process, found[1], "").ask(TOUR)
        assert answer["data"]["customers"][0]["email"] == "***REDACTED***"
        assert answer["data"]["customers"][0]["invoices"][0]["items"][0]["product"]["name"] == "Widget"
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGINT)
        rest = await asyncio.wait_for(process.stdout.read(), 40)
        code = await process.wait()
    assert code == 0, rest
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)


async def test_the_caller_runs_the_example(tmp_path: Path) -> None:
    await tour(tmp_path)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user; the caller's own run is tested above")
async def test_a_normal_user_runs_the_example() -> None:
    prefix = AS_NOBODY if await starts(*AS_NOBODY) else (*AS_NOBODY, *MAY_READ)
    if not await starts(*prefix):
        told = f"the interpreter under {sys.base_prefix} cannot be entered by another user"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(told)
    folder = Path(tempfile.mkdtemp(prefix="dictamesh-user-"))
    try:
        os.chown(folder, NOBODY, NOBODY)
        await tour(folder, *prefix)
    finally:
        shutil.rmtree(folder)


async def starts(*prefix: str) -> bool:
    tried = await asyncio.create_subprocess_exec(*prefix, "sh", "-c", f"exec {PROGRAM} --version >/dev/null 2>&1")
    return await tried.wait() == 0
