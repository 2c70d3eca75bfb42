"""Booking at 우체국 against its twin, which decrypts what it is sent (shipping.md 1.4, 5.3)."""

from datetime import timedelta

import pytest

from core.http import Client
from shipping.adapters.epost_issue import EpostIssuer
from shipping.adapters.issuing import FeePayer, IssueOutcome
from tests.infra.processes import free_port
from tests.shipping.issuing_samples import START, a_box, client_of

CONTRACT = {
    "key": "sandbox-epost-key-000000000000",
    "security_key": "sandbox-epost-security-key",
    "cust_no": "0000000001",
    "appr_no": "0000000001",
    "office_ser": "260000001",
    "content_code": "029",
}
BOX = a_box()


@pytest.fixture
def client(tracker):
    client = client_of(tracker, "epost")
    yield client
    client.close()


@pytest.fixture
def issuer(client, clock):
    return EpostIssuer(client, now=clock.now, **CONTRACT)


def calls(tracker, operation="InsertOrder"):
    return [entry for entry in tracker.read("log") if entry["operation"] == operation]


def register(issuer, box=BOX):
    return issuer.register(box=box, number="")


# ---- the good way ----


def test_a_booking_brings_a_number_of_thirteen_digits_and_the_routing(issuer):
    issued = register(issuer)
    assert issued.outcome == IssueOutcome.OK
    assert len(issued.number) == 13
    assert issued.number.isdecimal()
    assert (issued.routing.sort_code, issued.routing.branch) == ("-560-", "서울중앙")


def test_the_booking_is_found_again_by_our_own_key(issuer):
    number = register(issuer).number
    assert issuer.look_up(box=BOX, number=number).outcome == IssueOutcome.OK
    assert issuer.look_up(box=BOX, number="").number == number
    assert issuer.look_up(box=a_box("S20261120-000123-2"), number="").outcome == IssueOutcome.NOT_FOUND


def test_korean_text_arrives_whole(tracker, issuer):
    box = a_box(goods="따뜻한 양말 & 장갑 = 세트 🧦", note="문 앞에 놓아 주세요", recipient_address2="")
    assert register(issuer, box).outcome == IssueOutcome.OK


@pytest.mark.parametrize(("fee", "weight", "size"), [(FeePayer.COLLECT, 1, "80"), (FeePayer.PREPAID, 20_000, "")])
def test_fees_weights_and_sizes_are_taken(issuer, fee, weight, size):
    assert register(issuer, a_box(fee=fee, weight_grams=weight, box_type=size)).outcome == IssueOutcome.OK


def test_numbers_come_only_with_a_booking(tracker, issuer):
    assert [issued.outcome for issued in issuer.allocate(boxes=[BOX, BOX])] == [IssueOutcome.REJECTED] * 2
    assert issuer.refine(recipient=BOX.recipient).outcome == IssueOutcome.REJECTED
    assert tracker.read("counters")["requests"] == 0


# ---- the same box twice ----


def test_a_second_registration_finds_the_first_and_books_nothing(tracker, issuer):
    first, second = register(issuer), register(issuer)
    assert (second.outcome, second.number) == (IssueOutcome.ALREADY, first.number)
    assert len(calls(tracker)) == 1


def test_after_a_lost_answer_the_booking_is_found_and_not_made_again(tracker, clock):
    client = client_of(tracker, "epost")
    issuer = EpostIssuer(client, now=clock.now, **CONTRACT)
    tracker.control("faults", kind="refused", operation="InsertOrder", after_work=True, times=1)
    lost = register(issuer)
    assert (lost.outcome, lost.number) == (IssueOutcome.UNKNOWN, "")
    found = issuer.look_up(box=BOX, number="")
    assert found.outcome == IssueOutcome.OK
    again = register(issuer)
    assert (again.outcome, again.number) == (IssueOutcome.ALREADY, found.number)
    assert len(calls(tracker)) == 1


@pytest.mark.parametrize("kind", ["hang", "truncated", "html_200", "close", "bad_gzip", "empty", "xml_blank"])
def test_whatever_is_lost_of_an_answer_nothing_is_booked_twice(tracker, clock, kind):
    client = client_of(tracker, "epost", timeout=(1, 1))
    issuer = EpostIssuer(client, now=clock.now, **CONTRACT)
    issuer_timeout = {"seconds": 0.2} if kind == "hang" else {}
    tracker.control("faults", kind=kind, operation="InsertOrder", after_work=True, times=1, **issuer_timeout)
    assert register(issuer).outcome == IssueOutcome.UNKNOWN
    assert register(issuer).outcome == IssueOutcome.ALREADY
    assert len(calls(tracker)) == 1


def test_a_booking_lost_at_midnight_is_found_the_next_morning(tracker, issuer, clock):
    clock.set(START.replace(hour=23, minute=59))
    tracker.control("faults", kind="refused", operation="InsertOrder", after_work=True, times=1)
    assert register(issuer).outcome == IssueOutcome.UNKNOWN
    clock.set(START.replace(hour=0, minute=1) + timedelta(days=1))
    assert register(issuer).outcome == IssueOutcome.ALREADY


def test_a_booking_is_looked_for_a_week_back_and_no_longer(tracker, issuer, clock):
    register(issuer)
    clock.set(START + timedelta(days=7))
    assert issuer.look_up(box=BOX, number="").outcome == IssueOutcome.OK
    clock.set(START + timedelta(days=8))
    assert issuer.look_up(box=BOX, number="").outcome == IssueOutcome.NOT_FOUND


def test_another_number_than_ours_is_a_doubt_and_never_ok(issuer):
    register(issuer)
    found = issuer.look_up(box=BOX, number="6800000009999")
    assert found.outcome == IssueOutcome.UNKNOWN
    assert "등기번호" in found.message
    assert issuer.register(box=BOX, number="6800000009999").outcome == IssueOutcome.UNKNOWN


def test_two_bookings_under_one_key_are_a_doubt_unless_one_is_ours(tracker, issuer, clock):
    # Both look first and see nothing, as two machines at the same moment do.
    tracker.control("faults", kind="no_result", operation="GetResInfo", times=2)
    first, second = register(issuer), register(issuer)
    assert first.number != second.number
    tracker.control("faults", method="DELETE")
    assert issuer.look_up(box=BOX, number="").outcome == IssueOutcome.UNKNOWN
    assert issuer.look_up(box=BOX, number=second.number).number == second.number
    assert register(issuer).outcome == IssueOutcome.UNKNOWN


# ---- refusals ----


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ({"recipient_zip_code": "4532"}, "우편번호"),
        ({"recipient_zip_code": ""}, "우편번호"),
        ({"recipient_zip_code": "０４５３２"}, "우편번호"),
        ({"recipient_name": "홍&길동"}, "받는 분 이름에 & 또는 ="),
        ({"recipient_address1": "서울 중구 A=B로 1"}, "주소에 & 또는 ="),
        ({"recipient_address2": "A&B빌딩"}, "상세주소에 & 또는 ="),
        ({"recipient_name": " "}, "이름"),
        ({"recipient_phone": "", "recipient_phone2": ""}, "전화번호"),
        ({"key": "S" * 51}, "배송번호"),
        ({"is_return": True}, "반품"),
    ],
)
def test_a_box_that_cannot_be_sent_is_refused_in_korean_and_not_booked(tracker, issuer, values, word):
    issued = register(issuer, a_box(**values))
    assert (issued.outcome, issued.number) == (IssueOutcome.REJECTED, "")
    assert word in issued.message
    assert calls(tracker) == []


def test_what_the_post_office_refuses_is_told_in_its_own_words(tracker, issuer):
    issued = register(issuer, a_box(recipient_zip_code="00000"))
    assert (issued.outcome, issued.message, issued.detail) == (IssueOutcome.REJECTED, "접수중지 지역입니다.", "ERR-303")
    assert issuer.look_up(box=BOX, number="").outcome == IssueOutcome.NOT_FOUND


@pytest.mark.parametrize(
    "wrong",
    [{"key": "another-key-0000000000000000"}, {"security_key": "another-security-key"}, {"cust_no": "0000000002"}],
)
def test_a_contract_that_is_not_welcome_is_an_account_problem(client, clock, wrong):
    issued = register(EpostIssuer(client, now=clock.now, **{**CONTRACT, **wrong}))
    assert (issued.outcome, issued.number) == (IssueOutcome.AUTH, "")


def test_test_mode_never_yields_a_number(tracker, client, clock):
    issuer = EpostIssuer(client, now=clock.now, is_test=True, **CONTRACT)
    issued = register(issuer)
    assert (issued.outcome, issued.number) == (IssueOutcome.REJECTED, "")
    assert "시험 모드" in issued.message


@pytest.mark.parametrize("kind", ["test_number", "short_number", "no_number"])
def test_what_is_no_number_is_never_taken_for_one(tracker, issuer, kind):
    tracker.control("faults", kind=kind, operation="InsertOrder")
    issued = register(issuer)
    assert issued.number == ""
    assert issued.outcome == (IssueOutcome.REJECTED if kind == "test_number" else IssueOutcome.UNKNOWN)


# ---- failures ----


@pytest.mark.parametrize(
    ("fault", "outcome", "retry_after"),
    [
        ({"kind": "http_429", "retry_after": 30}, IssueOutcome.LIMITED, 30),
        ({"kind": "http_429"}, IssueOutcome.LIMITED, None),
        ({"kind": "http_401"}, IssueOutcome.AUTH, None),
        ({"kind": "http_403"}, IssueOutcome.AUTH, None),
        ({"kind": "http_500", "status": 503}, IssueOutcome.UNKNOWN, None),
        ({"kind": "refused"}, IssueOutcome.UNKNOWN, None),
        ({"kind": "redirect"}, IssueOutcome.UNKNOWN, None),
        ({"kind": "system_error"}, IssueOutcome.UNKNOWN, None),
        ({"kind": "html_200"}, IssueOutcome.UNKNOWN, None),
        ({"kind": "huge"}, IssueOutcome.UNKNOWN, None),
        ({"kind": "xml_other"}, IssueOutcome.UNKNOWN, None),
        ({"kind": "xml_bomb"}, IssueOutcome.UNKNOWN, None),
        ({"kind": "no_key"}, IssueOutcome.AUTH, None),
    ],
)
@pytest.mark.parametrize("operation", ["InsertOrder", "GetResInfo"])
def test_every_failure_is_an_outcome_and_the_next_call_is_healthy(
    tracker, issuer, fault, outcome, retry_after, operation
):
    tracker.control("faults", operation=operation, times=2, **fault)
    issued = register(issuer)
    assert (issued.outcome, issued.number, issued.retry_after) == (outcome, "", retry_after)
    if operation == "GetResInfo":
        assert calls(tracker) == []
    tracker.control("faults", method="DELETE")
    assert register(issuer).outcome in {IssueOutcome.OK, IssueOutcome.ALREADY}


@pytest.mark.parametrize("kind", ["xml_says_euc_kr", "xml_is_euc_kr", "xml_cdata"])
def test_a_wrong_declaration_does_not_hide_the_number(tracker, issuer, kind):
    tracker.control("faults", kind=kind, operation="*")
    issued = register(issuer)
    assert issued.outcome == IssueOutcome.OK
    assert issued.routing.branch == "서울중앙"


def test_no_connection_at_all_is_unknown(clock):
    nowhere = Client(f"http://127.0.0.1:{free_port()}", allow_loopback=True, timeout=(1, 1))
    issued = register(EpostIssuer(nowhere, now=clock.now, **CONTRACT))
    assert (issued.outcome, issued.number) == (IssueOutcome.UNKNOWN, "")


# ---- cancelling ----


def test_a_booking_that_nobody_has_picked_up_is_canceled_once(tracker, issuer):
    number = register(issuer).number
    assert issuer.cancel(box=BOX, number=number).outcome == IssueOutcome.OK
    assert issuer.look_up(box=BOX, number=number).outcome == IssueOutcome.NOT_FOUND
    assert issuer.cancel(box=BOX, number=number).outcome == IssueOutcome.ALREADY
    again = register(issuer)
    assert again.outcome == IssueOutcome.OK
    assert again.number != number


def test_after_the_drivers_scan_it_is_too_late(tracker, issuer, clock):
    number = register(issuer).number
    clock.set(START + timedelta(hours=5))
    issued = issuer.cancel(box=BOX, number=number)
    assert issued.outcome == IssueOutcome.REJECTED
    assert "이미 집하된 소포입니다." in issued.message
    assert issuer.look_up(box=BOX, number=number).outcome == IssueOutcome.OK


def test_a_lost_cancelation_is_unknown_and_done_the_second_time(tracker, issuer):
    number = register(issuer).number
    tracker.control("faults", kind="refused", operation="GetResCancelCmd", after_work=True, times=1)
    assert issuer.cancel(box=BOX, number=number).outcome == IssueOutcome.UNKNOWN
    assert issuer.cancel(box=BOX, number=number).outcome == IssueOutcome.ALREADY


def test_a_cancelation_without_a_result_is_unknown(tracker, issuer):
    number = register(issuer).number
    tracker.control("faults", kind="no_result_flag", operation="GetResCancelCmd")
    assert issuer.cancel(box=BOX, number=number).outcome == IssueOutcome.UNKNOWN


def test_the_booking_of_another_number_is_not_canceled(tracker, issuer):
    number = register(issuer).number
    assert issuer.cancel(box=BOX, number="6800000009999").outcome == IssueOutcome.UNKNOWN
    assert calls(tracker, "GetResCancelCmd") == []
    assert issuer.look_up(box=BOX, number=number).outcome == IssueOutcome.OK


# ---- keys ----


@pytest.mark.parametrize(
    "wrong", [{"key": ""}, {"key": "키"}, {"security_key": "short"}, {"security_key": "한글" * 20}]
)
def test_keys_that_cannot_be_sent_are_refused_at_the_start(client, clock, wrong):
    with pytest.raises(ValueError, match="우체국"):
        EpostIssuer(client, now=clock.now, **{**CONTRACT, **wrong})


def test_a_kept_connection_that_was_closed_does_not_book_twice(tracker, issuer):
    tracker.control("faults", kind="close", operation="InsertOrder", times=1)
    assert register(issuer).outcome == IssueOutcome.UNKNOWN
    assert len(calls(tracker)) == 1
