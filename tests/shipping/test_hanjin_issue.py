"""한진: signature, numbers in batches, and bookings against the twin (shipping.md 1.5, 5.3, 9)."""

import hashlib
import hmac
from datetime import UTC, datetime, timedelta

import pytest

from core.http import Client
from shipping.adapters.base import TrackOutcome
from shipping.adapters.hanjin_issue import HanjinIssuer
from shipping.adapters.hanjin_tracking import HanjinTracking
from shipping.adapters.hanjin_wire import HanjinHost, signature
from shipping.adapters.issuing import FeePayer, IssueOutcome
from tests.shipping.issuing_samples import HANJIN_CONTRACT, HANJIN_KEYS, START, a_box, client_of

NUMBER = "400000000013"
BOX = a_box()


@pytest.fixture
def host(tracker, clock):
    client = client_of(tracker, "hanjin")
    yield HanjinHost(client, now=clock.now, **HANJIN_KEYS)
    client.close()


@pytest.fixture
def issuer(host):
    return HanjinIssuer(host, host, contract_no=HANJIN_CONTRACT)


def calls(tracker, operation):
    return sum(entry["operation"] == operation for entry in tracker.read("log"))


def one_number(issuer, box=BOX):
    (issued,) = issuer.allocate(boxes=[box])
    assert issued.outcome == IssueOutcome.OK
    return issued.number


def ask(source, number=NUMBER):
    return source.track(carrier="hanjin", number=number)


# ---- signature ----


def test_the_signature_is_that_of_the_published_example():
    # The example of 한진's guide as public implementations quote it; the digest was made anew with hmac.
    secret = "RAXGVUWSBvmnARzoYsylxcBLvdVm1GUzWRslNYKGKdadStnCnAJFGPUbyvHNcVmD"
    signed = signature(secret=secret, timestamp="20231009152839", method="GET", query="cntractNo=9771759")
    assert signed == "576f6c59d7f60872c94c05b2e2d69ab056ff1e1ff9fee110a6ebadf3d96664bf"


def test_the_header_names_client_korean_time_and_signature(canned):
    now = datetime(2023, 10, 9, 6, 28, 39, tzinfo=UTC)
    host = HanjinHost(
        Client(canned.base_url, allow_loopback=True), client_id="C", api_key="k", secret_key="s", now=lambda: now
    )
    headers = host._headers()
    expected = hmac.new(b"s", b"20231009152839POSTs", hashlib.sha256).hexdigest()
    assert headers == {
        "Authorization": f"client_id=C timestamp=20231009152839 signature={expected}",
        "x-api-key": "k",
    }


@pytest.mark.parametrize("wrong", [{"api_key": "other"}, {"secret_key": "other"}])
def test_a_wrong_key_is_an_account_problem_everywhere(tracker, clock, wrong):
    host = HanjinHost(client_of(tracker, "hanjin"), now=clock.now, **{**HANJIN_KEYS, **wrong})
    issuer = HanjinIssuer(host, host, contract_no=HANJIN_CONTRACT)
    assert issuer.allocate(boxes=[BOX])[0].outcome == IssueOutcome.AUTH
    assert issuer.register(box=BOX, number=NUMBER).outcome == IssueOutcome.AUTH
    assert ask(HanjinTracking(host)).outcome == TrackOutcome.AUTH


def test_a_clock_that_is_wrong_is_refused(tracker, clock):
    host = HanjinHost(client_of(tracker, "hanjin"), now=lambda: START + timedelta(minutes=6), **HANJIN_KEYS)
    assert ask(HanjinTracking(host)).outcome == TrackOutcome.AUTH


@pytest.mark.parametrize("name", ["client_id", "api_key", "secret_key"])
def test_keys_that_cannot_be_sent_are_refused_at_the_start(canned, name):
    with pytest.raises(ValueError, match="한진"):
        HanjinHost(Client(canned.base_url, allow_loopback=True), now=lambda: START, **{**HANJIN_KEYS, name: "a\nb"})


# ---- numbers ----


def test_one_box_gets_a_number_of_the_right_form_and_its_routing(tracker, issuer):
    (issued,) = issuer.allocate(boxes=[BOX])
    assert issued.outcome == IssueOutcome.OK
    assert len(issued.number) == 12
    assert int(issued.number[:11]) % 7 == int(issued.number[11])
    routing = issued.routing
    assert (routing.sort_code, routing.sub_code, routing.branch, routing.driver) == (
        "150",
        "A1",
        "해운(집)",
        "888 권테스트",
    )
    assert routing.nickname == "서울 중구 세종대로 1 101동 202호"
    assert routing.more["hub_cod"] == "NX"
    assert (calls(tracker, "print-wbl"), calls(tracker, "print-wbls")) == (1, 0)


def test_a_hundred_boxes_come_in_one_call_each_with_its_own_number_and_one_refusal(tracker, issuer):
    boxes = [a_box(f"S-{index:03d}") for index in range(100)]
    boxes[41] = a_box("S-041", recipient_address1="서울 없는주소 1")
    issued = issuer.allocate(boxes=boxes)
    assert (calls(tracker, "print-wbl"), calls(tracker, "print-wbls")) == (0, 1)
    assert [one.outcome for one in issued] == [
        IssueOutcome.REJECTED if index == 41 else IssueOutcome.OK for index in range(100)
    ]
    assert len({one.number for one in issued if one.number}) == 99
    assert issued[41].number == ""
    assert issued[41].message == "유효하지 않은 주소입니다."


def test_numbers_go_to_their_boxes_whatever_the_order_of_the_answer(tracker, issuer):
    boxes = [a_box(f"S-{index}", recipient_address1=f"서울 중구 {index}로 1") for index in range(5)]
    tracker.control("faults", kind="batch_reversed", operation="print-wbls")
    issued = issuer.allocate(boxes=boxes)
    assert [one.routing.nickname for one in issued] == [f"서울 중구 {index}로 1 101동 202호" for index in range(5)]


def test_a_box_that_the_answer_forgets_is_unknown_and_the_others_have_theirs(tracker, issuer):
    tracker.control("faults", kind="batch_without_last", operation="print-wbls")
    issued = issuer.allocate(boxes=[a_box(f"S-{index}") for index in range(3)])
    assert [one.outcome for one in issued] == [IssueOutcome.OK, IssueOutcome.OK, IssueOutcome.UNKNOWN]


def test_a_number_given_to_two_boxes_is_given_to_neither(tracker, issuer):
    tracker.control("faults", kind="same_number", operation="print-wbls")
    issued = issuer.allocate(boxes=[a_box(f"S-{index}") for index in range(3)])
    assert [(one.outcome, one.number) for one in issued] == [(IssueOutcome.UNKNOWN, "")] * 3


def test_boxes_that_cannot_be_sent_do_not_hold_up_the_others(tracker, issuer):
    boxes = [a_box("S-1", recipient_zip_code=""), a_box("S-2"), a_box("S" * 31), a_box("S-4", is_return=True)]
    issued = issuer.allocate(boxes=boxes)
    assert [one.outcome for one in issued] == [
        IssueOutcome.REJECTED,
        IssueOutcome.OK,
        IssueOutcome.REJECTED,
        IssueOutcome.REJECTED,
    ]
    assert "우편번호" in issued[0].message
    assert list(issuer.allocate(boxes=[])) == []
    assert calls(tracker, "print-wbl") == 1


def test_the_daily_limit_leaves_what_was_given(tracker, issuer):
    tracker.control("service", name="hanjin", daily_limit=2)
    issued = issuer.allocate(boxes=[a_box(f"S-{index}") for index in range(3)])
    assert [one.outcome for one in issued] == [IssueOutcome.OK, IssueOutcome.OK, IssueOutcome.LIMITED]
    assert "한도" in issued[2].message
    assert issuer.allocate(boxes=[BOX])[0].outcome == IssueOutcome.LIMITED


@pytest.mark.parametrize(("is_in_time", "outcome"), [(True, IssueOutcome.OK), (False, IssueOutcome.UNKNOWN)])
def test_a_slow_print_is_waited_for(tracker, host, issuer, monkeypatch, is_in_time, outcome):
    # The real wait is half a minute; the order is the same with a fiftieth of it.
    monkeypatch.setattr("shipping.adapters.hanjin_issue.PRINT_TIMEOUT", (1, 0.6))
    tracker.control("faults", kind="delay", operation="print-wbls", seconds=0.3 if is_in_time else 2)
    issued = issuer.allocate(boxes=[a_box("S-1"), a_box("S-2")])
    assert {one.outcome for one in issued} == {outcome}


def test_more_than_a_hundred_or_a_key_twice_is_an_error_of_the_caller(issuer):
    with pytest.raises(ValueError, match="100"):
        issuer.allocate(boxes=[a_box(f"S-{index}") for index in range(101)])
    with pytest.raises(ValueError, match="different"):
        issuer.allocate(boxes=[BOX, BOX])


@pytest.mark.parametrize("kind", ["short_number", "no_number"])
def test_what_is_no_number_is_never_taken_for_one(tracker, issuer, kind):
    tracker.control("faults", kind=kind, operation="print-wbl")
    (issued,) = issuer.allocate(boxes=[BOX])
    assert (issued.outcome, issued.number) == (IssueOutcome.UNKNOWN, "")


FAILURES = [
    ({"kind": "http_429", "retry_after": 30}, IssueOutcome.LIMITED, 30),
    ({"kind": "http_401"}, IssueOutcome.AUTH, None),
    ({"kind": "http_403"}, IssueOutcome.AUTH, None),
    ({"kind": "http_500", "status": 502}, IssueOutcome.UNKNOWN, None),
    ({"kind": "http_500", "status": 400}, IssueOutcome.UNKNOWN, None),
    ({"kind": "refused"}, IssueOutcome.UNKNOWN, None),
    ({"kind": "html_200"}, IssueOutcome.UNKNOWN, None),
    ({"kind": "truncated"}, IssueOutcome.UNKNOWN, None),
    ({"kind": "close"}, IssueOutcome.UNKNOWN, None),
    ({"kind": "huge"}, IssueOutcome.UNKNOWN, None),
    ({"kind": "deep"}, IssueOutcome.UNKNOWN, None),
    ({"kind": "shape_list"}, IssueOutcome.UNKNOWN, None),
    ({"kind": "shape_empty"}, IssueOutcome.UNKNOWN, None),
]


@pytest.mark.parametrize(("fault", "outcome", "retry_after"), FAILURES)
def test_every_failure_of_a_batch_is_the_outcome_of_each_box(tracker, issuer, fault, outcome, retry_after):
    tracker.control("faults", operation="print-wbls", **fault)
    boxes = [a_box("S-1"), a_box("S-2", recipient_zip_code=""), a_box("S-3")]
    issued = issuer.allocate(boxes=boxes)
    assert [one.outcome for one in issued] == [outcome, IssueOutcome.REJECTED, outcome]
    assert {one.number for one in issued} == {""}
    assert issued[0].retry_after == retry_after
    assert calls(tracker, "print-wbls") == 1


@pytest.mark.parametrize("kind", ["batch_null", "batch_odd", "euc_kr"])
def test_lists_that_are_odd_are_read_as_far_as_they_go(tracker, issuer, kind):
    tracker.control("faults", kind=kind, operation="print-wbls")
    issued = issuer.allocate(boxes=[a_box("S-1"), a_box("S-2")])
    expected = IssueOutcome.UNKNOWN if kind == "batch_null" else IssueOutcome.OK
    assert {one.outcome for one in issued} == {expected}


# ---- bookings ----


def test_a_booking_is_made_once_and_repeated_without_harm(tracker, issuer):
    number = one_number(issuer)
    first, second = issuer.register(box=BOX, number=number), issuer.register(box=BOX, number=number)
    assert (first.outcome, first.number) == (IssueOutcome.OK, number)
    assert (second.outcome, second.number) == (IssueOutcome.ALREADY, number)


@pytest.mark.parametrize("kind", ["refused", "truncated", "html_200", "no_code", "close"])
def test_after_a_lost_answer_the_same_number_is_booked_again_and_is_already(tracker, issuer, kind):
    number = one_number(issuer)
    tracker.control("faults", kind=kind, operation="insert-order", after_work=True, times=1)
    assert issuer.register(box=BOX, number=number).outcome == IssueOutcome.UNKNOWN
    assert issuer.look_up(box=BOX, number=number).outcome == IssueOutcome.UNKNOWN
    assert issuer.register(box=BOX, number=number).outcome == IssueOutcome.ALREADY


@pytest.mark.parametrize(("fault", "outcome", "retry_after"), FAILURES)
def test_every_failure_of_a_booking_is_an_outcome_and_not_repeated(tracker, issuer, fault, outcome, retry_after):
    number = one_number(issuer)
    tracker.control("faults", operation="insert-order", **fault)
    issued = issuer.register(box=BOX, number=number)
    assert (issued.outcome, issued.retry_after) == (outcome, retry_after)
    assert calls(tracker, "insert-order") == 1


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ({"recipient_address1": "제주 배송불가 1"}, "수하인 주소"),
        ({"recipient_phone": ""}, "전화번호"),
        ({"recipient_name": ""}, "이름"),
        ({"fee": FeePayer.COLLECT}, "운임구분"),
    ],
)
def test_refusals_are_told_in_korean(issuer, values, word):
    number = one_number(issuer)
    issued = issuer.register(box=a_box(**values), number=number)
    assert issued.outcome == IssueOutcome.REJECTED
    assert word in issued.message


def test_a_contract_may_bring_its_own_code_for_collect(host):
    issuer = HanjinIssuer(host, host, contract_no=HANJIN_CONTRACT, pay_types={FeePayer.COLLECT: "XX"})
    assert issuer.register(box=a_box(fee=FeePayer.COLLECT), number=one_number(issuer)).outcome == IssueOutcome.OK


def test_without_a_number_nothing_is_booked(tracker, issuer):
    assert issuer.register(box=BOX, number="").outcome == IssueOutcome.REJECTED
    assert issuer.refine(recipient=BOX.recipient).outcome == IssueOutcome.REJECTED
    assert issuer.look_up(box=BOX, number="").outcome == IssueOutcome.NOT_FOUND
    assert tracker.read("counters")["requests"] == 0


def test_a_wrong_contract_number_is_an_account_problem(host):
    issuer = HanjinIssuer(host, host, contract_no="1")
    assert issuer.allocate(boxes=[BOX])[0].outcome == IssueOutcome.AUTH


def test_a_booking_is_seen_once_it_is_scanned(issuer, clock):
    number = one_number(issuer)
    issuer.register(box=BOX, number=number)
    unknown = issuer.look_up(box=BOX, number=number)
    assert unknown.outcome == IssueOutcome.UNKNOWN
    assert "같은 번호로 다시 접수" in unknown.message
    clock.set(START + timedelta(hours=5))
    assert issuer.look_up(box=BOX, number=number).outcome == IssueOutcome.OK


def test_a_booking_is_canceled_before_the_scan_and_not_after(issuer, clock):
    number, other = one_number(issuer), one_number(issuer, a_box("S-2"))
    issuer.register(box=BOX, number=number)
    issuer.register(box=a_box("S-2"), number=other)
    assert issuer.cancel(box=BOX, number=number).outcome == IssueOutcome.OK
    clock.set(START + timedelta(hours=5))
    assert issuer.look_up(box=BOX, number=number).outcome == IssueOutcome.NOT_FOUND
    late = issuer.cancel(box=a_box("S-2"), number=other)
    assert late.outcome == IssueOutcome.REJECTED
    assert "집하" in late.message


def test_a_lost_cancelation_is_unknown(tracker, issuer):
    number = one_number(issuer)
    issuer.register(box=BOX, number=number)
    tracker.control("faults", kind="refused", operation="cancel-order", after_work=True)
    assert issuer.cancel(box=BOX, number=number).outcome == IssueOutcome.UNKNOWN
