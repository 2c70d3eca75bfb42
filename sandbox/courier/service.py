"""What a courier service's module offers to the shared sandbox, and what it is given: write one of these to add one."""

import json
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl

from sandbox.courier.books import Books
from sandbox.courier.fault import Fault

HTML_TYPE = "text/html; charset=utf-8"
XML_TYPE = "application/xml; charset=UTF-8"
JSON_TYPE = "application/json; charset=utf-8"


@dataclass(frozen=True)
class Request:
    """A request to a service."""

    method: str
    path: str
    """What follows the prefix, unquoted: "/ReqInvcNo", or empty."""
    raw_query: str
    headers: Any
    """As the server read them: `headers.get("authorization")`, whatever the case."""
    body: bytes

    @cached_property
    def query(self) -> dict[str, str]:
        """The query, one value of each name."""
        return dict(parse_qsl(self.raw_query, keep_blank_values=True))


@dataclass(frozen=True)
class Subject:
    """What a request is about; faults are chosen by it and the log shows it."""

    operation: str
    carrier: str = ""
    """The id of the carrier in sandbox/courier/carriers.py ("kr.cjlogistics"); empty where it is about none."""
    number: str = ""
    content: Any = None
    """What the service has read of the request, for its own `answer`."""


@dataclass
class Answer:
    """What goes back over the socket, and how badly."""

    status: int = 200
    body: bytes = b""
    content_type: str = JSON_TYPE
    headers: dict[str, str] = field(default_factory=dict)
    word: str = ""
    """What the log and the counters say of it ("OK", "NOT_FOUND"); empty: the status."""
    is_reset: bool = False
    """Close the connection before the first byte."""
    cut_at: float = 1.0
    """Close after this part of the body."""
    wait: float = 0.0
    """Seconds before the answer."""
    drip: float = 0.0
    """Seconds between single bytes of the body."""


def json_answer(status: int, value: Any, word: str = "") -> Answer:
    """An answer of JSON."""
    return Answer(status, json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"), word=word)


@dataclass(frozen=True)
class Kind:
    """A kind of fault: what it makes of an answer."""

    spoil: Callable[[Fault, Answer], Answer]
    does_work: bool = True
    """Is the request carried out first? If not, `spoil` is given an empty answer, unless the fault is `after_work`."""


class Service(ABC):
    """One courier service. What it must remember, it puts into the books."""

    name: str
    """In the control API, in the log, and for records in the books."""
    prefix: str
    """First part of its paths: "cj" serves /cj/ReqInvcNo."""
    options: Mapping[str, Any] = {}
    """What `POST /__control/service {"name": …, option: value}` may change, with its values at the start."""

    def __init__(self, books: Books) -> None:
        self.books = books

    @property
    def kinds(self) -> Mapping[str, Kind]:
        """Faults of its own, beside those of all services; a name may be shared with another service."""
        return {}

    def option(self, name: str) -> Any:
        """The value of an option now."""
        return self.books.option(self.name, name, self.options[name])

    def start(self, stopping: threading.Event) -> None:  # noqa: B027 - most services have nothing to start
        """Begin what it does by itself, until `stopping` is set."""

    @abstractmethod
    def hear(self, request: Request) -> Subject | Answer:
        """What the request is about, or the answer where even that cannot be read. Changes nothing."""

    @abstractmethod
    def answer(self, request: Request, subject: Subject) -> Answer:
        """Carry it out. Several threads call; wrap read-decide-write in `with self.books.lock:`."""
