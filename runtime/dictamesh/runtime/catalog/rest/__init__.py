# SPDX-License-Identifier: Apache-2.0
"""The catalog over HTTP: each route described once, for the server, its checks and the OpenAPI document alike."""
