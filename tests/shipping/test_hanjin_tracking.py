"""What 한진 tells of parcels: sample 8.10, the twin, and every fault of section 9 (shipping.md 1.5)."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from core.http import Client
from shipping.adapters.base import Cause, RawEvent, TrackOutcome
from shipping.adapters.hanjin_issue import HanjinIssuer
from shipping.adapters.hanjin_tracking import HanjinTracking
from shipping.adapters.hanjin_wire import HanjinHost
from tests.shipping.courier_samples import BROKEN_LINES, BROKEN_SHAPES, SAMPLE_HANJIN
from tests.shipping.issuing_samples import HANJIN_CONTRACT, HANJIN_KEYS, START, a_box, client_of

NUMBER = "400000000013"
CARRIER = "kr.hanjin"
BOX = a_box()
TWO_EVENTS = [
    {"at": "2026-11-20T18:30:00+09:00", "hanjin": "11", "name": "집하", "place": "테스트"},
    {"at": "2026-11-21T16:12:00+09:00", "hanjin": "66", "name": "배송완료", "place": "서울"},
]
READ_EVENTS = (
    RawEvent(code="11", name="집하", place="테스트", at=datetime(2026, 11, 20, 9, 30, tzinfo=UTC)),
    RawEvent(code="66", name="배송완료", place="서울", at=datetime(2026, 11, 21, 7, 12, tzinfo=UTC)),
)


@pytest.fixture
def host(tracker, clock):
    client = client_of(tracker, "hanjin")
    yield HanjinHost(client, now=clock.now, **HANJIN_KEYS)
    client.close()


@pytest.fixture
def issuer(host):
    return HanjinIssuer(host, host, contract_no=HANJIN_CONTRACT)


@pytest.fixture
def source(host):
    return HanjinTracking(host)


@pytest.fixture
def scanned(tracker, clock):
    tracker.control("parcels", carrier=CARRIER, number=NUMBER, timeline=TWO_EVENTS)
    clock.set(START + timedelta(days=2))


def ask(source, number=NUMBER):
    return source.track(carrier="hanjin", number=number)


def test_sample_8_10_is_read_word_for_word(canned, clock):
    canned.body = json.dumps(SAMPLE_HANJIN, ensure_ascii=False).encode()
    source = HanjinTracking(HanjinHost(Client(canned.base_url, allow_loopback=True), now=clock.now, **HANJIN_KEYS))
    assert ask(source).events == READ_EVENTS
    method, path, body = canned.asked[0]
    assert (method, path) == ("POST", "/parcel-delivery/v1/tracking/tracking-wbl")
    assert json.loads(body) == {"custEdiCd": "SANDBOX", "wblNo": NUMBER}
    canned.body = b'{"resultCode":"ERROR-01"}'
    assert ask(source).outcome == TrackOutcome.NOT_FOUND


@pytest.mark.usefixtures("scanned")
@pytest.mark.parametrize("style", ["reference", "guide"])
def test_both_spellings_of_the_fields_are_read(tracker, source, style):
    tracker.control("service", name="hanjin", style=style)
    assert ask(source).events == READ_EVENTS


def test_before_the_first_scan_nothing_is_found(issuer, source, clock):
    number = issuer.allocate(boxes=[BOX])[0].number
    issuer.register(box=BOX, number=number)
    assert ask(source, number).outcome == TrackOutcome.NOT_FOUND
    clock.set(START + timedelta(hours=30))
    result = ask(source, number)
    assert result.outcome == TrackOutcome.FOUND
    assert [event.code for event in result.events][-1] == "66"


@pytest.mark.parametrize(
    ("carrier", "number", "outcome"),
    [
        ("", NUMBER, TrackOutcome.UNKNOWN_CARRIER),
        ("kr.hanjin", NUMBER, TrackOutcome.UNKNOWN_CARRIER),
        ("hanjin", "", TrackOutcome.BAD_NUMBER),
        ("hanjin", "4000-0000-0013", TrackOutcome.BAD_NUMBER),
        ("hanjin", "４０００００００００１３", TrackOutcome.BAD_NUMBER),
    ],
)
def test_what_cannot_be_asked_costs_no_call(tracker, source, carrier, number, outcome):
    assert source.track(carrier=carrier, number=number).outcome == outcome
    assert tracker.read("counters")["requests"] == 0


UNREADABLE = [*BROKEN_LINES, *BROKEN_SHAPES, "events_null", "events_text", "events_only_odd", "no_code", "other_number"]


@pytest.mark.usefixtures("scanned")
@pytest.mark.parametrize("kind", UNREADABLE)
def test_an_answer_that_cannot_be_read_is_unavailable_and_healthy_again_afterwards(tracker, source, kind):
    tracker.control("faults", kind=kind)
    result = ask(source)
    assert (result.outcome, result.cause, result.events) == (TrackOutcome.UNAVAILABLE, Cause.MALFORMED, ())
    tracker.control("faults", method="DELETE")
    assert ask(source).events == READ_EVENTS


@pytest.mark.usefixtures("scanned")
@pytest.mark.parametrize("kind", ["euc_kr", "events_odd"])
def test_what_is_only_odd_is_read(tracker, source, kind):
    tracker.control("faults", kind=kind)
    assert ask(source).events == READ_EVENTS


@pytest.mark.usefixtures("scanned")
@pytest.mark.parametrize(
    ("kind", "read"),
    [
        ("times_odd", (READ_EVENTS[0].code, datetime(2026, 11, 19, 15, tzinfo=UTC), True)),
        ("times_null", ("11", None, False)),
        ("times_far", ("11", None, False)),
        ("numbers_for_text", ("66", datetime(2026, 11, 20, 9, 30, tzinfo=UTC), False)),
    ],
)
def test_lies_in_single_fields_stay_in_these_fields(tracker, source, kind, read):
    tracker.control("faults", kind=kind)
    event = ask(source).events[0]
    assert (event.code, event.at, event.is_date_only) == read


@pytest.mark.usefixtures("scanned")
def test_silence_is_a_timeout(tracker, clock):
    tracker.control("faults", kind="hang", seconds=3)
    host = HanjinHost(client_of(tracker, "hanjin", timeout=(1, 0.3)), now=clock.now, **HANJIN_KEYS)
    assert ask(HanjinTracking(host)).cause == Cause.TIMEOUT


def test_keys_reach_no_error(tracker, host, source):
    for kind in ("html_200", "http_401", "http_500", "refused", "wrong_contract"):
        tracker.control("faults", method="DELETE")
        tracker.control("faults", kind=kind)
        told = repr(ask(source))
        assert not any(secret in told for secret in host.secrets)
