# SPDX-License-Identifier: Apache-2.0
"""The cyclic collector is suspended while building, and spared what lives on while serving."""

import gc
import json
import subprocess
import sys

from dictamesh.specs.collecting import uncollected

_SETTLED = """
import gc, json, weakref
from dictamesh.specs.collecting import settled

class Node:
    pass

before, kept = gc.get_threshold()[0], [Node() for _ in range(50_000)]
settled()
frozen = gc.get_freeze_count()
later = Node()
later.itself = later
told = weakref.ref(later)
del later
gc.collect()
print(json.dumps([frozen >= len(kept), gc.get_threshold()[0] > before, told() is None]))
"""


def test_what_lives_at_the_start_is_left_alone_and_later_cycles_are_found() -> None:
    done = subprocess.run([sys.executable, "-c", _SETTLED], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [True, True, True]


def test_collecting_is_left_as_it_was_found() -> None:
    assert gc.isenabled()
    with uncollected():
        assert not gc.isenabled()
        with uncollected():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()
