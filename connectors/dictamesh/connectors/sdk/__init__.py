# SPDX-License-Identifier: Apache-2.0
"""The public contract between the runtime and a connector."""

from dictamesh.connectors.sdk.errors import Fault, SourceError, Terminal, Transient
from dictamesh.connectors.sdk.protocol import (
    Connector,
    ConnectorFactory,
    Context,
    Health,
    Keys,
    LiveColumn,
    Order,
    Output,
    Related,
    Request,
    Rows,
    Status,
)
from dictamesh.specs.manifest import (
    Capabilities,
    Dataset,
    Manifest,
    Options,
    Reason,
    SecretMark,
    SecretText,
    Source,
    SourceColumn,
)

__all__ = [
    "Capabilities",
    "Connector",
    "ConnectorFactory",
    "Context",
    "Dataset",
    "Fault",
    "Health",
    "Keys",
    "LiveColumn",
    "Manifest",
    "Options",
    "Order",
    "Output",
    "Reason",
    "Related",
    "Request",
    "Rows",
    "SecretMark",
    "SecretText",
    "Source",
    "SourceColumn",
    "SourceError",
    "Status",
    "Terminal",
    "Transient",
]
