"""What is kept of bodies that nobody can read names no person (shipping.md 4.4, 11, A11)."""

import json
from datetime import timedelta

import pytest

from shipping.adapters.wire import without_people
from shipping.models import Parcel, TrackingAccount, TrackingEvent, TrackingLane, TrackingPoll
from shipping.services.polling.sources import KIND_OF
from shipping.services.tracking import asking
from tests.fixtures.orders import NOW
from tests.shipping.courier_samples import SAMPLE_OPEN, SAMPLE_SWEET, SAMPLE_TRACE

LATER = NOW + timedelta(days=1)
PEOPLE = ("홍길동", "테스트상점", "김기사", "서울 중구", "면 티셔츠", "010-1234-5678", "15881255")
SWEET = json.dumps(SAMPLE_SWEET, ensure_ascii=False).replace("홍*동", "홍길동")
CJ_DATA = (
    '{"RESULT_CD":"S","DATA":{"CRG_ST":"84","CRG_ST_NM":"미배송","ACPTR_NM":"홍길동","DEALEMP_NM" : "김기사",'
    '"DETAIL_RSN":"010-1234-5678"}}'
)
# By the kind of the account: the courier, what it answers, and the words that staff need to see what went wrong.
BODIES = {
    "a JSON that ends in a name": ("sweettracker", "CJGLS", SWEET[: SWEET.index("홍길동") + 2], '"receiverName": "***'),
    "a JSON that ends later": ("sweettracker", "CJGLS", SWEET[:-9], "배송출발"),
    "no list of scans": (
        "sweettracker", "CJGLS", SWEET.replace('"trackingDetails": [', '"others": ['), '"receiverName": "***',
    ),
    "another number": ("sweettracker", "CJGLS", SWEET.replace("680000000011", "680000000070"), "배송출발"),
    "escaped letters": ("sweettracker", "CJGLS", json.dumps(SAMPLE_SWEET)[:-9], "senderName"),
    "an XML that ends early": ("epost", "EPOST", SAMPLE_TRACE.replace("홍*동", "홍길동")[:-60], "배달완료"),
    "an XML in CDATA": (
        "epost_open", "EPOST", SAMPLE_OPEN.replace("홍*동", "<![CDATA[홍길동]]>")[:-60], "detaileTrackList",
    ),
    "another form": ("tracker_delivery", "CJGLS", CJ_DATA, "미배송"),
}  # fmt: skip


@pytest.mark.parametrize("name", BODIES)
def test_a_kept_body_names_no_person(name, make_sent, canned, db):
    kind, courier, body, told = BODIES[name]
    canned.body = body.encode()
    account = TrackingAccount(code=kind, kind=kind, name=kind, base_url=canned.base_url, is_sandbox=True)
    account.set_options({} if kind == "tracker_delivery" else {"api_key": "a-key"})
    account.save()
    KIND_OF.forget()
    make_sent(1)
    Parcel.objects.update(courier=courier)
    number = "6800000000001" if courier == "EPOST" else Parcel.objects.get().waybill
    TrackingPoll.objects.update(courier=courier, waybill=number, next_poll_at=LATER)
    assert asking.poll_due(at=LATER) == 1
    kept = TrackingLane.objects.get(courier=courier).sample_body
    assert told in kept
    assert [who for who in (*PEOPLE, json.dumps("홍*동")[1:-1]) if who in kept] == []
    assert (TrackingPoll.objects.get().fail_count, TrackingEvent.objects.count()) == (1, 0)


def test_the_words_of_couriers_stay():
    plain = '{"CRG_ST_NM":"미배송","statusName":"집하","wrkOrgName":"서울","recipient":"","telno":null}<item><a>1</a>'
    assert without_people(plain) == plain
