# SPDX-License-Identifier: Apache-2.0
"""Our compatibility check of topics against reader and writer pairs of Apache Avro."""

import json

from dictamesh.runtime.bus.schemas import named_faults
from dictamesh.runtime.compile.avro import envelope
from dictamesh.runtime.diff.schemas import avro_faults
from tests.conformance.sets import needed
from tests.support.example import files, plan


def test_all_pairs_of_avro_are_judged_right():
    pairs = json.loads((needed("avro-compat") / "reader-writer.json").read_text("utf-8"))
    wrong = []
    for number, pair in enumerate(pairs):
        faults = avro_faults(pair["reader"], pair["writer"])
        verdict = "incompatible" if faults else "compatible"
        places = sorted(place for place, _ in faults)
        if verdict != pair["verdict"] or (faults and places != sorted(pair["locations"])):
            wrong.append((number, verdict, places, pair["verdict"], pair["locations"]))
    assert len(pairs) >= 60
    assert not wrong, f"{len(pairs) - len(wrong)} of {len(pairs)}: {wrong}"


def test_what_the_start_says_of_a_registry_agrees_with_it():
    pairs = json.loads((needed("avro-compat") / "reader-writer.json").read_text("utf-8"))
    wrong = [
        number
        for number, pair in enumerate(pairs)
        if bool(list(named_faults(pair["reader"], pair["writer"]))) != (pair["verdict"] != "compatible")
    ]
    assert not wrong


def test_our_own_topics_can_be_read_by_themselves():
    for entity in plan(files()).entities.values():
        assert avro_faults(entity.avro, entity.avro) == ()
    assert avro_faults(envelope("A", ()), envelope("A", ())) == ()
