# SPDX-License-Identifier: Apache-2.0
"""A table that holds an entity as served: SQL DDL, built as a tree and written by sqlglot."""

from sqlglot import exp

from dictamesh.runtime.compile.plan import EntityPlan, FieldPlan
from dictamesh.runtime.exports.dialects import Dialect, Keys, Remarks
from dictamesh.specs.types import Kind


def ddl(entity: EntityPlan, dialect: Dialect) -> str:
    """Return the statements for one entity, each ended by `;` and a line break.

    The table is called as the list in GraphQL and its columns as the fields. NOT NULL is what the contract requires,
    which holds for readers from whom no policy hides the field.
    """
    statements: list[exp.Expr] = [_table(entity, dialect)]
    if dialect.remarks is Remarks.STATEMENTS:
        statements += _remarks(entity)
    return "".join(each.sql(dialect=dialect.name, pretty=True) + ";\n" for each in statements)


def _table(entity: EntityPlan, dialect: Dialect) -> exp.Expr:
    parts: list[exp.Expr] = [_column(entity, each, dialect) for each in entity.fields]
    if dialect.keys is not Keys.NO:
        options = ["NOT ENFORCED"] if dialect.keys is Keys.NOT_ENFORCED else []
        parts.append(exp.PrimaryKey(expressions=[_name(each) for each in entity.key], options=options))
    table = exp.Create(this=exp.Schema(this=exp.Table(this=_name(entity.plural)), expressions=parts), kind="TABLE")
    said = entity.description
    if said and dialect.remarks is Remarks.SQL:
        table.add_comments([_remark(said)])
    elif said and dialect.remarks is Remarks.INLINE:
        table.set("properties", exp.Properties(expressions=[exp.SchemaCommentProperty(this=_text(said))]))
    elif said and dialect.remarks is Remarks.OPTIONS:
        table.set(
            "properties", exp.Properties(expressions=[exp.Property(this=exp.var("description"), value=_text(said))])
        )
    return table


def _column(entity: EntityPlan, field: FieldPlan, dialect: Dialect) -> exp.Expr:
    unique = field.unique and entity.key != (field.name,)
    kind = dialect.type(field.type, key=unique or field.name in entity.key)
    rules: list[exp.Expr] = []
    if field.required or field.name in entity.key:
        rules.append(exp.NotNullColumnConstraint())
    if unique and dialect.unique:
        rules.append(exp.UniqueColumnConstraint())
    if field.type.kind is Kind.STRING and field.type.values and dialect.checks:
        values = [_value(each, dialect) for each in field.type.values]
        rules.append(
            exp.CheckColumnConstraint(this=exp.In(this=exp.Column(this=_name(field.name)), expressions=values))
        )
    said = remark(field)
    if dialect.remarks is Remarks.INLINE:
        rules.append(exp.CommentColumnConstraint(this=_text(said)))
    if dialect.remarks is Remarks.OPTIONS:
        given = exp.Property(this=exp.var("description"), value=_text(said))
        rules.append(exp.Properties(expressions=[given]))
    column = exp.ColumnDef(
        this=_name(field.name),
        kind=exp.var(kind),
        constraints=[exp.ColumnConstraint(kind=each) for each in rules],
    )
    if dialect.remarks is Remarks.SQL:
        column.add_comments([_remark(said)])
    return column


def _remarks(entity: EntityPlan) -> list[exp.Expr]:
    table = exp.Table(this=_name(entity.plural))
    found: list[exp.Expr] = []
    if entity.description:
        found.append(exp.Comment(this=table, kind="TABLE", expression=_text(entity.description)))
    for field in entity.fields:
        column = exp.Column(this=_name(field.name), table=_name(entity.plural))
        found.append(exp.Comment(this=column, kind="COLUMN", expression=_text(remark(field))))
    return found


def remark(field: FieldPlan) -> str:
    """Return what a column's comment says: the description, how protected the field is, and its tags."""
    tags = f": {', '.join(field.tags)}" if field.tags else ""
    return f"{field.description} [{field.tier}{tags}]".strip()


def _name(name: str) -> exp.Identifier:
    return exp.to_identifier(name, quoted=True)


def _text(text: str) -> exp.Literal:
    return exp.Literal.string(_line(text))


def _value(text: str, dialect: Dialect) -> exp.Expr:
    return exp.National(this=text) if dialect.national else exp.Literal.string(text)


def _remark(text: str) -> str:
    """A comment of the SQL text, which sqlglot keeps from ending early; in T-SQL comments nest."""
    return f" {_line(text).replace('/*', '/ *')} "


def _line(text: str) -> str:
    return " ".join(text.split())
