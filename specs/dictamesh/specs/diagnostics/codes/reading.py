# SPDX-License-Identifier: Apache-2.0
"""DM0xx: reading files and YAML."""

from dictamesh.specs.diagnostics.codes.code import Code

CODES: tuple[Code, ...] = (
    Code(
        "DM001",
        "file not found",
        "A file that is named, by the command line or by `include`, does not exist.",
        "Correct the path; paths are relative to the folder of the mesh file.",
    ),
    Code(
        "DM002",
        "unreadable file",
        "The file exists and cannot be read: no permission, not a regular file, or an error of the file system.",
        "Make it a regular file that the process may read.",
    ),
    Code(
        "DM003",
        "path outside of the mesh folder",
        "Spec files lie in the folder of the mesh file or below; absolute paths and links that lead out are refused.",
        "Move the file below the folder of the mesh file and name it relative to that.",
    ),
    Code(
        "DM004",
        "pattern without a match",
        "A pattern in `include` that matches no file; a typo there would drop policies silently (S27).",
        "Correct the pattern or remove it.",
    ),
    Code(
        "DM005",
        "file too large",
        "A spec file of more than 1 MiB.",
        "Split the file: one data product per file, listed by a pattern in `include`.",
    ),
    Code(
        "DM006",
        "not UTF-8 text",
        "Spec files are UTF-8 without a byte order mark.",
        "Save the file as UTF-8 without a byte order mark.",
    ),
    Code(
        "DM007",
        "control character",
        "A character that YAML does not allow, such as NUL or an escape character.",
        "Remove the character; inside double quotes it can be written as an escape.",
    ),
    Code(
        "DM008",
        "no mesh document",
        "The mesh file holds no document of `kind: Mesh`, so nothing says what to include.",
        "Add a document with `apiVersion: dictamesh/v1`, `kind: Mesh` and `include`, or name another file.",
    ),
    Code(
        "DM009",
        "second mesh document",
        "A mesh is described by one document of `kind: Mesh`.",
        "Keep one of the two.",
    ),
    Code(
        "DM010",
        "empty file",
        "A spec file without any document, often the remains of an edit; what it declared is gone.",
        "Write a document, or take the file out of `include`.",
    ),
    Code(
        "DM011",
        "syntax error",
        "The text is not YAML. What follows in this file is not read.",
        "Check indentation, brackets and quotes at the place shown.",
    ),
    Code(
        "DM012",
        "tab",
        "YAML does not allow tabs for indentation.",
        "Indent with spaces.",
    ),
    Code(
        "DM013",
        "duplicate key",
        "A key stands twice in one mapping; which one counts would be a guess.",
        "Keep one of the two.",
    ),
    Code(
        "DM014",
        "key that is not text",
        "Keys are text. A number, a boolean, null, a list or a mapping as a key is refused.",
        "Put the key in quotes.",
    ),
    Code(
        "DM015",
        "YAML tag",
        "Tags such as `!!str` or `!custom` are not part of the language.",
        "Remove the tag; put the value in quotes where text is meant.",
    ),
    Code(
        "DM016",
        "merge key",
        "`<<` is not part of YAML 1.2 and not of the language: what a mapping holds must be visible in it.",
        "Write the keys out, or use an alias for the whole value.",
    ),
    Code(
        "DM017",
        "unknown alias",
        "An alias `*name` without an anchor `&name` before it in the same document.",
        "Declare the anchor before its first use; quote text that begins with `*`.",
    ),
    Code(
        "DM018",
        "alias within its own anchor",
        "An alias that stands inside the value it names; the value would be endless.",
        "Move the anchor to a value that does not hold the alias.",
    ),
    Code(
        "DM019",
        "nesting too deep",
        "Values nested more than 50 levels, aliases counted as what they stand for.",
        "Flatten the value.",
    ),
    Code(
        "DM020",
        "too many values",
        "A file of more than 100,000 values, aliases counted as what they stand for.",
        "Split the file, and write less through aliases.",
    ),
    Code(
        "DM021",
        "number out of range",
        "A number with more digits than any type of the language holds.",
        "Put it in quotes where text is meant.",
    ),
    Code(
        "DM022",
        "document is not a mapping",
        "A document is a mapping of keys; this one is a list or a single value.",
        "Write `apiVersion`, `kind` and the keys of the kind at the left margin.",
    ),
    Code(
        "DM023",
        "too many faults",
        "More than 1,000 faults of YAML in one file. The rest of it is not read.",
        "Correct those shown first.",
    ),
)
