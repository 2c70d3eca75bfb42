"""The books of the sandbox PGs outlive a kill; the control API changes nothing when it is asked for nonsense."""

import json
import threading

import pytest

from payments.adapters.base import BankAccount, Ref, RefundAsk
from payments.adapters.toss import TOSS
from tests.fixtures.http_server import reply, sending
from tests.infra.pgs import RunningPgs
from tests.payments.pg import toss_case
from tests.payments.pg.cases import AT

ORDER = "20261121-0000001-1"


def opened(pgs, pg="toss", order_ref=ORDER, **values):
    given = {"amount": 33_000, "buyer": "홍길동", "title": "면", **values}
    return pgs.control("payments", pg=pg, order_ref=order_ref, **given)


def refund(pgs, payment, *, key="refund-1", amount=10_000):
    ask = RefundAsk(
        key=key,
        ref=Ref(order_ref=ORDER, payment_ref=payment["payment_ref"]),
        amount=amount,
        balance=33_000,
        reason="환불",
        account=BankAccount(bank="20", number="110", holder="홍길동"),
        at=AT,
    )
    return TOSS.refund(pgs.client("toss"), account=toss_case.DEAL.account, ask=ask)


def test_a_kill_loses_no_money_no_key_no_notice_and_no_fault(tmp_path, serve):
    server = serve(sending(reply()))
    state = tmp_path / "books.sqlite3"
    first = RunningPgs(state, "--speed", "1")
    try:
        first.shop("toss", notice_url=f"http://127.0.0.1:{server.port}/hook")
        first.fault("hold", pg="toss", times=None)
        payment = opened(first)
        first.control("payments/deposit", pg="toss", order_ref=ORDER)
        answer = refund(first, payment)
        first.control("clock", advance=3600)
        before = (first.payment("toss", ORDER), len(first.notices()), first.read("faults"))
        now = first.read("status")["now"]
    finally:
        first.kill()
    with RunningPgs.running(state, "--speed", "1") as second:
        assert (second.payment("toss", ORDER), len(second.notices()), second.read("faults")) == before
        assert second.read("status")["now"] >= now
        assert refund(second, payment) == answer
        assert second.payment("toss", ORDER)["refunded_amount"] == 10_000
        assert len(second.read("calls", pg="toss", path="*/cancel")) == 2
        assert server.requests == []
        second.control("notices/release")
        second.wait_for(lambda: len(server.requests) == before[1])


def test_a_notice_that_was_on_its_way_when_the_process_died_comes_again(tmp_path, serve):
    release = threading.Event()

    def slow(connection, request):
        release.wait(10)
        connection.sendall(reply())

    server = serve(slow)
    state = tmp_path / "books.sqlite3"
    first = RunningPgs(state)
    try:
        first.shop("portone", notice_url=f"http://127.0.0.1:{server.port}/hook")
        opened(first, "portone")
        first.wait_for(lambda: server.requests)
    finally:
        first.kill()
    release.set()
    with RunningPgs.running(state) as second:
        second.wait_for(lambda: second.notices()[0]["state"] == "DONE")
    assert len({request.partition(b"\r\n\r\n")[2] for request in server.requests}) == 1


def test_it_stops_when_asked(tmp_path):
    pgs = RunningPgs(tmp_path / "books.sqlite3")
    opened(pgs)
    assert pgs.stop() == 0


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("payments", {"pg": "nobody", "order_ref": ORDER, "amount": 1}),
        ("payments", {"pg": "toss", "amount": 1}),
        ("payments", {"pg": "toss", "order_ref": ORDER, "amount": "much"}),
        ("payments", {"pg": "toss", "order_ref": ORDER, "amount": 1, "merchant_id": "stranger"}),
        ("payments/deposit", {"pg": "toss", "order_ref": "unknown"}),
        ("faults", {"kind": "earthquake"}),
        ("faults", {"kind": "drop", "surprise": 1}),
        ("clock", {"now": "noon"}),
        ("config", {"speed": 0}),
        ("shops", {"pg": "toss"}),
    ],
)
def test_nonsense_is_refused_and_nothing_changes(pgs, name, values):
    status, _ = pgs.request("POST", f"/control/{name}", values)
    assert status == 400
    assert (pgs.read("payments"), pgs.read("faults"), pgs.notices()) == ([], [], [])


@pytest.mark.parametrize("body", [b"[1]", b"{", b"\xff", b"[" * 100_000])
def test_control_refuses_what_is_no_object(pgs, body):
    assert pgs.request("POST", "/control/payments", body)[0] == 400
    assert pgs.request("GET", "/control/nothing")[0] == 404
    assert pgs.request("GET", "/nothing")[0] == 404


def test_the_bank_keeps_its_rules(pgs):
    opened(pgs)
    assert pgs.refusal("payments", pg="toss", order_ref=ORDER, amount=1) == "DUPLICATE_ORDER"
    assert pgs.refusal("payments/deposit", pg="toss", order_ref=ORDER, amount=32_999) == "BAD_AMOUNT"
    assert pgs.refusal("payments/reverse", pg="toss", order_ref=ORDER) == "NOTHING_TO_REVERSE"
    assert pgs.refusal("payments/refund", pg="toss", order_ref=ORDER) == "NOT_PAID"
    pgs.control("payments/deposit", pg="toss", order_ref=ORDER)
    assert pgs.refusal("payments/deposit", pg="toss", order_ref=ORDER) == "ALREADY_PAID"
    assert pgs.refusal("payments/close", pg="toss", order_ref=ORDER) == "NOT_WAITING"
    assert pgs.refusal("payments/fail-refund", pg="toss", order_ref=ORDER) == "NO_REFUND"
    assert pgs.refusal("payments/refund", pg="toss", order_ref=ORDER, amount=33_001) == "OVER_BALANCE"
    assert pgs.payment("toss", ORDER)["balance"] == 33_000


def test_a_bank_that_takes_any_sum_adds_up(pgs):
    pgs.shop("toss", options={"is_exact_amount": False})
    opened(pgs)
    pgs.control("payments/deposit", pg="toss", order_ref=ORDER, amount=32_999)
    assert pgs.payment("toss", ORDER)["state"] == "WAITING"
    pgs.control("payments/deposit", pg="toss", order_ref=ORDER, amount=1_001)
    payment = pgs.payment("toss", ORDER)
    assert (payment["state"], payment["paid_amount"]) == ("PAID", 34_000)


def test_an_account_that_holds_part_of_the_sum_outlives_its_time(pgs):
    pgs.shop("toss", options={"is_exact_amount": False})
    opened(pgs, order_ref="20261121-0000002-1")
    opened(pgs)
    pgs.control("payments/deposit", pg="toss", order_ref=ORDER, amount=1_000)
    pgs.control("clock", advance=8 * 86_400)
    assert pgs.payment("toss", ORDER)["state"] == "WAITING"
    assert pgs.payment("toss", "20261121-0000002-1")["state"] == "EXPIRED"


def test_money_can_be_forced_into_a_closed_account(pgs):
    opened(pgs)
    pgs.control("payments/close", pg="toss", order_ref=ORDER)
    pgs.control("payments/deposit", pg="toss", order_ref=ORDER, force=True)
    assert (pgs.payment("toss", ORDER)["state"], pgs.payment("toss", ORDER)["balance"]) == ("PAID", 33_000)


def test_accounts_expire_and_refunds_arrive_as_the_clock_goes(pgs):
    pgs.control("clock", now="2026-11-21T12:00:00")
    opened(pgs, due_at="2026-11-21T13:00:00")
    opened(pgs, order_ref="20261121-0000002-1")
    pgs.control("payments/deposit", pg="toss", order_ref="20261121-0000002-1")
    account = {"bank": "20", "number": "110", "holder": "홍"}
    pgs.control("payments/refund", pg="toss", order_ref="20261121-0000002-1", account=account)
    assert pgs.payment("toss", "20261121-0000002-1")["refund_state"] == "PENDING"
    pgs.control("clock", advance=3600)
    assert pgs.payment("toss", ORDER)["state"] == "EXPIRED"
    pgs.control("clock", advance=24 * 3600)
    assert pgs.payment("toss", "20261121-0000002-1")["refund_state"] == "COMPLETED"


def test_every_call_is_written_down_with_what_was_answered(pgs):
    opened(pgs)
    pgs.fault("drop", pg="toss", after_work=True)
    with pytest.raises(ConnectionError):
        pgs.request("GET", "/toss/v1/payments/x", headers={"Authorization": "Basic eDo="})
    status, _ = pgs.request("GET", "/toss/v1/payments/x", headers={"Authorization": "Basic eDo="})
    dropped, answered = pgs.read("calls", pg="toss")
    assert (dropped["status"], dropped["fault"]) == (None, "drop")
    assert (answered["status"], status, json.loads(answered["answer"])["code"]) == (401, 401, "UNAUTHORIZED_KEY")
    assert answered["headers"]["authorization"] == "Basic eDo="
