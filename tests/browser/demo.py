"""Takes the README's pictures from the running demo: ``python -m tests.browser.demo [FOLDER]``.

Starts ``fettle demo``, breaks its sites as a visitor would, waits for tickets and mails, acts at
the desk, and takes pictures of the queue, a ticket, the demo's switches and a client's mail.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM = "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]
WAIT_SECONDS = 60


def main(folder: Path) -> None:
    """Take every picture into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "monitor", "demo"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as demo:
        try:
            told = _read_until(demo, "Ctrl-C")
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
                _take(browser, told, folder)
                browser.close()
        finally:
            demo.terminate()


def _take(browser: Browser, told: str, folder: Path) -> None:
    switches, desk, password = (
        _after(label, told) for label in ("Break a site here", "See it on the desk", "password")
    )
    page = browser.new_page(viewport={"width": 1200, "height": 620}, device_scale_factor=2)
    _open(page, switches, until="Up</span>", times=3)
    broken_at = time.monotonic()
    for place, label in enumerate(("Stop the server", "Slow it down", "Break the pages"), 1):
        page.click(f"section:nth-of-type({place}) button:has-text('{label}')")
    _open(page, switches, until="Ticket T-", times=3)
    print(f"three tickets {time.monotonic() - broken_at:.1f} s after the sites were broken")  # noqa: T201
    page.screenshot(path=folder / "demo.png")
    page.click("section:nth-of-type(3) button:has-text('Mend it')")

    page.goto(desk)
    page.fill("#email", "sam@agency.example")
    page.fill("#password", password)
    page.click("main form button")
    third = page.locator("main li, main tr, main article").filter(has_text="Moss Theatre").first
    third.get_by_role("button", name="Acknowledge").click()
    _open(page, desk, until="Up again")
    page.screenshot(path=folder / "queue.png")

    page.goto(f"{desk}tickets/T-1001")
    page.set_viewport_size({"width": 1200, "height": 1000})
    page.screenshot(path=folder / "ticket.png")

    _open(page, f"{switches}mails", until="office@harbour-inns.example")
    row = page.locator("tr").filter(has_text="office@harbour-inns.example").first
    page.goto(switches.rstrip("/") + (row.locator("a").first.get_attribute("href") or "") + "/html")
    page.set_viewport_size({"width": 760, "height": 650})
    page.screenshot(path=folder / "mail.png")


def _open(page: Page, address: str, *, until: str, times: int = 1) -> None:
    """Open ``address`` again and again until it shows ``until`` so many times."""
    give_up = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            page.goto(address)
            if page.content().count(until) >= times:
                return
        except Exception as error:  # the service may still be starting
            if time.monotonic() > give_up:
                raise RuntimeError(f"{address} does not answer") from error
        if time.monotonic() > give_up:
            raise RuntimeError(f"{address} did not show {until!r} within {WAIT_SECONDS} s")
        page.wait_for_timeout(500)


def _read_until(demo: subprocess.Popen[str], word: str) -> str:
    assert demo.stdout is not None
    told = ""
    while word not in told:
        told += demo.stdout.readline()
    return told


def _after(label: str, told: str) -> str:
    match = re.search(rf"{re.escape(label)}\s+(\S+)", told)
    assert match is not None
    return match[1]


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "docs/pictures"))
