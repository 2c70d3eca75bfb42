"""Faults that change the JSON object of a good answer, for the services that speak it."""

import json
from collections.abc import Callable
from typing import Any

from sandbox.courier.fault import Fault
from sandbox.courier.service import Answer, Kind

DIRTY = "\x00\x07<script>alert(1)</script>\ud83d\ude9a" + "가" * 5000 + "\ud800"
"""Text that no service should send: control characters, markup, an emoji in halves, far too long."""


def changed(change: Callable[[dict[str, Any]], Any]) -> Kind:
    """A fault that changes the object of an answer; an answer that is none stays as it is."""

    def spoil(fault: Fault, plain: Answer) -> Answer:
        document = json.loads(plain.body)
        if isinstance(document, dict):
            change(document)
        return Answer(plain.status, json.dumps(document).encode(), word=plain.word)

    return Kind(spoil)


def listed(name: str, change: Callable[[list[Any]], Any]) -> Kind:
    """A fault that changes the list under a name, where the answer has one."""

    def on_document(document: dict[str, Any]) -> None:
        if isinstance(document.get(name), list):
            document[name] = change(document[name])

    return changed(on_document)


def each(name: str, **values: Any) -> Kind:
    """A fault that puts values into every entry of the list under a name."""
    return listed(name, lambda entries: [{**entry, **values} for entry in entries])
