# SPDX-License-Identifier: Apache-2.0
"""The lock on a data folder."""

import multiprocessing
import stat
import threading
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from dictamesh.runtime.catalog.errors import CatalogUnavailable, DataFolderBusy
from dictamesh.runtime.catalog.ownership import LOCK_NAME, OwnerRecord, own, running_owner


def hold(folder: Path, signal: Connection) -> None:
    lock = own(folder)
    lock.publish("host=/x", folder / "socket")
    signal.send(lock.previous)
    signal.recv()


def test_kill_releases_and_leaves_word(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    owner = context.Process(target=hold, args=(tmp_path, theirs))
    owner.start()
    assert ours.recv() == OwnerRecord()
    assert running_owner(tmp_path) == "host=/x"
    with pytest.raises(DataFolderBusy, match=f"process {owner.pid}"):
        own(tmp_path)
    owner.kill()
    owner.join()
    assert running_owner(tmp_path) is None
    lock = own(tmp_path)
    assert lock.previous == OwnerRecord(owner.pid, "host=/x", str(tmp_path / "socket"))
    lock.release()
    for connection in (ours, theirs):
        connection.close()
    owner.close()


def test_asking_for_the_owner_never_refuses_a_start(tmp_path: Path) -> None:
    own(tmp_path).release()
    done = threading.Event()

    def ask() -> None:
        while not done.is_set():
            running_owner(tmp_path)

    asker = threading.Thread(target=ask)
    asker.start()
    try:
        for _ in range(200):
            own(tmp_path).release()
    finally:
        done.set()
        asker.join()


@pytest.mark.parametrize("left", [b"", b"{", b'{"pid":1', b"\x00\x00"])
def test_half_a_record_says_nothing(tmp_path: Path, left: bytes) -> None:
    (tmp_path / LOCK_NAME).write_bytes(left)
    lock = own(tmp_path)
    assert lock.previous == OwnerRecord()
    assert running_owner(tmp_path) is None, "owned, but nothing to connect to yet"
    lock.release()


def test_file_is_private_and_never_followed(tmp_path: Path) -> None:
    own(tmp_path).release()
    assert stat.S_IMODE((tmp_path / LOCK_NAME).stat().st_mode) == 0o600
    (tmp_path / LOCK_NAME).unlink()
    (tmp_path / "precious").write_text("mine")
    (tmp_path / LOCK_NAME).symlink_to(tmp_path / "precious")
    with pytest.raises(CatalogUnavailable, match="cannot write the data folder"):
        own(tmp_path)
    assert (tmp_path / "precious").read_text() == "mine"


def test_no_folder_no_owner(tmp_path: Path) -> None:
    assert running_owner(tmp_path / "missing") is None
