# SPDX-License-Identifier: Apache-2.0
"""The example mesh over its own sources."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from dictamesh.runtime.compile.plan import Plan
from dictamesh.specs.documents import Folder
from examples.sources.cms import cms_app
from examples.sources.data import Data, generate
from examples.sources.erp import build_sqlite
from examples.sources.shop import shop_app
from tests.integration.execution.harness import Running, compiled, listening, running
from tests.support.postgres import embedded_dsn  # noqa: F401 - a fixture

EXAMPLES = Path(__file__).parents[3] / "examples"


@pytest.fixture(scope="session")
def records() -> Data:
    return generate()


@pytest.fixture(scope="session")
def erp(tmp_path_factory: pytest.TempPathFactory, records: Data) -> Path:
    path = tmp_path_factory.mktemp("erp") / "erp.sqlite"
    build_sqlite(path, records)
    return path


@pytest.fixture(scope="session")
def example_plan() -> Plan:
    return compiled(Folder(EXAMPLES))


@pytest.fixture
def cms(records: Data) -> web.Application:
    return cms_app(records.customers, "cms-token")


@pytest.fixture
def shop(records: Data) -> web.Application:
    return shop_app(records.products, "shop-key")


@pytest.fixture
async def example(example_plan: Plan, cms: web.Application, shop: web.Application, erp: Path) -> AsyncIterator[Running]:
    async with listening(cms) as cms_url, listening(shop) as shop_url:
        options = {
            "cms": {"url": cms_url, "auth": {"kind": "bearer", "token": "cms-token"}},
            "shop": {"url": shop_url, "auth": {"kind": "apiKey", "header": "X-Shop-Key", "key": "shop-key"}},
            "erp": {"path": str(erp)},
        }
        async with running(example_plan, options, EXAMPLES, keys={"mesh-pepper": b"pepper"}) as mesh:
            yield mesh
