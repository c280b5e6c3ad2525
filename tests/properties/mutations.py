# SPDX-License-Identifier: Apache-2.0
"""Random mistakes in a tree of spec files: what a hurried editor, a bad merge or a half-done pull leaves behind."""

import random
import re
from collections.abc import Callable

Tree = dict[str, str]
"""Texts by path."""

CANARY = "hunter2-canary"
TIERS = ("public", "internal", "confidential", "restricted")
EFFECTS = ("allow", "deny", "mask")
KINDS = ("redact", "nullify", "partial", "hmac")
TAGS = ("pii.direct", "pii.direct.email", "pii.direct.name", "pii.direct.address", "pii.indirect", "finance", "pii")
ROLES = ("support", "analyst", "steward")
PURPOSES = ("service", "analytics", "governance")
ODD = ("", "null", "~", "true", "false", "0", "-1", "1.5", "[]", "{}", "''", "[x]", "{x: y}", "1e999", "*a", "&a x")
ODD += ("!x y", "'", '"', "#", "- x", "x: y", ".nan", "0x1F", "99999999999999999999", "é", "\t", "a" * 300, "${env:X}")

_KEY = re.compile(r"(?P<key>[A-Za-z_][\w-]*)(?=:(?: |$))", re.MULTILINE)
_SCALAR = re.compile(r"(?<=: )(?P<value>[^\s{}\[\],#&*!|>'\"][^{}\[\],#\n]*?|\"[^\"\n]*\"|'[^'\n]*')(?= *(?:[,}\]\n]))")
_ENTRY = re.compile(
    r"(?P<entry>(?:, )?[A-Za-z]\w*: (?:\[[^\[\]{}\n]*\]|\{[^{}\n]*\}|[^{}\[\],\n]+|\"[^\"\n]*\"))(?=[,}])"
)
_REFERENCE = re.compile(r"\$\{[^}\n]*\}")
_WORD = re.compile(r"[A-Za-z][\w.]+")


def _pick(tree: Tree, chance: random.Random) -> str:
    return chance.choice(sorted(tree))


def _lines(change: Callable[[list[str], int, random.Random], None]) -> "Mutation":
    def mutate(tree: Tree, chance: random.Random) -> None:
        path = _pick(tree, chance)
        lines = tree[path].splitlines()
        change(lines, chance.randrange(len(lines)), chance)
        tree[path] = "\n".join(lines) + "\n"

    return mutate


def _delete_line(lines: list[str], at: int, _chance: random.Random) -> None:
    del lines[at]


def _duplicate_line(lines: list[str], at: int, _chance: random.Random) -> None:
    lines.insert(at, lines[at])


def _swap_lines(lines: list[str], at: int, chance: random.Random) -> None:
    other = chance.randrange(len(lines))
    lines[at], lines[other] = lines[other], lines[at]


def _indent(lines: list[str], at: int, chance: random.Random) -> None:
    lines[at] = chance.choice((" ", "  ", "    ", "\t")) + lines[at]


def _dedent(lines: list[str], at: int, chance: random.Random) -> None:
    lines[at] = lines[at].removeprefix(" " * chance.randint(1, 4))


def _cut(lines: list[str], at: int, chance: random.Random) -> None:
    lines[at] = lines[at][: chance.randint(0, len(lines[at]))]


def _truncate(lines: list[str], at: int, _chance: random.Random) -> None:
    del lines[at + 1 :]


def _comment_out(lines: list[str], at: int, _chance: random.Random) -> None:
    lines[at] = "#" + lines[at]


def _comment(lines: list[str], at: int, chance: random.Random) -> None:
    lines.insert(at, " " * chance.randint(0, 8) + "# a remark")


def _conflict(lines: list[str], at: int, _chance: random.Random) -> None:
    lines[at : at + 1] = ["<<<<<<< HEAD", lines[at], "=======", lines[at], ">>>>>>> theirs"]


def _found(pattern: re.Pattern[str], change: Callable[[str, random.Random], str]) -> "Mutation":
    """Change one stretch that the pattern finds anywhere in the tree."""

    def mutate(tree: Tree, chance: random.Random) -> None:
        hits = [(path, hit) for path in sorted(tree) for hit in pattern.finditer(tree[path])]
        path, hit = chance.choice(hits)
        text = tree[path]
        tree[path] = text[: hit.start()] + change(hit[0], chance) + text[hit.end() :]

    return mutate


def _typo(word: str, chance: random.Random) -> str:
    at = chance.randrange(len(word))
    kind = chance.randrange(4)
    if kind == 0:
        return word[:at] + word[at + 1 :]
    if kind == 1:
        return word[:at] + chance.choice("aeiourstn_-.1 ") + word[at:]
    if kind == 2:
        return word[:at] + word[at].swapcase() + word[at + 1 :]
    return word[:at] + word[at + 1 : at + 2] + word[at] + word[at + 2 :]


def _odd(_text: str, chance: random.Random) -> str:
    return chance.choice(ODD)


def _nothing(_text: str, _chance: random.Random) -> str:
    return ""


def _one_of(*words: str) -> "Mutation":
    either = "|".join(re.escape(each) for each in sorted(words, reverse=True))
    pattern = re.compile(rf"(?<![\w.-])(?:{either})(?![\w.-])")
    return _found(pattern, lambda old, chance: chance.choice([each for each in words if each != old]))


def _swap_values(tree: Tree, chance: random.Random) -> None:
    path = _pick(tree, chance)
    text = tree[path]
    hits = list(_SCALAR.finditer(text))
    if len(hits) < 2:
        return
    one, two = sorted(chance.sample(hits, 2), key=lambda hit: hit.start())
    tree[path] = text[: one.start()] + two[0] + text[one.end() : two.start()] + one[0] + text[two.end() :]


def _documents(tree: Tree, chance: random.Random) -> tuple[str, list[str]]:
    path = _pick(tree, chance)
    return path, tree[path].split("---\n")


def _remove_document(tree: Tree, chance: random.Random) -> None:
    path, documents = _documents(tree, chance)
    del documents[chance.randrange(len(documents))]
    tree[path] = "---\n".join(documents)


def _duplicate_document(tree: Tree, chance: random.Random) -> None:
    path, documents = _documents(tree, chance)
    tree[path] = "---\n".join([*documents, chance.choice(documents)])


def _reorder_documents(tree: Tree, chance: random.Random) -> None:
    path, documents = _documents(tree, chance)
    chance.shuffle(documents)
    tree[path] = "---\n".join(each if each.endswith("\n") else each + "\n" for each in documents)


def _remove_file(tree: Tree, chance: random.Random) -> None:
    del tree[_pick(tree, chance)]


def _rename_file(tree: Tree, chance: random.Random) -> None:
    path = chance.choice([each for each in sorted(tree) if "/" in each])
    tree[path.replace(".yaml", "-old.yaml")] = tree.pop(path)


def _garbage(tree: Tree, chance: random.Random) -> None:
    path = _pick(tree, chance)
    at = chance.randrange(len(tree[path]) + 1)
    junk = "".join(chance.choice("{}[]:,#&*!|>'\"%@`\n \t-?x\x00\x85\ufeff") for _ in range(chance.randint(1, 6)))
    tree[path] = tree[path][:at] + junk + tree[path][at:]


def _runtime(tree: Tree, chance: random.Random) -> None:
    tree["mesh.yaml"] = re.sub(r"port: \d+", f"port: {chance.randint(1, 60_000)}", tree["mesh.yaml"])


def _include_order(tree: Tree, chance: random.Random) -> None:
    names = ["taxonomy.yaml", "products/*.yaml", "policies/*.yaml"]
    chance.shuffle(names)
    tree["mesh.yaml"] = re.sub(r"include: \[.*\]", f"include: [{', '.join(names)}]", tree["mesh.yaml"])


def _drop_include(tree: Tree, chance: random.Random) -> None:
    name = chance.choice(["taxonomy.yaml, ", "products/*.yaml, ", ", policies/*.yaml"])
    tree["mesh.yaml"] = tree["mesh.yaml"].replace(name, "", 1)


def _drop_rule(tree: Tree, chance: random.Random) -> None:
    _found(re.compile(r"^ *- \{name: [\w-]+, .*effect: .*\}\n", re.MULTILINE), _nothing)(tree, chance)


def _drop_tests(tree: Tree) -> None:
    """Take the tests away, which catch most edits of policies before anything else can."""
    for path in tree:
        tree[path] = re.sub(r"^tests:\n(?:  .*\n)+", "", tree[path], flags=re.MULTILINE)


Mutation = Callable[[Tree, random.Random], None]

MUTATIONS: dict[str, Mutation] = {
    "delete a line": _lines(_delete_line),
    "duplicate a line": _lines(_duplicate_line),
    "swap two lines": _lines(_swap_lines),
    "indent a line": _lines(_indent),
    "dedent a line": _lines(_dedent),
    "cut a line": _lines(_cut),
    "truncate a file": _lines(_truncate),
    "comment a line out": _lines(_comment_out),
    "add a comment": _lines(_comment),
    "leave a merge conflict": _lines(_conflict),
    "mistype a key": _found(_KEY, _typo),
    "replace a key": _found(_KEY, _odd),
    "mistype a value": _found(_SCALAR, _typo),
    "replace a value": _found(_SCALAR, _odd),
    "mistype a word": _found(_WORD, _typo),
    "remove an entry": _found(_ENTRY, _nothing),
    "duplicate an entry": _found(_ENTRY, lambda old, _chance: old + ", " + old.removeprefix(", ")),
    "write a secret out": _found(_REFERENCE, lambda _old, _chance: CANARY),
    "mistype a reference": _found(_REFERENCE, _typo),
    "swap two values": _swap_values,
    "another tier": _one_of(*TIERS),
    "another effect": _one_of(*EFFECTS),
    "another mask": _one_of(*KINDS),
    "another tag": _one_of(*TAGS),
    "another role": _one_of(*ROLES),
    "another purpose": _one_of(*PURPOSES),
    "drop a rule": _drop_rule,
    "remove a document": _remove_document,
    "duplicate a document": _duplicate_document,
    "reorder documents": _reorder_documents,
    "remove a file": _remove_file,
    "rename a file": _rename_file,
    "strew garbage": _garbage,
    "change the port": _runtime,
    "reorder the includes": _include_order,
    "drop an include": _drop_include,
}


def mutated(tree: Tree, chance: random.Random) -> tuple[str, Tree]:
    """A mutated copy and the names of what was done to it; every second one lost its policy tests first."""
    copy = dict(tree)
    if chance.random() < 0.5:
        _drop_tests(copy)
    names = chance.choices(sorted(MUTATIONS), k=1 if chance.random() < 0.8 else 2)
    done = []
    for name in names:
        if "mesh.yaml" in copy and all(copy.values()):  # the first may have left nothing for a second
            MUTATIONS[name](copy, chance)
            done.append(name)
    return " and ".join(done), copy
