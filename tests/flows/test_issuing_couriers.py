"""Numbers of CJ대한통운, 우체국 and 한진 from contract to label, over sockets to their twins (shipping.md 5.2, A16)."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.roles import Role
from core.invariants import find_violations
from core.settings_registry import change_settings, get_settings
from oms.seed.demo import _APIS, SENDER
from orders.models import LineLock
from shipping.drains import issue_cj, issue_epost, issue_hanjin, route_boxes
from shipping.models import Paper, Parcel, WaybillNumber
from shipping.services import cj_tokens
from shipping.services.issuing import issuers
from shipping.services.issuing.contracts import ContractFacts, check_contract, missing_codes, save_contract
from shipping.services.issuing.issue import issue_waybills
from shipping.services.printing.labels import print_labels
from tests.fixtures.contracts import range_contract
from tests.fixtures.shipments import again

pytestmark = pytest.mark.django_db(transaction=True)
DRAINS = {"CJGLS": issue_cj, "EPOST": issue_epost, "HANJIN": issue_hanjin}


@pytest.fixture
def sign(tracker, monkeypatch, staff):
    """`sign("CJGLS")`: the demo contract of a courier with the sandbox of the tests."""
    change_settings(changes=SENDER, shown=get_settings(*SENDER), actor=None, at=timezone.now())
    monkeypatch.setattr(issuers, "_issuers", {})
    monkeypatch.setattr(cj_tokens, "_stores", {})
    monkeypatch.setattr(issuers, "PATIENT", (1.0, 2.0))

    def sign(slug):
        code, _, mode, customer, business, keys = next(one for one in _APIS if one[1] == slug)
        base_url = f"{tracker.base_url}/{code.removesuffix('-api')}"
        facts = ContractFacts(name=code, courier=slug, mode=mode, customer_code=customer, business_number=business,
                              base_url=base_url, is_sandbox=True)  # fmt: skip
        return save_contract(code=code, given=facts, options=keys, actor=None, at=timezone.now())

    return sign


def ask(rows, contract, actor, at):
    return issue_waybills(shipment_ids=[row.pk for row in rows], contract_id=contract.pk, actor=actor, at=at)


@pytest.mark.parametrize("slug", list(DRAINS))
def test_a_courier_gives_registers_and_tracks_numbers(slug, sign, make_shipments, staff, tracker):
    rows, contract, at = make_shipments(3), sign(slug), timezone.now()
    assert len(ask(rows, contract, staff, at).waiting) == 3
    assert DRAINS[slug](at=at) == 3
    fresh = again(rows)
    assert len({row.waybill for row in fresh} - {""}) == 3
    assert {(p.courier, p.source, p.state) for p in Parcel.objects.all()} == {(slug, "API", "NUMBERED")}
    assert set(WaybillNumber.objects.values_list("state", flat=True)) == {"USED"}
    assert list(find_violations()) == []
    works, text = check_contract(contract, at=at)
    assert works, text


@pytest.mark.parametrize(
    ("slug", "operation"), [("CJGLS", "RegBook"), ("HANJIN", "insert-order"), ("EPOST", "InsertOrder")]
)
def test_a_booking_whose_answer_is_lost_stays_one_booking(slug, operation, sign, make_shipments, staff, tracker):
    rows, contract, at = make_shipments(1), sign(slug), timezone.now()
    service = contract.code.removesuffix("-api")
    tracker.control("faults", kind="hang", service=service, operation=operation, after_work=True, times=1, seconds=5)
    ask(rows, contract, staff, at)
    DRAINS[slug](at=at)
    [number] = WaybillNumber.objects.all()
    assert (number.doubts, again(rows)[0].waybill) == (1, "")
    DRAINS[slug](at=at + timedelta(minutes=1))
    number.refresh_from_db()
    assert (number.state, number.number) == ("USED", again(rows)[0].waybill)
    assert WaybillNumber.objects.count() == Parcel.objects.count() == 1


def test_numbers_of_a_range_get_the_sort_codes_that_cj_tells(sign, make_shipments, staff):
    rows, _, at = make_shipments(2), sign("CJGLS"), timezone.now()
    ask(rows, range_contract(), staff, at)
    parcels = list(Parcel.objects.order_by("pk"))
    assert all(parcel.route_at for parcel in parcels)
    early = print_labels(parcel_ids=[p.pk for p in parcels], paper=Paper.CJ, actor=staff, at=at)
    assert set(early.outcome.refused.values()) == {"CJ대한통운에 분류코드를 묻고 있습니다. 잠시 뒤 다시 출력하세요."}
    assert (route_boxes(at=at), route_boxes(at=at)) == (2, 0)
    parcels = list(Parcel.objects.order_by("pk"))
    assert all(parcel.routing["sort_code"] and parcel.route_at is None for parcel in parcels)
    done = print_labels(parcel_ids=[p.pk for p in parcels], paper=Paper.CJ, actor=staff, at=at)
    assert (done.outcome.refused, {p.state for p in Parcel.objects.all()}) == ({}, {"PRINTED"})


def test_a_courier_that_is_silent_about_sort_codes_is_asked_again_later(sign, make_shipments, staff, tracker):
    rows, _, at = make_shipments(1), sign("CJGLS"), timezone.now()
    ask(rows, range_contract(), staff, at)
    tracker.control("faults", kind="http_500", service="cj", operation="ReqAddrRfnSm", times=1)
    route_boxes(at=at)
    [parcel] = Parcel.objects.all()
    assert parcel.routing is None
    assert parcel.route_at > at
    assert route_boxes(at=at + timedelta(minutes=1)) == 0
    assert route_boxes(at=at + timedelta(minutes=6)) == 1
    assert Parcel.objects.get().routing["sort_code"]


def test_an_address_that_cj_does_not_deliver_to_is_held(sign, make_shipments, staff, tracker):
    rows, _, at = make_shipments(1, address1="배송불가 지역 1"), sign("CJGLS"), timezone.now()
    ask(rows, range_contract(), staff, at)
    route_boxes(at=at)
    [lock] = LineLock.objects.all()
    assert "배송불가 지역" in lock.reason
    [parcel] = Parcel.objects.all()
    assert (parcel.routing["sort_code"], parcel.route_at) == ("", None)


@pytest.mark.parametrize(
    ("address", "told", "is_printed"),
    [
        ("배송지연 지역 1", "택배사 안내: 배송지연 발생가능 지역", True),
        ("없는 주소 1", "분류코드 없음: 입력 주소 분석 실패", False),
    ],
)
def test_what_cj_says_of_an_address_without_refusing_it_stands_beside_the_box(
    sign, make_shipments, staff, sign_in, address, told, is_printed
):
    rows, _, at = make_shipments(1, address1=address), sign("CJGLS"), timezone.now()
    ask(rows, range_contract(), staff, at)
    route_boxes(at=at)
    assert not LineLock.objects.exists()
    assert told in sign_in(Role.CS).get(f"/orders/{rows[0].order.number}/").content.decode()
    [parcel] = Parcel.objects.all()
    refused = print_labels(parcel_ids=[parcel.pk], paper=Paper.CJ, actor=staff, at=at).outcome.refused
    assert (refused == {}) is is_printed


def test_without_an_api_contract_nobody_is_asked(make_shipments, staff):
    at = timezone.now()
    ask(make_shipments(1), range_contract(), staff, at)
    [parcel] = Parcel.objects.all()
    assert (parcel.route_at, route_boxes(at=at)) == (None, 0)
    refused = print_labels(parcel_ids=[parcel.pk], paper=Paper.CJ, actor=staff, at=at).outcome.refused
    assert "API 계약을 등록하세요" in refused[parcel.pk]


def test_boxes_numbered_before_the_api_contract_get_their_sort_codes_when_it_comes(sign, make_shipments, staff):
    at, rows = timezone.now(), make_shipments(2)
    contract = range_contract()
    assert "API 계약도 등록하세요" in missing_codes(contract)
    ask(rows, contract, staff, at)
    assert not Parcel.objects.exclude(route_at=None).exists()
    sign("CJGLS")
    assert missing_codes(contract) == ""
    assert route_boxes(at=timezone.now()) == 2
    assert all(parcel.routing["sort_code"] for parcel in Parcel.objects.all())
    printed = print_labels(parcel_ids=[p.pk for p in Parcel.objects.all()], paper=Paper.CJ, actor=staff, at=at)
    assert printed.outcome.refused == {}
