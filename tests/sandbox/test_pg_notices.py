"""The sandbox PGs send notices as their PGs do: schedules, what counts as success, and what faults do to them."""

import base64
import json
import threading
from concurrent.futures import ThreadPoolExecutor, wait

import pytest

from payments.adapters.base import Answer, Inbound, Kind, Rejected
from payments.adapters.portone import PORTONE
from payments.adapters.toss import TOSS
from tests.fixtures.http_server import reply
from tests.infra.pgs import RunningPgs
from tests.payments.pg import portone_case, toss_case
from tests.payments.pg.cases import AT

ORDER = "20261121-0000001-1"
FROZEN = "2026-11-21T12:00:00"


class Receiver:
    """A shop's webhook address that answers as it is told and remembers what came."""

    def __init__(self, pgs, serve, pg):
        self.pgs, self.pg, self.status, self.body = pgs, pg, "200 OK", b"OK"
        self._lock = threading.Lock()
        self.server = serve(self._answer)
        pgs.shop(pg, notice_url=f"http://127.0.0.1:{self.server.port}/hook?x=1")

    def _answer(self, connection, request):
        connection.sendall(reply(self.body, self.status, "Content-Type: text/plain"))

    @property
    def taken(self):
        """(headers, body) of every request, in the order of their coming."""
        found = []
        for request in list(self.server.requests):
            head, _, body = request.partition(b"\r\n\r\n")
            lines = head.decode().split("\r\n")
            assert lines[0] == "POST /hook?x=1 HTTP/1.1"
            found.append(({name.lower(): value for name, value in (line.split(": ", 1) for line in lines[1:])}, body))
        return found

    def wait(self, count):
        """Until so many requests came; returns them."""
        self.pgs.wait_for(lambda: len(self.server.requests) >= count)
        return self.taken

    def settled(self):
        """Until no notice is on its way; returns what came."""
        self.pgs.wait_for(
            lambda: all(one["state"] not in {"SENDING"} and not self._is_due(one) for one in self.notices())
        )
        return self.taken

    def _is_due(self, notice):
        return notice["state"] == "DUE" and not notice["attempts"]

    def notices(self):
        return self.pgs.notices(pg=self.pg)

    def opened(self, **values):
        given = {"amount": 33_000, "buyer": "홍길동", "title": "면", "announce": False, **values}
        return self.pgs.control("payments", pg=self.pg, order_ref=ORDER, **given)

    def act(self, name, **values):
        return self.pgs.control(f"payments/{name}", pg=self.pg, order_ref=ORDER, **values)


@pytest.fixture
def toss(pgs, serve):
    return Receiver(pgs, serve, "toss")


@pytest.fixture
def portone(pgs, serve):
    return Receiver(pgs, serve, "portone")


def kinds(receiver):
    return [notice["kind"] for notice in receiver.notices()]


def inbound(taken):
    headers, body = taken
    return Inbound(body=body, headers=headers, client_ip=headers["x-sandbox-client-ip"], at=AT)


def test_toss_tells_a_deposit_twice_and_each_is_read(toss):
    payment = toss.opened()
    toss.act("deposit")
    callback, changed = toss.wait(2)
    assert callback[0]["content-type"] == "application/json"
    assert callback[0]["x-sandbox-client-ip"] in TOSS.default_ips
    secrets = {ORDER: payment["secret"]}
    notice = TOSS.read(inbound(callback), account=toss_case.DEAL.account, secret_of=secrets.get)
    assert (notice.kind, notice.is_proven, notice.order_ref) == (Kind.DEPOSITED, True, ORDER)
    notice = TOSS.read(inbound(changed), account=toss_case.DEAL.account, secret_of=secrets.get)
    assert (notice.kind, notice.is_proven, notice.payment_ref) == (Kind.DEPOSITED, False, payment["payment_ref"])


def test_toss_repeats_after_1_4_16_64_256_1024_4096_minutes_and_then_gives_up(pgs, toss):
    pgs.control("clock", now=FROZEN)
    pgs.control("config", speed=1)
    toss.status = "500 Internal Server Error"
    toss.opened()
    pgs.fault("drop", pg="toss", notice="PAYMENT_STATUS_CHANGED*", times=None)
    toss.act("deposit")
    toss.wait(1)
    for attempt, minutes in enumerate([1, 4, 16, 64, 256, 1024, 4096], start=1):
        pgs.wait_for(lambda: len(toss.notices()[0]["attempts"]) == attempt)  # noqa: B023 - asked at once
        pgs.control("clock", advance=minutes * 60 - 1)
        assert len(toss.settled()) == attempt
        pgs.control("clock", advance=1)
        toss.wait(attempt + 1)
    pgs.wait_for(lambda: toss.notices()[0]["state"] == "GAVE_UP")
    assert len({body for _, body in toss.taken}) == 1


def test_portone_signs_anew_keeps_the_id_and_waits_less_than_documented(pgs, portone):
    pgs.control("clock", now=FROZEN)
    pgs.control("config", speed=1)
    portone.status = "503 Service Unavailable"
    portone.opened()
    portone.act("deposit")
    for attempt, minutes in enumerate([1, 4, 16, 64, 256], start=1):
        pgs.wait_for(lambda: len(portone.notices()[0]["attempts"]) == attempt)  # noqa: B023 - asked at once
        pgs.control("clock", advance=minutes * 60)
        portone.wait(attempt + 1)
    pgs.wait_for(lambda: portone.notices()[0]["state"] == "GAVE_UP")
    taken = portone.taken
    assert len(taken) == 6
    assert len({headers["webhook-id"] for headers, _ in taken}) == 1
    for headers, body in taken:
        signed = portone_case.headers(body, event=headers["webhook-id"], stamp=headers["webhook-timestamp"])
        assert headers["webhook-signature"] == signed["webhook-signature"]


def test_a_broken_answer_is_repeated_and_a_good_one_ends_it(toss):
    toss.status = "302 Found"
    toss.opened()
    toss.act("deposit")
    toss.wait(3)
    toss.status = "204 No Content"
    toss.pgs.wait_for(lambda: all(one["state"] == "DONE" for one in toss.notices()))
    first = toss.notices()[0]["attempts"]
    assert (first[0]["status"], first[0]["ok"]) == (302, False)
    assert (first[-1]["status"], first[-1]["ok"]) == (204, True)


def test_both_live_secrets_sign_during_a_rotation(pgs, portone):
    options = {"webhook_secrets": [portone_case.SECRET, portone_case.PREVIOUS]}
    pgs.shop("portone", options=options)
    portone.opened()
    portone.act("deposit")
    headers, body = portone.wait(1)[0]
    assert len(headers["webhook-signature"].split(" ")) == 2


def test_portone_says_nothing_of_a_reversal_or_of_an_end_of_time(portone):
    portone.opened()
    portone.act("deposit")
    portone.act("reverse")
    portone.act("expire")
    assert kinds(portone) == ["Transaction.Paid"]


def test_refunds_and_closings_are_told(toss, portone):
    for desk, bank in ((toss, "20"), (portone, "SHINHAN")):
        desk.opened()
        desk.act("deposit")
        account = {"bank": bank, "number": "110", "holder": "홍"}
        desk.act("refund", amount=3_000, account=account)
        desk.act("refund", account=account)
    assert kinds(toss) == [
        "DEPOSIT_CALLBACK DONE",
        "PAYMENT_STATUS_CHANGED DONE",
        "PAYMENT_STATUS_CHANGED PARTIAL_CANCELED",
        "PAYMENT_STATUS_CHANGED CANCELED",
    ]
    assert kinds(portone) == ["Transaction.Paid", "Transaction.PartialCancelled", "Transaction.Cancelled"]


# Faults of notices


def test_duplicates_are_the_same_notice(pgs, portone):
    pgs.fault("duplicate", pg="portone", copies=4)
    portone.opened()
    portone.act("deposit")
    taken = portone.wait(5)
    assert len({body for _, body in taken}) == len({headers["webhook-id"] for headers, _ in taken}) == 1


def test_a_dropped_notice_never_comes(pgs, portone):
    pgs.fault("drop", pg="portone")
    portone.opened(announce=True)
    portone.act("deposit")
    assert [json.loads(body)["type"] for _, body in portone.settled()] == ["Transaction.Paid"]
    assert [one["state"] for one in portone.notices()][0] == "DROPPED"


def test_a_reordered_notice_comes_after_the_next(pgs, portone):
    pgs.fault("reorder", pg="portone", notice="Transaction.VirtualAccountIssued")
    portone.opened(announce=True)
    portone.act("deposit")
    types = [json.loads(body)["type"] for _, body in portone.wait(2)]
    assert types == ["Transaction.Paid", "Transaction.VirtualAccountIssued"]


def test_held_notices_come_in_the_order_of_their_release(pgs, toss):
    pgs.fault("hold", pg="toss", times=None)
    toss.opened()
    toss.act("deposit")
    toss.act("reverse")
    held = [notice["id"] for notice in toss.notices()]
    assert toss.settled() == []
    assert pgs.control("notices/release", ids=held[::-1]) == {"released": 4}
    toss.wait(4)
    pgs.wait_for(lambda: all(one["state"] == "DONE" for one in toss.notices()))
    ended = sorted(toss.notices(), key=lambda one: one["attempts"][0]["at"])
    assert [one["id"] for one in ended] == held[::-1]


def test_a_delayed_notice_waits(pgs, portone):
    pgs.control("clock", now=FROZEN)
    pgs.fault("delay", pg="portone", seconds=60)
    portone.opened()
    portone.act("deposit")
    pgs.control("clock", advance=59)
    assert portone.notices()[0]["attempts"] == []
    pgs.control("clock", advance=1)
    portone.wait(1)


@pytest.mark.parametrize("fault", ["corrupt", "forge"])
def test_a_corrupt_or_forged_notice_is_refused_by_the_adapter(pgs, portone, toss, fault):
    pgs.fault(fault, times=None)
    portone.opened()
    portone.act("deposit")
    payment = toss.opened()
    toss.act("deposit")
    with pytest.raises(Rejected) as refusal:
        PORTONE.read(inbound(portone.wait(1)[0]), account=portone_case.DEAL.account, secret_of={}.get)
    assert refusal.value.answer is Answer.UNAUTHORIZED
    assert refusal.value.reason == "bad_signature"
    if fault == "forge":
        secret_of, taken = {ORDER: payment["secret"]}.get, toss.wait(1)[0]
        with pytest.raises(Rejected) as refusal:
            TOSS.read(inbound(taken), account=toss_case.DEAL.account, secret_of=secret_of)
        assert (refusal.value.answer, refusal.value.reason) == (Answer.UNAUTHORIZED, "bad_secret")


def test_a_notice_may_come_from_anywhere(pgs, toss):
    pgs.fault("from_ip", ip="198.51.100.7")
    toss.opened()
    toss.act("deposit")
    first, second = toss.wait(2)
    assert (first[0]["x-sandbox-client-ip"], second[0]["x-sandbox-client-ip"]) == ("198.51.100.7", TOSS.default_ips[0])


def test_any_bytes_can_be_sent(pgs, toss):
    body = bytes(range(256))
    url = pgs.read("shops", pg="toss")[0]["notice_url"]
    pgs.control("notices/send", pg="toss", url=url, body_base64=base64.b64encode(body).decode(), client_ip="192.0.2.9")
    headers, taken = toss.wait(1)[0]
    assert (taken, headers["x-sandbox-client-ip"]) == (body, "192.0.2.9")


def test_nothing_leaves_loopback(pgs, toss):
    pgs.shop("toss", notice_url="http://192.0.2.1/hook")
    toss.opened()
    toss.act("deposit")
    pgs.wait_for(lambda: all(one["attempts"] for one in toss.notices()))
    assert "loopback" in toss.notices()[0]["attempts"][0]["error"]


def test_a_receiver_that_hangs_up_is_tried_again(pgs, toss):
    toss.server._answer = lambda connection, request: connection.close()
    toss.opened()
    toss.act("deposit")
    toss.wait(3)
    attempt = toss.notices()[0]["attempts"][0]
    assert (attempt["status"], attempt["ok"]) == (None, False)


def test_faults_of_calls_and_of_notices_fire_at_the_same_time(tmp_path):
    with ThreadPoolExecutor(6) as pool, RunningPgs.running(tmp_path / "books.sqlite3") as pgs:
        pgs.fault("status", pg="toss", method="GET", times=None)
        pgs.fault("duplicate", pg="portone", times=None)
        refs = [f"20261121-{n:07}-1" for n in range(200)]
        asked = [pool.submit(pgs.request, "GET", "/toss/v1/payments/none") for _ in refs]
        told = [pool.submit(pgs.control, "payments", pg="portone", order_ref=ref, amount=1_000) for ref in refs]
        wait([*asked, *told], timeout=30)
        assert all(one.done() and one.exception() is None for one in [*asked, *told])


def test_a_fault_of_notices_leaves_calls_alone_and_the_other_way_round(pgs):
    of_notices = pgs.fault("drop", notice="*")
    of_calls = pgs.fault("drop", method="GET")
    assert (of_notices["path"], of_calls["notice"]) == ("", "")
    assert pgs.fault("drop")["path"] == pgs.fault("delay")["notice"] == "*"
