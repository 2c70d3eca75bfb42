"""Broken notices without end: samples of a PG cut, doubled, spiced and filled with odd values; the same for a seed."""

import base64
import random
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime

from payments.adapters.base import Inbound
from tests.payments.pg import portone_case
from tests.payments.pg.cases import Case
from tests.payments.pg.test_fuzz import SPICE

ODD = (None, True, False, 0, -1, 1, 33_000, 33_001, 1e300, "", " ", "0", "33,000", "9" * 400, "paid", "DONE", "가" * 90,
       "\x00", "\ud800", [], {}, [[]], {"a": None}, "20261121-0000001-1", "' OR 1=1 --", "../../x")  # fmt: skip
TYPES = ("", "text/plain", "application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
         "application/json; charset=x", "x" * 500)  # fmt: skip
HEADERS = ("webhook-id", "webhook-timestamp", "webhook-signature", "content-encoding", "x-webhook-key", "x-trace-id")
WORDS = ("", "x", "gzip", "identity", "v1,", "v1,AAAA v1,%%", "0", "9" * 300, "0x10", "½", "v1 v1 v1")


@dataclass(frozen=True)
class Samples:
    """What is broken: bodies, the headers and sender that go with them, and how a body is made authentic again."""

    bodies: Sequence[bytes]
    headers: Mapping[str, str]
    client_ip: str = "203.0.113.9"
    case: Case | None = None
    signed_at: datetime | None = None


def samples_of(case: Case, *, at: datetime) -> Samples:
    """The golden notices of a PG; signatures are made for a receiver whose clock says `at`."""
    known = [case.authentic, *case.kinds.values(), *case.tolerated.values()]
    return Samples([one.body for one in known], case.authentic.headers, case.authentic.client_ip, case, at)


def mutants(samples: Samples, *, seed: int, count: int) -> Iterator[Inbound]:
    """So many of them. Three in ten keep a body that can be read and lie in its fields."""
    chance = random.Random(seed)
    for _ in range(count):
        body = _lied(samples, chance) if chance.random() < 0.3 else _broken(samples.bodies, chance)
        headers = dict(samples.headers) | _signed(samples, body, chance)
        if chance.random() < 0.05:
            headers["content-type"] = chance.choice(TYPES)
        if chance.random() < 0.1:
            headers[chance.choice(HEADERS)] = chance.choice(WORDS)
        yield Inbound(body=body, headers=headers, client_ip=samples.client_ip, at=samples.signed_at or datetime.min)


def _broken(bodies: Sequence[bytes], chance: random.Random) -> bytes:
    body = chance.choice(bodies)
    for _ in range(chance.randint(1, 5)):
        at = chance.randrange(len(body) + 1)
        end = at + chance.choice([0, 1, 2, 8, 24, 200])
        piece = chance.choice([chance.choice(SPICE), body[at:end], body[at:end] * 3, chance.randbytes(6), b""])
        body = body[:at] + piece + body[chance.choice([at, end]) :]
    if chance.random() < 0.03:
        body = (body or b"x") * (chance.choice([40_000, 65_536, 66_000, 200_000]) // max(len(body), 1) + 1)
    return body


def _lied(samples: Samples, chance: random.Random) -> bytes:
    case, body = samples.case, samples.bodies[0]
    if case is None or case.fields_of is None:
        return _broken(samples.bodies, chance)
    names = list(case.fields_of(body))
    # Copies: what is written into one of them must not be found in the next one, or in itself.
    lies = {chance.choice(names): deepcopy(chance.choice(ODD)) for _ in range(chance.randint(1, 3))}
    return case.written(body, lies)


def _signed(samples: Samples, body: bytes, chance: random.Random) -> Mapping[str, str]:
    """PortOne signs the whole body: half of its mutants are authentic, under numbers of their own."""
    case, at = samples.case, samples.signed_at
    if case is not portone_case.CASE or at is None or chance.random() < 0.5:
        return {}
    event = base64.b32encode(chance.randbytes(10)).decode()
    return portone_case.headers(body, event=event, stamp=str(int(at.timestamp())))
