"""Steps that the tests of the shell share."""

from playwright.sync_api import Locator, Page

from tests.browser.steps import until


def opened(page: Page, shell: str, query: str = "") -> Page:
    """The sample list, loaded and quiet."""
    page.goto(f"{shell}/orders/ready/{query}")
    until(page, "window.htmx && document.querySelector('.list-card')")
    page.wait_for_load_state("networkidle")
    return page


def box(page: Page, n: int) -> Locator:
    """The check box of row n."""
    return page.locator(f"#row-{n} td.check input")


def chosen(page: Page) -> list[int]:
    """Ids of the rows whose box is checked."""
    ids: list[int] = page.evaluate(
        "[...document.querySelectorAll('td.check input:checked')].map(box => +box.closest('tbody').dataset.id)"
    )
    return ids
