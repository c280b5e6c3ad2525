# SPDX-License-Identifier: Apache-2.0
"""DM1xx: the shape of documents: keys, types and values."""

from dictamesh.specs.diagnostics.codes.code import Code, Severity

CODES: tuple[Code, ...] = (
    Code(
        "DM101",
        "unknown key",
        "A key that the language does not have at this place. Unknown keys are refused since a typo would be silent.",
        "Correct or remove the key.",
    ),
    Code(
        "DM102",
        "missing key",
        "A key that the language requires at this place is not there.",
        "Add the key.",
    ),
    Code(
        "DM103",
        "wrong type",
        "The value is of another type than the key takes.",
        "Write a value of the type named; quote it where text is meant.",
    ),
    Code(
        "DM104",
        "bad value",
        "The value has the right type and is not among those the key takes.",
        "Write one of the values the key takes.",
    ),
    Code(
        "DM105",
        "keys that exclude each other",
        "Keys that cannot stand side by side, or one of several alternatives of which exactly one has to be chosen.",
        "Keep one of the keys.",
    ),
    Code(
        "DM106",
        "wrong number of entries",
        "A list or mapping has too few or too many entries, or text is too short or too long.",
        "Write a number of entries within the bounds named.",
    ),
    Code(
        "DM107",
        "unknown kind",
        "A document's `kind` is not one of the language.",
        "The kinds are Mesh, DataProduct, Policy and Taxonomy.",
    ),
    Code(
        "DM108",
        "document without a kind",
        "Each document says in `kind` what it declares.",
        "Add a line `kind:` with Mesh, DataProduct, Policy or Taxonomy.",
    ),
    Code(
        "DM120",
        "contract without a source",
        "A data product without `source` is a contract alone: checked, exported and compared, and not served.",
        "Add 'source:' to serve it.",
        Severity.NOTE,
    ),
    Code(
        "DM121",
        "runtime key without a source",
        "Keys such as relations, graphql, output and cache say how a product is served; without `source` none is.",
        "Add 'source:', or remove the key.",
    ),
    Code(
        "DM122",
        "version of a contract",
        "A contract says by `apiVersion` which version of ODCS it is written in; not every version is read.",
        "Bring the contract to a version that is read.",
    ),
    Code(
        "DM123",
        "name of an imported product",
        "Two contracts of one import would become products of one name; the later one is numbered.",
        "Rename one of the contracts, or the product.",
        Severity.WARNING,
    ),
    Code(
        "DM124",
        "product in the way of an import",
        "The file that an import would write holds a product with a source, which the import would take away.",
        "Import into another folder, or say --force.",
    ),
    Code(
        "DM125",
        "status of an imported contract",
        "The language has five words for a status; another one is kept for the export, and the nearest is written.",
        "Write one of the five words into the product.",
        Severity.NOTE,
    ),
    Code(
        "DM126",
        "word without a counterpart",
        "A part of a contract that the language has no word for; it is kept in customProperties and comes back with an"
        " export.",
        "There is nothing to do.",
        Severity.NOTE,
    ),
    Code(
        "DM127",
        "kept word without a place",
        "What an earlier export kept of a product belongs to a place that the contract no longer has.",
        "Restore the place, or remove the entry from customProperties.",
        Severity.WARNING,
    ),
    Code(
        "DM128",
        "contract that brings a source",
        "An export keeps how a product is served in customProperties; its import brings that back, whoever wrote it.",
        "Read source, relations and classifications of the product before a mesh includes it.",
        Severity.NOTE,
    ),
    Code(
        "DM129",
        "quality rule that is not run",
        "A quality rule whose measure, arguments or query cannot be understood, or whose source cannot answer it. It is"
        " carried along and reported as not run.",
        "Correct the rule.",
        Severity.WARNING,
    ),
    Code(
        "DM130",
        "schedule of a quality rule",
        "A quality rule's `schedule` is no line of cron; the rule is run as often as `quality.every` of the mesh says.",
        "Write five fields: minute, hour, day of month, month, day of week.",
        Severity.WARNING,
    ),
    Code(
        "DM131",
        "limit that is not checked",
        "A pattern under logicalTypeOptions that RE2 cannot run. It stays in the contract, and records are published"
        " whether they match it or not.",
        "Write the pattern without lookaround and references back.",
        Severity.WARNING,
    ),
    Code(
        "DM140",
        "cursor of a poll",
        "`changes.poll.cursor` names no column of the source and no field that shows one, or one whose values"
        " do not grow.",
        "Name a column of times or of growing numbers; declare it under `columns` where no field shows it.",
    ),
    Code(
        "DM141",
        "ways of noticing changes",
        "An entity has one way of noticing changes; a webhook alone may stand beside a poll or a snapshot,"
        " which then fills its gaps.",
        "Keep one of them.",
    ),
    Code(
        "DM142",
        "way that the source does not have",
        "The way of noticing changes asks something of the source that it cannot do, so that it would fail"
        " when the mesh runs.",
        "Use another way, or say how the source does it.",
    ),
    Code(
        "DM143",
        "unknown name in an output port",
        "An entry of an output port or of a hook that names no field, tag, tier or entity would have no effect.",
        "Correct or remove the entry.",
    ),
    Code(
        "DM144",
        "value that is not for everybody in metadata",
        "Metadata of events is read by whoever reads the topic: no personal data stands in it, and nothing"
        " above internal (EV-9).",
        "Remove the field from `include`.",
    ),
    Code(
        "DM145",
        "topic without a broker",
        "A topic of somebody else is read where no broker, or no registry for its schemas, is named.",
        "Name it at the entity, or under `events` of the mesh file.",
    ),
    Code(
        "DM146",
        "settings of a topic",
        "Settings of topics that contradict one another, or that no broker accepts.",
        "Correct the setting.",
    ),
    Code(
        "DM147",
        "slot that is read twice",
        "A replication slot moves on with its reader, so that a second one would miss changes.",
        "Leave `slot` out, or name another.",
    ),
    Code(
        "DM150",
        "encryption without a key",
        "An output port encrypts fields under the key of their data subject, and no field of the entity holds the id of"
        " one.",
        "Declare the field that holds it under subjects, or encrypt nothing.",
    ),
    Code(
        "DM155",
        "webhook that can be replayed",
        "A signature that covers no time is right for ever: whoever records a delivery can send it again. Its id makes"
        " it known for seven days, and what it tells may be older than what is known.",
        "Add `timestamp` where the sender signs one.",
        Severity.NOTE,
    ),
    Code(
        "DM156",
        "webhook that cannot be read",
        "Names of headers that nobody can send, or a word that means two kinds of change.",
        "Correct the key.",
    ),
    Code(
        "DM160",
        "slot of two publications",
        "Entities of one product share a replication slot, and a slot streams one publication.",
        "Name the same `publication` at all of them, or another `slot`.",
    ),
)
