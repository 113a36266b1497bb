"""A prober that trusts the tests' own certificate authority and knows the tests' names."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from monitor.egress import CurlTransport
from monitor.prober import Prober
from tests.loopback import Authorities
from tests.probing import system_lookup


@pytest.fixture(scope="package")
def authorities(tmp_path_factory: pytest.TempPathFactory) -> Authorities:
    return Authorities(tmp_path_factory.mktemp("authorities"))


@pytest.fixture
async def prober(authorities: Authorities) -> AsyncIterator[Prober]:
    prober = Prober(
        transport=CurlTransport(ca_bundle=authorities.file, system_lookup=system_lookup)
    )
    yield prober
    await prober.aclose()
