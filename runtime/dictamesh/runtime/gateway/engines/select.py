# SPDX-License-Identifier: Apache-2.0
"""Which engine a mesh uses."""

from graphql import GraphQLSchema

from dictamesh.runtime.gateway.engines.core import CoreEngine
from dictamesh.runtime.gateway.engines.engine import Engine
from dictamesh.runtime.gateway.engines.tartiflette import TartifletteEngine


def select_engine(name: str, schema: GraphQLSchema) -> Engine:
    """Return the engine of `gateway.engine`; raises EngineUnavailable where it is not installed."""
    return TartifletteEngine(schema) if name == "tartiflette" else CoreEngine()
