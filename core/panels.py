"""Panels: boxes of the order detail, contributed by any app that knows something about an order.

An app declares its panels in `panels.py`, which is found by itself. A panel reads with one query and hands finished
values to its own template; a panel without anything to say returns None and is not drawn.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from django.http import HttpRequest
from django.middleware.csrf import get_token
from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from core.registry import ByName


class Panel(ABC):
    """상자: one section of the order detail."""

    name: ClassVar[str]
    title: ClassVar[str]
    template: ClassVar[str]
    position: ClassVar[int]
    """Panels are drawn in ascending position."""
    permission: ClassVar[str] = ""

    @abstractmethod
    def load(self, order: Any, *, request: HttpRequest, at: datetime) -> dict[str, Any] | None:
        """상자 내용: context of the template, None for nothing to show; its `why` goes to the head of the page."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """A panel with its finished HTML, and why the order stands where it does, where the panel knows that better."""

    name: str
    title: str
    html: SafeString
    why: Any = None


PANELS: ByName[Panel] = ByName()
register = PANELS.register


def draw(order: Any, *, request: HttpRequest, at: datetime) -> list[Drawn]:
    """상자 그리기: every panel that the person may see and that has something to show, in order."""
    drawn, token = [], get_token(request)
    for panel in sorted(PANELS.values(), key=lambda each: each.position):
        if panel.permission and not request.user.has_perm(panel.permission):  # type: ignore[union-attr]
            continue
        context = panel.load(order, request=request, at=at)
        if context is not None:
            # Without the request: its context processors would ask for the menu again for every box.
            html = render_to_string(panel.template, {"order": order, "csrf_token": token, **context})
            drawn.append(Drawn(panel.name, panel.title, html, context.get("why")))
    return drawn
