"""A shop on a real server with its owner logged in, and what the pages say about accessibility and layout."""

from typing import Any

from playwright.sync_api import Page

from accounts.models import User

THEMES = ("light", "dark")
SIZES = ((1440, 900), (1280, 800))


def log_in(page: Page, server: Any, client: Any) -> str:
    """Give the browser the session of a test client; returns the address of the shop."""
    session = client.cookies["sessionid"].value
    page.context.add_cookies([{"name": "sessionid", "value": session, "url": server.url}])
    return str(server.url)


def wear(page: Page, theme: str) -> None:
    """Everybody's pages in one theme."""
    User.objects.update(prefs={"theme": theme})
    page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]


def overflow(page: Page) -> list[str]:
    """Elements wider than what they stand in, and the page itself when it scrolls sideways."""
    return page.evaluate(
        """() => {
      const wide = [];
      if (document.documentElement.scrollWidth > innerWidth) wide.push('page');
      for (const one of document.querySelectorAll('.btn, .badge, .tag, .figure, .kv dd, h1, h2, h3')) {
        const box = one.getBoundingClientRect();
        if (box.width && one.scrollWidth > one.clientWidth + 1 && getComputedStyle(one).overflow === 'visible'
            && getComputedStyle(one).display !== 'inline') wide.push(one.outerHTML.slice(0, 90));
      }
      return wide;
    }"""
    )
