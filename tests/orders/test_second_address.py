"""두 주소: the 지번주소 stands beside the address that couriers get, wherever staff read, change or look for it."""

import pytest
from django.utils import timezone

from accounts.models import AccessLog
from accounts.roles import Role
from core.lists import lists
from orders.models import LineLock, Order
from orders.services.changes import Recipient, change_recipient
from orders.states import LockKind, RemoteZone
from shipping.models import AreaLevel, RemoteArea
from tests.fixtures.answers import body, text_of
from tests.fixtures.orders import ADDRESS, NOW, reloaded

ROAD, JIBUN = "서울 중구 세종대로 110", "서울 중구 태평로1가 31"
HX = {"HX-Request": "true"}


def url(order, rest=""):
    return f"/orders/{order.number}/{rest}"


def readdress(order, staff, **facts):
    now = reloaded(order)
    values = {name: getattr(now, name) for name in Recipient.__slots__} | facts
    return change_recipient(
        order_id=order.pk, recipient=Recipient(**values), expected_version=now.version, actor=staff, at=NOW
    )


def test_the_box_shows_both_forms_and_no_house_of_either(make_order, sign_in):
    order = make_order(address1=ROAD, address2="3층", jibun_address=JIBUN)
    client = sign_in(Role.CS)
    assert "서울 중구 세종대로 **** (지번 서울 중구 태평로1가 ****)" in text_of(client.get(url(order)))
    shown = text_of(client.post(url(order, "reveal/"), {"reason": "고객 전화"}, headers=HX))
    assert "서울 중구 세종대로 110 3층" in shown
    assert f"지번주소 {JIBUN}" in shown
    assert "address" in AccessLog.objects.latest("pk").detail["fields"]


def test_who_packs_reads_both_forms_whole(make_shipments, sign_in):
    [shipment] = make_shipments(1, address1=ROAD, address2="3층", jibun_address=JIBUN)
    shown = text_of(sign_in(Role.LOGISTICS).get(url(shipment.order)))
    assert f"{ROAD} 3층 (지번 {JIBUN})" in shown


@pytest.mark.parametrize("jibun", ["", ROAD, f" {ROAD} "])
def test_one_form_alone_has_no_brackets(make_order, sign_in, jibun):
    order = make_order(address1=ROAD, address2="", jibun_address=jibun)
    client = sign_in(Role.CS)
    assert "지번" not in text_of(client.get(url(order)))
    assert "지번" not in text_of(client.post(url(order, "reveal/"), {"reason": "고객 전화"}, headers=HX))


def test_the_form_keeps_both_and_makes_none_of_the_other(make_order, sign_in):
    order = make_order(address1=ROAD, jibun_address=JIBUN)
    client = sign_in(Role.CS)
    form = body(client.get(url(order, "recipient/"), headers=HX))
    assert f'value="{JIBUN}"' in form
    assert "jibun_address" in AccessLog.objects.get().detail["fields"]
    saved = client.post(url(order, "recipient/"), {**ADDRESS, "version": order.version}, headers=HX)
    assert saved.status_code == 200
    assert (reloaded(order).address1, reloaded(order).jibun_address) == (ADDRESS["address1"], "")
    version = reloaded(order).version
    too_long = client.post(
        url(order, "recipient/"), {**ADDRESS, "jibun_address": "가" * 201, "version": version}, headers=HX
    )
    assert too_long.status_code == 422
    assert (reloaded(order).version, reloaded(order).jibun_address) == (version, "")


def test_an_order_is_found_by_its_other_form(make_order, staff):
    order = make_order(address1=ROAD, jibun_address=JIBUN)
    other = make_order(address1=ROAD)

    def found(text):
        rows = lists.page("orders").query(f"period=all&q={text}", user=staff, at=NOW).rows()
        return {group.record.number for group in rows}

    assert found("태평로1가 31") == {order.number}
    assert found("세종대로 110") == {order.number, other.number}
    readdress(order, staff, jibun_address="")
    assert found("태평로1가 31") == set()


def test_islands_are_known_by_either_form(make_order, staff):
    RemoteArea.objects.create(
        level=AreaLevel.PATTERN, text="외연도리", zone=RemoteZone.ISLAND, surcharge=5_000, valid_from=NOW.date()
    )
    here = {"zip_code": "33449", "address1": "충남 보령시 오천면 외연도1길 10"}
    order = make_order(**here, jibun_address="오천면 외연도리 128")
    assert (order.remote_zone, order.remote_surcharge_amount) == (RemoteZone.ISLAND, 5_000)
    plain = make_order(**here)
    assert (plain.remote_zone, plain.remote_surcharge_amount) == (RemoteZone.MAINLAND, 0)
    readdress(plain, staff, jibun_address="오천면 외연도리 128")
    assert reloaded(plain).remote_surcharge_amount == 5_000


@pytest.mark.parametrize(
    ("before", "after", "is_locked"),
    [(JIBUN, "서울 중구 태평로1가 32", True), (JIBUN, "", True), ("", JIBUN, False), (JIBUN, JIBUN, False)],
)
def test_a_label_dies_with_a_form_that_it_may_show_and_with_no_other(make_numbered, staff, before, after, is_locked):
    [shipment] = make_numbered(1, address1=ROAD, jibun_address=before)
    readdress(shipment.order, staff, jibun_address=after, delivery_note="경비실")
    assert reloaded(shipment.order).jibun_address == after
    assert list(LineLock.objects.values_list("kind", flat=True)) == [LockKind.ADDRESS] * is_locked


def test_files_and_the_api_of_lists_have_the_second_form_masked_where_the_first_is(make_order):
    order = make_order(address1=ROAD, jibun_address=JIBUN, at=timezone.now())
    page = lists.page("orders")
    [address] = [column for column in page.columns if column.key == "address"]
    [jibun] = [column for column in address.more if column.key == "jibun_address"]
    [group] = page.query("period=all", user=None, at=timezone.now()).rows()
    assert group.record.number == order.number
    assert jibun.personal
    assert (jibun.plain(group, None), jibun.masked(group, None)) == (JIBUN, "서울 중구 태평로1가 ****")


def test_the_history_names_the_field_and_never_the_address(make_order, staff, sign_in):
    order = make_order(address1=ROAD, jibun_address=JIBUN)
    readdress(order, staff, jibun_address="서울 중구 태평로1가 32")
    told = order.events.get(kind="order.recipient_changed")
    assert told.data == {"fields": ["jibun_address"]}
    assert "지번주소" in text_of(sign_in(Role.CS).get(url(order)))
    assert Order.objects.get(pk=order.pk).version == order.version + 1
