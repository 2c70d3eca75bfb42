"""From events to the stage of a parcel: every rule and trap of shipping.md 3.2, 3.3 and 3.6."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipping.adapters.base import RawEvent
from shipping.normalise import Reason, Rule, Rules
from shipping.projection import Alert, project
from shipping.states import RuleKind
from shipping.states import TrackingStage as Stage
from tests.infra.preset_rules import PRESETS

KST = timezone(timedelta(hours=9))
DAY = datetime(2026, 11, 20, tzinfo=KST)
NUMBERED = DAY + timedelta(hours=14)
SEEN = DAY + timedelta(days=3)


def event(code, name="", *, day=1, clock="10:00", text="", place=""):
    """A scan `day` days after the first day at `clock` (KST); without a clock it has no time."""
    hour, minute = map(int, clock.split(":")) if clock else (0, 0)
    at = DAY + timedelta(days=day, hours=hour, minutes=minute) if clock else None
    return RawEvent(code=code, name=name, text=text, place=place, at=at)


def rules(**mapped):
    """The rules of a new shop, and texts that its staff mapped."""
    own = [Rule(kind=RuleKind.TEXT, value=text, stage=stage) for text, stage in mapped.items()]
    return Rules([*PRESETS, *own], source="tracker_delivery", courier="CJGLS")


RULES = rules()


def projected(*events, previous=None, at=SEEN, numbered_at=NUMBERED, mapped=None, **more):
    told = rules(**mapped) if mapped else RULES
    return project(events, previous=previous, numbered_at=numbered_at, at=at, rules=told, **more)


PICKED_UP = event("AT_PICKUP", "집화처리", day=0, clock="18:05", text="상품 인수", place="경기테스트")
MOVING = event("IN_TRANSIT", "간선상차", day=0, clock="22:41", text="배송지역으로 이동 중", place="옥천HUB")
ON_THE_VAN = event("OUT_FOR_DELIVERY", "배송출발", clock="09:10")
DELIVERED = event("DELIVERED", "배송완료", clock="15:31")
RETURNING = event("UNKNOWN", "반송", clock="18:00")


def test_staff_mapping_of_a_raw_text_comes_first():
    mapped = {"경비실 위탁": Stage.DELIVERED, "배송출발": Stage.IN_TRANSIT}
    assert rules(**mapped).stage_of(RawEvent(code="UNKNOWN", name="경비실  위탁")) == Stage.DELIVERED
    assert rules(**mapped).stage_of(RawEvent(code="OUT_FOR_DELIVERY", name="배송출발")) == Stage.IN_TRANSIT
    result = projected(PICKED_UP, event("UNKNOWN", "경비실 위탁"), previous=Stage.PICKED_UP, mapped=mapped)
    assert (result.stage, result.delivered_at) == (Stage.DELIVERED, DAY + timedelta(days=1, hours=10))


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("미배송", "고객 부재로 미배송", Reason.ABSENT),
        ("수취거부", "", Reason.REFUSED),
        ("미배달", "주소불명", Reason.ADDRESS),
        ("미배달", "", Reason.NONE),
        ("분실", "", Reason.LOST),
        ("상품 파손", "", Reason.DAMAGED),
        ("오배송", "", Reason.MISDELIVERED),
    ],
)
def test_a_failure_carries_its_reason(name, text, reason):
    assert projected(PICKED_UP, event("UNKNOWN", name, text=text)).reason == reason


# ---- from events to one stage (3.3) ----


def test_no_events_mean_not_picked_up():
    result = projected()
    assert (result.stage, result.events, result.alerts) == (Stage.NO_INFO, (), frozenset())
    assert (result.first_scan_at, result.last_event_at, result.delivered_at) == (None, None, None)


def test_payload_8_1_stands_in_transit_with_its_first_scan_and_last_text():
    result = projected(PICKED_UP, MOVING)
    assert result.stage == Stage.IN_TRANSIT
    assert result.first_scan_at == DAY + timedelta(hours=18, minutes=5)
    assert result.last_event_at == DAY + timedelta(hours=22, minutes=41)
    assert (result.last_text, result.last_place) == ("간선상차", "옥천HUB")


def test_data_only_is_no_physical_scan():
    result = projected(event("INFORMATION_RECEIVED", "운송장 등록", day=0, clock="15:00"), event("UNKNOWN", "미집화"))
    assert (result.stage, result.first_scan_at) == (Stage.PICKUP_FAILED, None)


@pytest.mark.parametrize("later", [event("OUT_FOR_DELIVERY", "배송출발", clock="10:02"), MOVING])
def test_payload_8_2_a_delivery_before_the_van_left_is_a_delivery(later):
    delivered = event("DELIVERED", "배송완료", clock="09:57")
    result = projected(PICKED_UP, delivered, later)
    assert (result.stage, result.delivered_at) == (Stage.DELIVERED, DAY + timedelta(days=1, hours=9, minutes=57))
    assert result.alerts == frozenset()


@pytest.mark.parametrize(
    ("later", "stage"),
    [
        (event("UNKNOWN", "미배송", clock="19:00"), Stage.ATTEMPT_FAILED),
        (event("UNKNOWN", "반송", clock="19:00"), Stage.RETURNING),
        (event("UNKNOWN", "오배송", clock="19:00"), Stage.EXCEPTION),
        (event("UNKNOWN", "분실", clock="19:00"), Stage.EXCEPTION),
        (event("AT_PICKUP", "집화처리", clock="19:00"), Stage.PICKED_UP),
    ],
)
def test_what_comes_after_a_delivery_and_speaks_against_it_takes_it_back(later, stage):
    result = projected(PICKED_UP, DELIVERED, later)
    assert (result.stage, result.delivered_at) == (stage, None)


def test_payload_8_3_a_failed_attempt_and_the_delivery_of_the_next_day():
    failed = event("UNKNOWN", "미배송", clock="19:20", text="고객 부재로 미배송")
    first = projected(PICKED_UP, ON_THE_VAN, failed, previous=Stage.OUT_FOR_DELIVERY)
    assert (first.stage, first.reason, first.attempts) == (Stage.ATTEMPT_FAILED, Reason.ABSENT, 1)
    again = event("OUT_FOR_DELIVERY", "배송출발", day=2, clock="09:00")
    second = projected(PICKED_UP, ON_THE_VAN, failed, again, previous=first.stage)
    assert (second.stage, second.reason, second.attempts) == (Stage.OUT_FOR_DELIVERY, Reason.NONE, 1)
    done = event("DELIVERED", "배송완료", day=2, clock="11:00")
    third = projected(PICKED_UP, ON_THE_VAN, failed, again, done, previous=second.stage)
    assert (third.stage, third.delivered_at) == (Stage.DELIVERED, DAY + timedelta(days=2, hours=11))


def test_a_second_delivery_scan_does_not_move_the_date():
    registered = event("UNKNOWN", "인수자등록", clock="16:00")
    assert projected(PICKED_UP, DELIVERED, registered).delivered_at == DAY + timedelta(days=1, hours=15, minutes=31)


def test_a_return_outweighs_the_scans_of_its_way_home():
    home = event("IN_TRANSIT", "간선하차", day=2)
    assert projected(PICKED_UP, RETURNING, home, previous=Stage.IN_TRANSIT).stage == Stage.RETURNING
    done = event("UNKNOWN", "반송완료", day=2, clock="18:00")
    assert projected(PICKED_UP, RETURNING, home, done, previous=Stage.RETURNING).stage == Stage.RETURNED


def test_a_delivery_after_a_return_is_flagged_because_it_may_be_to_the_sender():
    result = projected(PICKED_UP, RETURNING, event("DELIVERED", "배송완료", day=2), previous=Stage.RETURNING)
    assert (result.stage, result.alerts) == (Stage.DELIVERED, frozenset({Alert.DELIVERED_AFTER_RETURN}))


def test_an_unknown_newest_event_keeps_the_stage():
    odd = [event("UNKNOWN", "경비실 위탁", clock=clock) for clock in ("16:00", "17:00")]
    result = projected(PICKED_UP, ON_THE_VAN, *odd, previous=Stage.OUT_FOR_DELIVERY)
    assert (result.stage, result.alerts) == (Stage.OUT_FOR_DELIVERY, frozenset())
    assert [item.stage for item in result.events] == [Stage.PICKED_UP, Stage.OUT_FOR_DELIVERY, *[Stage.UNKNOWN] * 2]
    assert projected(*odd).stage == Stage.UNKNOWN
    assert projected(*odd, previous=Stage.NO_INFO).stage == Stage.NO_INFO


def test_events_are_ordered_by_time_and_ties_by_their_place():
    shuffled = projected(DELIVERED, MOVING, ON_THE_VAN, PICKED_UP)
    assert [item.raw for item in shuffled.events] == [PICKED_UP, MOVING, ON_THE_VAN, DELIVERED]
    tie = [event("IN_TRANSIT", name, clock="12:00") for name in ("간선하차", "터미널입고", "간선상차")]
    assert [item.raw.name for item in projected(*tie).events] == ["간선하차", "터미널입고", "간선상차"]


def test_a_missing_time_inherits_the_one_before_it_and_is_marked():
    untimed = event("IN_TRANSIT", "터미널입고", clock="")
    result = projected(PICKED_UP, untimed, ON_THE_VAN)
    assert [item.raw for item in result.events] == [PICKED_UP, untimed, ON_THE_VAN]
    assert (result.events[1].at, result.events[1].is_time_estimated) == (PICKED_UP.at, True)
    first = projected(untimed, PICKED_UP)
    assert (first.events[0].raw, first.events[0].at) == (untimed, PICKED_UP.at)
    nowhere = projected(untimed)
    assert (nowhere.stage, nowhere.events[0].at) == (Stage.IN_TRANSIT, None)


def test_a_list_without_any_time_happened_before_it_was_seen():
    """A box that somebody has touched was picked up, and stands still from then on, whatever its courier leaves out."""
    registered, hub = event("INFORMATION_RECEIVED", "접수", clock=""), event("IN_TRANSIT", "터미널입고", clock="")
    result = projected(registered, hub)
    assert (result.first_scan_at, result.last_event_at) == (SEEN, SEEN)
    assert (projected(registered).first_scan_at, projected(registered).last_event_at) == (None, SEEN)
    assert projected(hub, refused_at=DAY, previous=Stage.DELIVERED).delivered_at is None
    untimed = event("DELIVERED", "배송완료", clock="")
    assert projected(hub, untimed).delivered_at == SEEN
    assert projected(hub, untimed, refused_at=DAY).delivered_at is None


def test_repeated_events_count_once():
    assert len(projected(PICKED_UP, MOVING, PICKED_UP, MOVING).events) == 2


def test_events_of_a_former_parcel_are_dropped():
    old = event("DELIVERED", "배송완료", day=-40)
    result = projected(old, PICKED_UP)
    assert (result.stage, [item.raw for item in result.events]) == (Stage.PICKED_UP, [PICKED_UP])
    assert Alert.NUMBER_REUSED not in result.alerts


def test_only_events_of_a_former_parcel_open_an_alert_and_show_nothing():
    result = projected(event("AT_PICKUP", day=-41), event("DELIVERED", "배송완료", day=-40))
    assert (result.stage, result.events, result.delivered_at) == (Stage.NO_INFO, (), None)
    assert result.alerts == frozenset({Alert.NUMBER_REUSED})
    assert result.last_text == ""


def test_the_margin_of_a_reused_number_is_24_hours_to_the_second():
    edge = RawEvent(code="AT_PICKUP", name="집하", at=NUMBERED - timedelta(hours=24))
    before = RawEvent(code="AT_PICKUP", name="집하", at=NUMBERED - timedelta(hours=24, seconds=1))
    assert len(projected(edge).events) == 1
    assert projected(before).events == ()
    assert len(projected(before, numbered_at=None).events) == 1


# ---- no way back (3.3.5, 3.3.6) ----


def test_a_list_that_lost_its_end_does_not_move_the_parcel_back():
    shorter = projected(PICKED_UP, MOVING, previous=Stage.OUT_FOR_DELIVERY)
    assert (shorter.stage, shorter.alerts) == (Stage.OUT_FOR_DELIVERY, frozenset({Alert.REGRESSED}))
    gone = projected(previous=Stage.OUT_FOR_DELIVERY)
    assert (gone.stage, gone.alerts) == (Stage.OUT_FOR_DELIVERY, frozenset({Alert.REGRESSED}))


HUB_AGAIN = event("IN_TRANSIT", "터미널입고", clock="21:00")
FAILED = event("UNKNOWN", "미배송", clock="08:00")


@pytest.mark.parametrize(
    ("previous", "events", "stage"),
    [
        (Stage.OUT_FOR_DELIVERY, [ON_THE_VAN, HUB_AGAIN], Stage.IN_TRANSIT),
        (Stage.ATTEMPT_FAILED, [FAILED, ON_THE_VAN], Stage.OUT_FOR_DELIVERY),
        (Stage.ATTEMPT_FAILED, [FAILED, HUB_AGAIN], Stage.IN_TRANSIT),
        (Stage.OUT_FOR_DELIVERY, [ON_THE_VAN, RETURNING], Stage.RETURNING),
        (Stage.AVAILABLE_FOR_PICKUP, [RETURNING], Stage.RETURNING),
        (Stage.EXCEPTION, [ON_THE_VAN], Stage.OUT_FOR_DELIVERY),
        (Stage.EXCEPTION, [PICKED_UP], Stage.PICKED_UP),
        (Stage.IN_TRANSIT, [PICKED_UP], Stage.IN_TRANSIT),
        (Stage.ATTEMPT_FAILED, [HUB_AGAIN], Stage.ATTEMPT_FAILED),
        (Stage.AVAILABLE_FOR_PICKUP, [ON_THE_VAN], Stage.AVAILABLE_FOR_PICKUP),
        (Stage.RETURNING, [ON_THE_VAN], Stage.RETURNING),
        (Stage.RETURNED, [ON_THE_VAN, HUB_AGAIN], Stage.RETURNED),
    ],
)
def test_a_parcel_goes_back_only_where_real_parcels_do(previous, events, stage):
    result = projected(*events, previous=previous)
    assert result.stage == stage
    assert (Alert.REGRESSED in result.alerts) == (stage == previous)


def test_a_first_scan_after_a_failed_pickup_or_a_cancelled_booking_counts():
    for previous in (Stage.PICKUP_FAILED, Stage.CANCELLED, Stage.REGISTERED, Stage.NO_INFO, Stage.UNKNOWN):
        assert projected(PICKED_UP, previous=previous).stage == Stage.PICKED_UP


@pytest.mark.parametrize(
    "events",
    [
        (),
        (PICKED_UP, ON_THE_VAN),
        (PICKED_UP, DELIVERED, RETURNING),
        (PICKED_UP, DELIVERED, event("UNKNOWN", "미배달", clock="18:00")),
        (PICKED_UP, DELIVERED, event("UNKNOWN", "오배송", clock="18:00")),
        (PICKED_UP, DELIVERED, event("UNKNOWN", "파손", clock="18:00")),
    ],
)
def test_a_recorded_delivery_stays_and_the_doubt_is_reported(events):
    result = projected(*events, previous=Stage.DELIVERED)
    assert result.stage == Stage.DELIVERED
    assert Alert.DELIVERY_DISPUTED in result.alerts


def test_the_same_delivery_seen_again_raises_nothing():
    first = projected(PICKED_UP, DELIVERED, previous=Stage.OUT_FOR_DELIVERY)
    again = projected(PICKED_UP, DELIVERED, previous=Stage.DELIVERED, at=SEEN + timedelta(hours=1))
    assert (again.stage, again.delivered_at, again.alerts) == (Stage.DELIVERED, first.delivered_at, frozenset())
    assert again.fingerprint == first.fingerprint


def test_the_fingerprint_changes_with_a_new_event_a_new_text_and_a_new_mapping():
    odd = event("UNKNOWN", "경비실 위탁")
    prints = {
        projected(PICKED_UP).fingerprint,
        projected(PICKED_UP, odd).fingerprint,
        projected(PICKED_UP, event("UNKNOWN", "경비실 위탁", place="서울")).fingerprint,
        projected(PICKED_UP, odd, mapped={"경비실 위탁": Stage.DELIVERED}).fingerprint,
    }
    assert len(prints) == 4


# ---- the date of a delivery (3.6) ----


def test_the_delivery_is_not_later_than_the_moment_we_first_saw_it():
    seen = DAY + timedelta(days=1, hours=12)
    assert projected(PICKED_UP, DELIVERED, at=seen).delivered_at == seen


def test_the_delivery_is_not_earlier_than_a_day_before_shipping():
    shipped = DAY + timedelta(days=4)
    result = projected(DELIVERED, at=DAY + timedelta(days=5), shipped_at=shipped)
    assert result.delivered_at == shipped - timedelta(hours=24)
    untouched = projected(DELIVERED, at=SEEN, shipped_at=DAY + timedelta(days=2))
    assert untouched.delivered_at == DELIVERED.at


def date_only(code, name, *, day):
    return RawEvent(
        code=code, name=name, at=DAY + timedelta(days=day, hours=23, minutes=59, seconds=59), is_date_only=True
    )


def test_a_date_without_a_time_keeps_the_date_and_its_place_in_the_list():
    failed = date_only("ATTEMPT_FAIL", "미배달", day=1)
    result = projected(PICKED_UP, failed, event("DELIVERED", "배달완료", clock="18:00"))
    assert (result.stage, result.delivered_at) == (Stage.DELIVERED, DAY + timedelta(days=1, hours=18))


def test_a_delivery_without_a_time_counts_to_the_end_of_its_day_or_to_when_we_saw_it():
    done = date_only("DELIVERED", "배달완료", day=1)
    later = projected(PICKED_UP, done)
    assert later.delivered_at == DAY + timedelta(days=1, hours=23, minutes=59, seconds=59)
    assert [item.is_time_estimated for item in later.events] == [False, True]
    same_day = DAY + timedelta(days=1, hours=17)
    assert projected(PICKED_UP, done, at=same_day).delivered_at == same_day


def test_of_deliveries_only_one_after_that_which_staff_took_back_counts():
    done, seen = date_only("DELIVERED", "배달완료", day=1), DAY + timedelta(days=1, hours=14)
    first = projected(MOVING, done, at=seen, previous=Stage.DELIVERED)
    again = projected(MOVING, done, at=seen + timedelta(hours=4), previous=first.stage, refused_at=first.delivered_at)
    assert (again.stage, again.delivered_at) == (Stage.DELIVERED, None)
    later = [event("OUT_FOR_DELIVERY", "배송출발", day=2), event("DELIVERED", "배송완료", day=2, clock="15:31")]
    once_more = projected(MOVING, done, *later, previous=first.stage, refused_at=first.delivered_at)
    assert once_more.delivered_at == DAY + timedelta(days=2, hours=15, minutes=31)


def test_a_scan_half_past_midnight_keeps_its_korean_day():
    at = datetime(2026, 11, 20, 15, 30, tzinfo=UTC)  # 00:30 on the 21st in Seoul
    result = projected(RawEvent(code="DELIVERED", name="배송완료", at=at))
    assert result.delivered_at.astimezone(KST).date() == DAY.date() + timedelta(days=1)


def test_times_in_the_future_are_cut_at_the_moment_of_the_poll():
    ahead = event("IN_TRANSIT", "간선상차", day=30)
    result = projected(ahead)
    assert (result.first_scan_at, result.last_event_at) == (SEEN, SEEN)


# ---- properties ----

NAMES = [
    "",
    "집화처리",
    "간선상차",
    "배송출발",
    "미배송",
    "배송완료",
    "반송",
    "반송완료",
    "분실",
    "접수취소",
    "이상한 말",
]
CODES = ["", "UNKNOWN", "AT_PICKUP", "IN_TRANSIT", "OUT_FOR_DELIVERY", "DELIVERED", "ATTEMPT_FAIL", "EXCEPTION", "NEW"]
raw_events = st.builds(
    RawEvent,
    code=st.sampled_from(CODES),
    name=st.sampled_from(NAMES),
    text=st.text(max_size=5),
    at=st.none() | st.datetimes(datetime(2026, 11, 18), datetime(2026, 12, 1), timezones=st.just(KST)),
    is_date_only=st.booleans(),
)


@given(st.lists(raw_events, max_size=12), st.none() | st.sampled_from(list(Stage)))
def test_any_events_give_one_answer_and_the_same_one_again(events, previous):
    first = projected(*events, previous=previous)
    assert first == projected(*events, previous=previous)
    again = projected(*events, previous=first.stage)
    assert (again.stage, again.fingerprint) == (first.stage, first.fingerprint)
    assert first.delivered_at is None or (first.stage == Stage.DELIVERED and first.delivered_at <= SEEN)
    assert {item.raw for item in first.events} <= set(events)
    assert len({item.raw for item in first.events}) == len(first.events)
    assert previous not in {Stage.DELIVERED, Stage.RETURNED} or first.stage == previous
