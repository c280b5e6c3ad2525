# SPDX-License-Identifier: Apache-2.0
"""An event that cannot be published becomes a dead letter, in a mesh that runs, and the stream goes on (EV-12)."""

from pathlib import Path

import pytest

from dictamesh.runtime.bus.offsets import standing
from dictamesh.runtime.events.kept_letters import Which, letters
from dictamesh.runtime.events.reading import following
from tests.support.running import until
from tests.support.services import unique
from tests.support.subscribing import heard

pytestmark = pytest.mark.kafka


async def test_what_cannot_be_published_is_a_dead_letter(
    tmp_path: Path, dsn: str, monkeypatch: pytest.MonkeyPatch, kafka: str
) -> None:
    bus = f', kafka: {{bootstrap: "{kafka}", replication: 1}}, deadLetters: {{topic: {unique("dead")}}}'
    edits = {"domain: hr": f"domain: {unique('hr')}"}
    async with heard(tmp_path, dsn, monkeypatch, events=bus, edits=edits) as people:
        pool, plan = people.mesh.store.pool, people.mesh.world.plan
        topic = plan.entities["people#Person"].topic
        good, bad = people.event("1"), people.event("2", payload={"unknown": "a secret of ann@x.example"})
        await people.write(good, bad, people.event("2"), people.event("3"))

        async def published() -> bool:
            places = await standing(pool, plan.name, [topic.name])
            return bool(places) and all(at == head for at, head in places.values())

        await until(published, "the relay is through")
        (letter,) = await letters(pool, Which(plan.name))
        assert (letter.stage, letter.key, letter.entity) == ("publish", "2", "people#Person")
        assert letter.status == "pending"
        assert letter.origin.startswith(f"{topic.name}/")
        assert "secret" not in f"{letter.rule} {letter.error}"
        dead = plan.mesh.events.dead_letters.topic
        (told,) = await following(pool, [dead], {}).more()
        assert told.envelope["metadata"]["stage"] == "publish"
        assert "secret" not in str(told.envelope)
        await people.write(people.event("2", payload={"unknown": 7}))
        await until(published, "the relay is through again")
        assert [each.attempts for each in await letters(pool, Which(plan.name))] == [2]
