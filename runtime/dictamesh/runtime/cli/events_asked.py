# SPDX-License-Identifier: Apache-2.0
"""What the verbs of `events` are asked for: where to begin, and which topic."""

from dictamesh.runtime.bus.replay import moment
from dictamesh.runtime.bus.tail import Beginning
from dictamesh.runtime.bus.topics import Wanted, wanted_topics
from dictamesh.runtime.cli.exits import UsageError
from dictamesh.runtime.compile.plan import Plan
from dictamesh.specs.suggest import suggest


def beginning(text: str, option: str) -> Beginning:
    """Return what `beginning`, an offset or a time says; raises UsageError."""
    if text == "beginning":
        return Beginning()
    if text.isascii() and text.isdecimal() and len(text) < 19:
        return Beginning(offset=int(text))
    at = moment(text)
    if at is None:
        raise UsageError(f"{option} takes 'beginning', an offset, or a time such as 2026-01-31T12:00:00Z")
    return Beginning(time=at)


def topic_of(plan: Plan, name: str) -> Wanted:
    """Return a topic of the mesh; raises UsageError where there is none of that name."""
    topics = wanted_topics(plan)
    if name not in topics:
        near = suggest(name, topics)
        hint = f"did you mean '{near}'?" if near else f"there are: {', '.join(sorted(topics))}"
        raise UsageError(f"the mesh has no topic '{name[:200]}'; {hint}")
    return topics[name]
