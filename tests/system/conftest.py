"""What the tests that start real processes share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.prometheus import Scraped, scraping


@pytest.fixture(scope="module")
def scraped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scraped]:
    """A service with sites in every state and a real Prometheus that scrapes it; see there.

    They end with the module: as long as they run they cost a fifth of a core.
    """
    with scraping(tmp_path_factory.mktemp("scraped")) as scraped:
        yield scraped
