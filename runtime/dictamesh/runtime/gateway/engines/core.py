# SPDX-License-Identifier: Apache-2.0
"""The default engine: graphql-core over values that were fetched before."""

from typing import Any

from graphql import (
    ExecutionContext,
    ExecutionResult,
    FieldNode,
    GraphQLEnumType,
    GraphQLError,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLResolveInfo,
    GraphQLScalarType,
    Undefined,
    execute,
    is_non_null_type,
)
from graphql.pyutils import AwaitableOrValue, Path

from dictamesh.runtime.gateway.contract import FieldError, Node, PreparedOperation, RequestInfo
from dictamesh.runtime.gateway.engines.engine import Completed, report
from dictamesh.runtime.gateway.errors import ErrorEntry, GatewayError, locations_of, message
from dictamesh.runtime.gateway.schema import introspects


class CoreEngine:
    """graphql-core's synchronous execution; nothing in it waits, as every value is there."""

    async def complete(self, operation: PreparedOperation, root: Node, info: RequestInfo) -> Completed:  # noqa: ARG002 - Engine
        """Return the answer (`Engine`)."""
        result = execute(
            operation.schema,
            operation.document,
            root_value=root,
            variable_values=dict(operation.raw_variables),
            operation_name=operation.operation_name,
            execution_context_class=_Completion,
            is_awaitable=_never,
        )
        if not isinstance(result, ExecutionResult):
            raise TypeError("execution over fetched values does not wait")
        return Completed(result.data, tuple(_entry(error) for error in result.errors or ()))


def _never(_value: Any) -> bool:
    return False


class _Completion(ExecutionContext):
    """Reads values by response key, without resolvers and without coercing arguments a second time."""

    def execute_field(
        self, parent_type: GraphQLObjectType, source: Any, field_nodes: list[FieldNode], path: Path
    ) -> AwaitableOrValue[Any]:
        node = field_nodes[0]
        name = node.name.value
        if introspects(parent_type, name):
            return super().execute_field(parent_type, source, field_nodes, path)
        kind = parent_type.fields[name].type
        value = source.values.get(path.key)
        if value is None and not is_non_null_type(kind):
            return None
        try:
            return self.complete_value(kind, field_nodes, _NO_INFO, path, value)
        except Exception as error:  # noqa: BLE001 - whatever a value provokes becomes an error at its path
            self.handle_field_error(_located(error, field_nodes, path), kind, path)
            return None

    def complete_value(
        self,
        return_type: GraphQLOutputType,
        field_nodes: list[FieldNode],
        info: GraphQLResolveInfo,
        path: Path,
        result: Any,
    ) -> AwaitableOrValue[Any]:
        if isinstance(result, FieldError):
            raise GatewayError(result.code, result.message)
        if isinstance(return_type, GraphQLNonNull):
            completed = self.complete_value(return_type.of_type, field_nodes, info, path, result)
            if completed is None:
                raise GatewayError("CONTRACT_VIOLATION")
            return completed
        if result is None:
            return None
        if isinstance(return_type, GraphQLScalarType | GraphQLEnumType):
            return _serialized(return_type.serialize, result)
        return super().complete_value(return_type, field_nodes, info, path, result)


def _serialized(serialize: Any, value: Any) -> Any:
    try:
        written = serialize(value)
    except Exception:  # noqa: BLE001 - a scalar's own text quotes the value
        written = Undefined
    if written is None or written is Undefined:
        raise GatewayError("SOURCE_DATA_INVALID")
    return written


def _located(error: Exception, nodes: list[FieldNode], path: Path) -> GraphQLError:
    if isinstance(error, GraphQLError) and error.path is not None:
        return error
    return GraphQLError("", nodes, path=path.as_list(), original_error=error)


def _entry(error: GraphQLError) -> ErrorEntry:
    cause = error.original_error
    path = tuple(error.path) if error.path is not None else None
    if isinstance(cause, GatewayError):
        return ErrorEntry(cause.code, cause.message, path, locations_of(error))
    report(cause or error)
    return ErrorEntry("INTERNAL_ERROR", message("INTERNAL_ERROR"), path, locations_of(error))


_NO_INFO: Any = None
