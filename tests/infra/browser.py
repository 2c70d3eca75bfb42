"""One real Chromium per test worker; every page watches its console."""

import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

CHROMIUM = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
"""The first on PATH; OMS_CHROMIUM names another. The shell is the same engine without windows: a third of the work."""
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
]
PATIENCE = 30_000
"""Milliseconds: on a busy machine a page takes its time; whoever waits longer than that waits for nothing."""
REPORT_CSP = """
document.addEventListener("securitypolicyviolation", e =>
  console.error(`CSP: ${e.violatedDirective} refused ${e.blockedURI} at ${e.sourceFile}:${e.lineNumber}`));
"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A real browser on a busy machine fails now and then by itself: it gets one more try, which the summary names."""
    for item in items:
        if item.get_closest_marker("browser"):
            item.add_marker(pytest.mark.flaky(reruns=1))


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    names = [os.environ["OMS_CHROMIUM"]] if "OMS_CHROMIUM" in os.environ else CHROMIUM
    executable = next((path for name in names if (path := shutil.which(name))), None)
    assert executable, "No Chromium on PATH. Run `make test` as root, or: apt-get install chromium fonts-nanum"
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=executable, headless=True, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def console_errors() -> list[str]:
    """What the page complained about. A test that provokes an error (a 409, say) removes it from here."""
    return []


@pytest.fixture
def page(browser: Browser, console_errors: list[str]) -> Iterator[Page]:
    """A fresh page, 1440×900, Korean, Seoul time, without animations: colours and places are final.

    A console error, an exception or a CSP violation fails the test.
    """
    context = browser.new_context(
        locale="ko-KR",
        timezone_id="Asia/Seoul",
        viewport={"width": 1440, "height": 900},
        reduced_motion="reduce",
        accept_downloads=True,
    )
    context.set_default_timeout(PATIENCE)
    context.add_init_script(REPORT_CSP)

    def heard(message: ConsoleMessage) -> None:
        where = str(message.location.get("url", ""))
        # Chromium asks for /favicon.ico of a page that names no icon, when it pleases.
        if message.type == "error" and not where.endswith("/favicon.ico"):
            console_errors.append(f"{message.text} ({where})")

    context.on("console", heard)
    context.on("weberror", lambda error: console_errors.append(str(error.error)))
    opened = context.new_page()
    yield opened
    context.close()
    assert console_errors == []
