# SPDX-License-Identifier: Apache-2.0
"""References: parsed everywhere, resolved in one place, never shown."""

import copy
import pickle

import pytest

from dictamesh.specs.documents import (
    Malformed,
    MissingReference,
    Reference,
    Secret,
    has_reference,
    malformed,
    references,
    resolve,
)

ENV = {"A": "alpha", "EMPTY": "", "TRICK": "${env:A}"}
FILES = {"k": "key\n", "two": "a\nb\n\n", "crlf": "key\r\n", "/run/s": "abs"}


def file(path: str) -> str:
    if path not in FILES:
        raise FileNotFoundError(path)
    return FILES[path]


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("plain", "plain"),
        ("${env:A}", "alpha"),
        ("x-${env:A}-${env:A}", "x-alpha-alpha"),
        ("${env:NONE:-fallback}", "fallback"),
        ("${env:EMPTY:-fallback}", "fallback"),
        ("${env:NONE:-}", ""),
        ("${env:NONE:-http://h:1/p?a=b:-c}", "http://h:1/p?a=b:-c"),
        ("${env:EMPTY}", ""),
        ("${env:A:-other}", "alpha"),
        ("${file:k}", "key"),
        ("${file:two}", "a\nb\n"),
        ("${file:crlf}", "key"),
        ("${file:/run/s}", "abs"),
        ("$${env:A}", "${env:A}"),
        ("$$${env:A}", "$${env:A}"),
        ("$$ {} $ {x}", "$$ {} $ {x}"),
        ("${env:TRICK}", "${env:A}"),
        ("${bad} ${env:A}", "${bad} alpha"),
        ("${env:A", "${env:A"),
    ],
)
def test_resolve(text: str, result: str) -> None:
    assert resolve(text, ENV, file) == result


def test_parsed() -> None:
    assert references("a ${env:X:-} ${file:keys/a b.key}") == (
        Reference("env", "X", "", 2, 12),
        Reference("file", "keys/a b.key", None, 13, 33),
    )
    assert references("$${env:X}") == ()
    assert has_reference("${env:X}")
    assert not has_reference("$${env:X} ${x}")


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("${X}", "begins with"),
        ("${}", "begins with"),
        ("${env}", "begins with"),
        ("${ENV:X}", "begins with"),
        ("${env:}", "letters"),
        ("${env:1X}", "letters"),
        ("${env:A-B}", "letters"),
        ("${env:X-default}", "letters"),
        ("${file:}", "no file"),
        ("${env:X", "not closed"),
        ("${env:${env:X}}", "not closed"),
    ],
)
def test_malformed(text: str, part: str) -> None:
    (first, *_) = malformed(f"ab{text}")
    assert isinstance(first, Malformed)
    assert part in first.reason
    assert first.start == 2
    assert "X" not in first.reason


@pytest.mark.parametrize(("text", "kind", "name"), [("${env:NONE}", "env", "NONE"), ("${file:nix}", "file", "nix")])
def test_missing_names_the_reference_and_no_value(text: str, kind: str, name: str) -> None:
    with pytest.raises(MissingReference) as caught:
        resolve(f"hunter2 ${{env:A}} {text}", ENV, file)
    assert (caught.value.kind, caught.value.name) == (kind, name)
    assert "hunter2" not in str(caught.value)
    assert "alpha" not in str(caught.value)


def test_undecodable_file_is_missing_without_its_content() -> None:
    def broken(path: str) -> str:
        return b"hunter2\xff".decode()

    with pytest.raises(MissingReference) as caught:
        resolve("${file:k}", ENV, broken)
    assert caught.value.__suppress_context__


def test_secret_shows_nothing() -> None:
    secret = Secret("hunter2")
    assert secret.reveal() == "hunter2"
    assert f"{secret} {secret!r} {[secret]} {secret:>5}".count("hunter2") == 0
    assert repr(secret) == str(secret) == "***"
    assert secret == Secret("hunter2") != Secret("other")
    assert hash(secret) == hash(Secret("hunter2"))
    with pytest.raises(AttributeError):
        secret.other = 1
    with pytest.raises(AttributeError):
        secret._text = "x"
    with pytest.raises(TypeError):
        pickle.dumps(secret)
    assert copy.deepcopy([secret])[0] is copy.copy(secret) is secret
