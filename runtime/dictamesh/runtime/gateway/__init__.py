# SPDX-License-Identifier: Apache-2.0
"""The federated GraphQL API: guard, execution, engines and HTTP."""
