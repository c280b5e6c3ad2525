# SPDX-License-Identifier: Apache-2.0
"""From a query text to an operation that may run: scan, parse, validate, coerce, count (S10)."""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from graphql import (
    DocumentNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLSchema,
    GraphQLSyntaxError,
    OperationDefinitionNode,
    OperationType,
    parse,
    specified_rules,
    validate,
)
from graphql.execution.collect_fields import collect_fields
from graphql.validation import NoSchemaIntrospectionCustomRule

from dictamesh.runtime.gateway.contract import PreparedOperation
from dictamesh.runtime.gateway.cost import check_cost
from dictamesh.runtime.gateway.errors import GatewayError, Refused, query_entry
from dictamesh.runtime.gateway.limits import check_document
from dictamesh.runtime.gateway.tokens import scan
from dictamesh.runtime.gateway.variables import coerce
from dictamesh.specs.model.mesh import Gateway as Settings

MOST_ERRORS = 10
_NOT_HERE = {
    OperationType.QUERY: "A query is answered once; send it to POST /graphql.",
    OperationType.MUTATION: "There are no mutations here; only queries are served.",
    OperationType.SUBSCRIPTION: "There are no subscriptions here; they are served over WebSocket "
    "(graphql-transport-ws) and to whoever accepts text/event-stream.",
}
CACHED_TOKENS = 50_000
"""Tokens of all documents kept; a token of a parsed document takes about one kB."""


@dataclass(frozen=True, slots=True)
class _Checked:
    document: DocumentNode
    operations: Mapping[str | None, OperationDefinitionNode]
    fragments: Mapping[str, FragmentDefinitionNode]
    tokens: int


class Guard:
    """Prepares operations against one schema; documents that passed are kept by their text, least recently used out."""

    def __init__(self, schema: GraphQLSchema, settings: Settings) -> None:
        self._schema = schema
        self._limits = settings.limits
        self._suggest = settings.introspection
        self._rules = [*specified_rules, *(() if settings.introspection else (NoSchemaIntrospectionCustomRule,))]
        self._cache: OrderedDict[str, _Checked] = OrderedDict()
        self._cached_tokens = 0

    def kind(self, text: str, operation_name: str | None = None) -> OperationType:
        """Return which kind of operation a request runs; raises as `prepare` does."""
        return _choose(self._checked(text).operations, operation_name).operation

    def prepare(
        self,
        text: str,
        variables: Mapping[str, Any] | None = None,
        operation_name: str | None = None,
        kind: OperationType = OperationType.QUERY,
    ) -> PreparedOperation:
        """Return the operation to run, which is of the given kind.

        Raises GatewayError LIMIT_EXCEEDED, PARSE_FAILED or VALIDATION_ERROR; `Refused` where several faults were found.
        """
        checked = self._checked(text)
        given = dict(variables or {})
        operation = _choose(checked.operations, operation_name)
        if operation.operation is not kind:
            raise GatewayError("VALIDATION_ERROR", _NOT_HERE[operation.operation])
        prepared = PreparedOperation(
            text=text,
            document=checked.document,
            operation=operation,
            operation_name=operation.name.value if operation.name else None,
            fragments=checked.fragments,
            variables=coerce(self._schema, operation, given),
            raw_variables=given,
            schema=self._schema,
            limits=self._limits,
        )
        check_cost(prepared)
        return prepared

    def _checked(self, text: str) -> _Checked:
        checked = self._cache.get(text)
        if checked is None:
            checked = self._check(text)
            self._keep(text, checked)
        else:
            self._cache.move_to_end(text)
        return checked

    def _check(self, text: str) -> _Checked:
        tokens = scan(text, self._limits.tokens)
        document = _parsed(text, self._suggest)
        check_document(document, self._limits)
        faults = self._faults(document)
        if faults:
            entries = [query_entry("VALIDATION_ERROR", fault, self._suggest) for fault in faults]
            raise Refused("VALIDATION_ERROR", entries)
        operations = {
            node.name.value if node.name else None: node
            for node in document.definitions
            if isinstance(node, OperationDefinitionNode)
        }
        fragments = {n.name.value: n for n in document.definitions if isinstance(n, FragmentDefinitionNode)}
        return _Checked(document, operations, fragments, tokens)

    def _faults(self, document: DocumentNode) -> list[GraphQLError]:
        try:
            return validate(self._schema, document, self._rules, max_errors=MOST_ERRORS)
        except GraphQLError as fault:  # the rule of the single root field evaluates directives, and has no variables
            return [fault]

    def _keep(self, text: str, checked: _Checked) -> None:
        weight = _weight(text, checked)
        if weight > CACHED_TOKENS:
            return
        self._cache[text] = checked
        self._cached_tokens += weight
        while self._cached_tokens > CACHED_TOKENS:
            old, gone = self._cache.popitem(last=False)
            self._cached_tokens -= _weight(old, gone)


def _weight(text: str, checked: _Checked) -> int:
    return checked.tokens + len(text) // 256


def _parsed(text: str, suggest: bool) -> DocumentNode:
    fault: GraphQLError
    try:
        return parse(text)
    except GraphQLSyntaxError as error:
        fault = error
    raise Refused("PARSE_FAILED", [query_entry("PARSE_FAILED", fault, suggest)])


def _choose(
    operations: Mapping[str | None, OperationDefinitionNode], operation_name: str | None
) -> OperationDefinitionNode:
    if not operations:
        raise GatewayError("VALIDATION_ERROR", "The document holds no operation.")
    if operation_name is None:
        if len(operations) > 1:
            text = "The document holds several operations; operationName says which one to run."
            raise GatewayError("VALIDATION_ERROR", text)
        chosen = next(iter(operations.values()))
    else:
        if operation_name not in operations:
            raise GatewayError("VALIDATION_ERROR", "The document holds no operation of the name in operationName.")
        chosen = operations[operation_name]
    return chosen


def only_introspects(operation: PreparedOperation) -> bool:
    """Say whether an operation reads nothing but the schema, so that no source and no policy has a part in it."""
    selections = operation.operation.selection_set
    root = operation.schema.query_type
    if root is None:
        return False
    fields = collect_fields(operation.schema, dict(operation.fragments), dict(operation.variables), root, selections)
    return all(nodes[0].name.value.startswith("__") for nodes in fields.values())
