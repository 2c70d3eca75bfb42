"""A14 with its sentences, and a number that a manager takes against its courier's rule (shipping.md 5.1)."""

import pytest

from accounts.roles import Role
from orders.models import OrderEvent
from shipping.models import Parcel
from shipping.services.numbers import waybills
from shipping.services.numbers.waybills import WaybillEntry
from shipping.waybills import WaybillLevel, check_waybill
from tests.fixtures.orders import NOW
from tests.fixtures.shipments import again
from tests.infra.preset_couriers import PRESETS

NOT_CJ = "CJ대한통운 송장번호 규칙에 맞지 않습니다. 번호를 다시 확인하세요."
PAGE = "ready"
REASON = "택배사 지점에서 확인한 번호"


@pytest.mark.parametrize(
    ("courier", "text", "number", "said"),
    [
        ("CJGLS", "680000000012", "680000000012", NOT_CJ),
        ("HYUNDAI", "240000000016", "240000000016", NOT_CJ.replace("CJ대한통운", "롯데택배")),
        ("EPOST", "123456789012", "123456789012", "송장번호는 숫자 13자리여야 합니다. 지금은 12자리입니다."),
        ("EPOST", "TESTREGINOAPI", "", "시험용 송장번호입니다. 택배사에서 받은 번호를 입력하세요."),
        ("CJGLS", "６８００００００００１１", "680000000011", ""),
        ("CJGLS", "6800-0000-0011", "680000000011", ""),
    ],
)
def test_a14(courier, text, number, said):
    verdict = check_waybill(text, PRESETS[courier])
    assert (verdict.number, verdict.message) == (number, said)
    assert verdict.level == (WaybillLevel.BLOCK if said else WaybillLevel.OK)


def register(shipment, courier, text, reason=REASON):
    entries = {shipment.pk: WaybillEntry(courier, text, forced_reason=reason)}
    return waybills.register_waybills(entries=entries, actor=None, at=NOW)


@pytest.mark.parametrize(
    ("courier", "text"),
    [("CJGLS", "680000000012"), ("CJGLS", "68000000001"), ("EPOST", "1234567890"), ("HANJIN", "506738618961")],
)
def test_a_manager_takes_a_number_that_only_the_rule_blocks(courier, text, make_shipments):
    shipment = make_shipments()[0]
    refused = register(shipment, courier, text, reason="")
    assert list(refused.refused) == [shipment.pk]
    assert not Parcel.objects.exists()
    done = register(shipment, courier, text)
    assert (done.refused, done.possible, done.forced) == ({}, [shipment.pk], {shipment.pk: REASON})
    parcel = Parcel.objects.get()
    assert (parcel.courier, parcel.waybill) == (courier, text)
    told = OrderEvent.objects.get(kind="parcel.numbered")
    assert told.data["forced"] == REASON


@pytest.mark.parametrize(
    ("courier", "text"),
    [
        ("CJGLS", "재고소진"),
        ("CJGLS", "6.8E+11"),
        ("CJGLS", "68000000001A"),
        ("EPOST", "TESTREGINOAPI"),
        ("CJGLS", ""),
        ("CJGLS", "12345678"),  # shorter than any number
        ("CJGLS", "1" * 31),
        ("CJGLS", "000000000000"),
        ("NOBODY", "680000000012"),
    ],
)
def test_words_signs_and_slips_are_refused_whatever_the_reason(courier, text, make_shipments):
    shipment = make_shipments()[0]
    assert register(shipment, courier, text).refused.keys() == {shipment.pk}
    assert not Parcel.objects.exists()


def test_a_number_that_another_order_uses_is_refused_and_a_good_one_is_not_forced(make_shipments):
    first, second, third = make_shipments(3)
    assert register(first, "CJGLS", "680000000012").possible == [first.pk]
    twice = register(second, "CJGLS", "680000000012")
    assert "에서 쓰고 있는 송장번호입니다." in twice.refused[second.pk]
    done = register(third, "CJGLS", "680000000011")
    assert (done.possible, done.forced) == ([third.pk], {})
    assert Parcel.objects.count() == 2
    assert OrderEvent.objects.filter(kind="parcel.numbered", data__has_key="forced").count() == 1


def rows(*made):
    return [(one.pk, one.version) for one in again(made)]


def test_the_act_asks_for_courier_number_and_reason(press, sign_in, make_shipments):
    one, other = make_shipments(2)
    fields = {"courier": "CJGLS", "waybill": "680000000012", "reason": REASON}
    owner = sign_in(Role.OWNER)
    refused, _ = press(sign_in(Role.LOGISTICS), "force-waybill", PAGE, rows(one), **fields)
    assert refused.status_code == 403
    _, several = press(owner, "force-waybill", PAGE, rows(one, other), **fields)
    assert "배송건을 하나만 고르세요." in several.content.decode()
    _, without = press(owner, "force-waybill", PAGE, rows(one), **fields | {"reason": ""})
    assert "사유를 입력하세요." in without.content.decode()
    assert not Parcel.objects.exists()
    _, done = press(owner, "force-waybill", PAGE, rows(one), **fields)
    assert done.status_code == 200
    assert [(parcel.shipment_id, parcel.waybill) for parcel in Parcel.objects.all()] == [(one.pk, "680000000012")]
    assert OrderEvent.objects.get(kind="parcel.numbered").data["forced"] == REASON
