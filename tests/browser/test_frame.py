"""The frame around the portal's pages in a real browser, here that of a page that is not there."""

from __future__ import annotations

import pytest

from tests.browser.conftest import OpenPage, axe_faults, too_wide


@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_a_missing_page_reads_well_in_either_theme_and_on_a_telephone(
    open_page: OpenPage, theme: str
) -> None:
    page = await open_page("/brand/nobody.css", width=360, theme=theme)
    assert await page.locator("h1").inner_text() == "There is no such page"
    assert await axe_faults(page) == []
    assert await too_wide(page) == 0
