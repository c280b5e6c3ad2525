# SPDX-License-Identifier: Apache-2.0
"""What a change of specs does to capture: whose changes are noticed anew from a full pass, and whose no more."""

from collections.abc import Iterator

from dictamesh.runtime.compile.captured import counted
from dictamesh.runtime.compile.plan import Plan
from dictamesh.runtime.diff.change import Change, Class


def capture_changes(old: Plan, new: Plan) -> Iterator[Change]:
    """Yield a change for each state that begins with a full pass or is paused; a change of the mapping keeps it."""
    for address, entity in old.entities.items():
        product, name = entity.product, entity.name
        before = [str(each) for each in counted(entity)]
        after = [str(each) for each in counted(new.entities[address])] if address in new.entities else []
        document, path = f"DataProduct/{product}", ("source", name, "changes")
        left, come = (
            ", ".join(each for each in one if each not in other) for one, other in ((before, after), (after, before))
        )
        if come:
            yield Change(Class.REVIEW, "capture-full-pass", address, left or None, come, (), document, path)
        elif left:
            yield Change(Class.REVIEW, "capture-paused", address, left, None, (), document, path)
