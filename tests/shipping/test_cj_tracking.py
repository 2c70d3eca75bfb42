"""Scans of CJ, one number and the whole contract, against the twin over a socket (shipping.md 1.3, 4.1, 8.7)."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from shipping.adapters.base import Cause, FeedEvent, RawEvent, TrackOutcome, TrackResult
from shipping.adapters.cj_tracking import PAGE_SIZE, CjTracking
from shipping.normalise import Reason, Rules
from shipping.projection import project
from shipping.states import TrackingStage
from tests.infra.cj import BOX, NOON, canned_wire
from tests.infra.preset_rules import PRESETS

CJ, NUMBER = "kr.cjlogistics", "680000000011"
SATURDAY = date(2026, 11, 21)
MISSED = {"at": "2026-11-21T19:20:04+09:00", "name": "미배송", "place": "서울중구"}
DELIVERED = {"at": "2026-11-21T15:31:07+09:00", "name": "배송완료", "place": "서울중구"}


def lives(cj, *timeline, number=NUMBER):
    """A parcel of our contract with these scans, of which CJ was told before."""
    box = replace(BOX, key=f"S20261120-{number[-6:]}-1")
    assert cj.issuer.register(box=box, number=number).outcome == "OK"
    cj.tracker.control("parcels", carrier=CJ, number=number, timeline=list(timeline))
    cj.advance(days=1, hours=9)
    return box


def ask(cj, number=NUMBER):
    return cj.tracking.track(carrier="cj", number=number)


# ---- one number ----


def test_the_single_sample_of_8_7_arrives_with_its_time(cj):
    lives(cj, DELIVERED)
    at = datetime(2026, 11, 21, 6, 31, 7, tzinfo=UTC)
    event = RawEvent(code="91", name="배송완료", place="서울중구", at=at)
    assert ask(cj) == TrackResult(outcome=TrackOutcome.FOUND, events=(event,))


def test_a_number_without_scans_is_found_and_means_not_picked_up(cj):
    lives(cj)
    assert ask(cj) == TrackResult(outcome=TrackOutcome.FOUND)
    assert ask(cj, "680000000070") == TrackResult(outcome=TrackOutcome.FOUND)


@pytest.mark.parametrize(
    ("carrier", "number", "outcome"),
    [
        ("", NUMBER, TrackOutcome.UNKNOWN_CARRIER),
        ("cj", "", TrackOutcome.BAD_NUMBER),
        ("cj", "6800-0000-0011", TrackOutcome.BAD_NUMBER),
        ("cj", "직접수령", TrackOutcome.BAD_NUMBER),
        ("cj", "\ud800", TrackOutcome.BAD_NUMBER),
    ],
)
def test_what_cannot_be_asked_is_answered_without_a_call(cj, carrier, number, outcome):
    assert cj.tracking.track(carrier=carrier, number=number).outcome == outcome
    assert cj.tracker.read("counters")["requests"] == 0


WORDS = Rules(PRESETS, source="somewhere", courier="CJGLS")
"""The words alone: no rule for codes knows this source."""


@pytest.mark.parametrize(
    ("scan", "stage", "reason"),
    [
        ({"name": "미배송"}, TrackingStage.ATTEMPT_FAILED, Reason.ABSENT),
        ({"name": "수취거부"}, TrackingStage.ATTEMPT_FAILED, Reason.REFUSED),
        ({"name": "미배송", "cj_reason": "01"}, TrackingStage.ATTEMPT_FAILED, Reason.ADDRESS),
        ({"name": "미집화"}, TrackingStage.PICKUP_FAILED, Reason.NONE),
        ({"name": "분실"}, TrackingStage.EXCEPTION, Reason.LOST),
        ({"name": "반송완료"}, TrackingStage.RETURNED, Reason.NONE),
        ({"name": "배송완료"}, TrackingStage.DELIVERED, Reason.NONE),
        ({"name": "집화처리"}, TrackingStage.PICKED_UP, Reason.NONE),
    ],
)
def test_the_words_of_cj_are_understood_without_its_codes(cj, scan, stage, reason):
    lives(cj, {"at": "2026-11-21T19:20:04+09:00", **scan})
    (told,) = cj.feed.pull(day=SATURDAY).events
    now = project([told.event], previous=None, numbered_at=None, at=cj.now(), rules=WORDS)
    assert (now.stage, now.reason) == (stage, reason)


# ---- reasons ----


@pytest.mark.parametrize(
    ("status", "reason", "text"),
    [
        ("12", "02", "업체 미출고"),
        ("84", "02", "고객 부재"),
        ("12", "09", "집배구역 불일치"),
        ("84", "09", "수취 거부"),
        ("12", "11", "집화 예정"),
        ("84", "11", "천재지변"),
        ("12", "33", "시간부족"),
        ("84", "33", "도서/외곽지역"),
        ("12", "01", "재고 부족"),
        ("84", "01", "고객정보 오류"),
        ("84", "77", "사유 코드 77"),
        ("12", "55", "사유 코드 55"),
        ("41", "02", ""),
    ],
)
def test_the_same_reason_code_means_one_thing_of_a_pickup_and_another_of_a_delivery(cj, status, reason, text):
    lives(cj, {"at": "2026-11-21T19:20:04+09:00", "name": "x", "cj": status, "cj_reason": reason})
    (told,) = cj.feed.pull(day=SATURDAY).events
    assert (told.event.code, told.event.text) == (status, text)


def test_what_the_driver_wrote_stands_beside_the_reason(cj):
    lives(cj, {"at": "2026-11-21T19:20:04+09:00", "name": "파손"})
    (told,) = cj.feed.pull(day=SATURDAY).events
    assert told.event.text == "상품 사고(파손/분실) (파손)"


# ---- the feed ----


def test_the_bulk_sample_of_8_7_arrives_with_our_key_and_its_receipt(cj):
    box = lives(cj, MISSED)
    page = cj.feed.pull(day=SATURDAY)
    at = datetime(2026, 11, 21, 10, 20, 4, tzinfo=UTC)
    event = RawEvent(code="84", name="미배송", text="고객 부재", place="서울중구", at=at)
    told = FeedEvent(number=NUMBER, key=box.key, event=event, receipt=f"{NUMBER}|84")
    assert (page.outcome, page.events, page.skipped) == (TrackOutcome.FOUND, (told,), 0)


def test_scans_are_told_again_until_they_are_acknowledged(cj):
    lives(cj, DELIVERED, MISSED)
    first, again = cj.feed.pull(day=SATURDAY), cj.feed.pull(day=SATURDAY)
    assert first == again
    assert [event.receipt for event in first.events] == [f"{NUMBER}|91", f"{NUMBER}|84"]
    assert cj.feed.acknowledge(events=first.events[:1]) == TrackOutcome.FOUND
    assert [event.receipt for event in cj.feed.pull(day=SATURDAY).events] == [f"{NUMBER}|84"]
    assert cj.feed.acknowledge(events=first.events) == TrackOutcome.FOUND
    assert cj.feed.pull(day=SATURDAY).events == ()
    assert cj.feed.acknowledge(events=()) == TrackOutcome.FOUND


def test_a_lost_acknowledgement_only_means_that_scans_are_told_again(cj):
    lives(cj, MISSED)
    page = cj.feed.pull(day=SATURDAY)
    cj.fault("hang", "RcvMssGdsTrcCnfrm", times=1)
    assert cj.feed.acknowledge(events=page.events) == TrackOutcome.UNAVAILABLE
    assert cj.feed.pull(day=SATURDAY) == page
    cj.fault("hang", "RcvMssGdsTrcCnfrm", times=1, after_work=True)
    assert cj.feed.acknowledge(events=page.events) == TrackOutcome.UNAVAILABLE
    assert cj.feed.pull(day=SATURDAY).events == ()
    assert cj.feed.acknowledge(events=page.events) == TrackOutcome.FOUND


def test_a_day_holds_its_own_scans_by_the_korean_calendar(cj):
    lives(
        cj,
        {"at": "2026-11-21T00:30:00+09:00", "name": "간선하차"},
        {"at": "2026-11-20T23:59:59+09:00", "name": "간선상차"},
    )
    assert [event.event.name for event in cj.feed.pull(day=SATURDAY).events] == ["간선하차"]
    assert [event.event.name for event in cj.feed.pull(day=NOON.date()).events] == ["간선상차"]


def test_six_hundred_scans_come_in_two_pages_and_each_once(cj):
    numbers = [f"68{body:09d}{body % 7}" for body in range(1, 601)]
    cj.tracker.control(
        "parcels", parcels=[{"carrier": CJ, "number": number, "timeline": [DELIVERED]} for number in numbers]
    )
    cj.advance(days=1, hours=9)
    pages, found = [], []
    while page := cj.feed.pull(day=SATURDAY).events:
        pages.append(len(page))
        found += [event.number for event in page]
        assert cj.feed.acknowledge(events=page) == TrackOutcome.FOUND
    assert pages == [PAGE_SIZE, 100]
    assert sorted(found) == sorted(numbers)


def test_more_than_a_page_is_acknowledged_in_parts(cj):
    event = FeedEvent(number=NUMBER, event=RawEvent())
    many = [replace(event, receipt=f"68{body:09d}{body % 7}|91") for body in range(1201)]
    assert cj.feed.acknowledge(events=[*many, *many]) == TrackOutcome.FOUND
    assert cj.asked("RcvMssGdsTrcCnfrm") == 3


def test_a_registered_parcel_lives_through_numbers_scans_and_the_public_tracker(cj):
    number = cj.booked()
    cj.tracker.control("config", is_demo=True)
    cj.advance(hours=30)
    single = ask(cj, number)
    fed = [event for day in (NOON.date(), SATURDAY) for event in cj.feed.pull(day=day).events]
    assert [event.code for event in single.events] == ["11", "41", "42", "82", "91"]
    assert [event.event.code for event in fed] == ["01", "11", "41", "42", "82", "91"]
    assert {(event.number, event.key) for event in fed} == {(number, BOX.key)}
    assert [event.event.at for event in fed[1:]] == [event.at for event in single.events]


def test_a_return_gets_its_number_from_cj_and_is_told_as_one(cj):
    box = replace(BOX, is_return=True)
    assert cj.issuer.register(box=box, number="").outcome == "OK"
    cj.advance(hours=1)
    (told,) = cj.feed.pull(day=NOON.date()).events
    assert (told.is_return, told.key, told.event.code) == (True, BOX.key, "01")
    assert told.number.startswith("69")


# ---- lies and junk ----


def test_entries_that_name_no_parcel_are_skipped_and_the_rest_is_kept(cj):
    lives(cj, MISSED)
    cj.fault("data_junk", "ReqMssGdsTrc")
    page = cj.feed.pull(day=SATURDAY)
    assert ([event.number for event in page.events], page.skipped) == ([NUMBER], 6)


def test_an_answer_about_another_number_is_no_answer(cj):
    lives(cj, MISSED)
    cj.fault("other_number", "ReqOneGdsTrc")
    result = ask(cj)
    assert (result.outcome, result.cause, result.events) == (TrackOutcome.UNAVAILABLE, Cause.MALFORMED, ())


def test_odd_values_leave_the_rest_of_a_scan_readable(cj):
    lives(cj, MISSED)
    cj.fault("numbers_for_text", "ReqMssGdsTrc")
    (told,) = cj.feed.pull(day=SATURDAY).events
    assert (told.event.code, told.event.name, told.event.place, told.event.text) == ("84", "7", "5", "고객 부재")
    cj.heal()
    cj.fault("times_odd", "ReqOneGdsTrc")
    (event,) = ask(cj).events
    assert (event.code, event.at) == ("84", None)
    cj.heal()
    cj.fault("dirty_text", "ReqMssGdsTrc")
    (told,) = cj.feed.pull(day=SATURDAY).events
    assert told.event.name.startswith("<script>")
    assert len(told.event.name) == 300
    assert told.event.name.isprintable()


def test_no_name_and_no_phone_of_anybody_is_kept(cj):
    lives(cj, DELIVERED)
    told = f"{ask(cj)} {cj.feed.pull(day=SATURDAY)}"
    for personal in ("김**", "본인", "010-0000", "070-0000"):
        assert personal not in told


def test_scans_that_come_newest_first_are_turned_round(cj, canned):
    scans = [("91", "15:31:07"), ("82", "09:00:00"), ("42", "09:00:00"), ("41", "")]
    for entries, codes in (
        (scans, ["41", "42", "82", "91"]),
        (scans[::-1], ["41", "42", "82", "91"]),
        (scans[1:3], ["82", "42"]),
    ):
        data = [
            {"INVC_NO": NUMBER, "CRG_ST": code, "SCAN_YMD": "2026-11-21", "SCAN_HOUR": hour} for code, hour in entries
        ]
        wire = canned_wire(canned, {"RESULT_CD": "S", "RESULT_DETAIL": "Success.", "DATA": data})
        assert [event.code for event in CjTracking(wire).track(carrier="cj", number=NUMBER).events] == codes
