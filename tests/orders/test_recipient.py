"""배송지 변경: who may, what is refused, and what happens when a colleague was first."""

import re
from datetime import datetime

import pytest
from django.utils import timezone

from accounts.models import AccessLog
from accounts.roles import Role
from core.calendar import KST
from orders.models import LineLock, Order, OrderEvent, OrderLine
from orders.services.changes import Recipient, add_memo, change_recipient
from orders.states import LineState, LockKind
from tests.fixtures.answers import body, text_of
from tests.fixtures.orders import ADDRESS, reloaded

S = LineState
HX = {"HX-Request": "true"}


@pytest.fixture
def client(sign_in, staff):
    return sign_in(staff)


def url(order, rest=""):
    return f"/orders/{order.number}/{rest}"


def change(client, order, version=None, **more):
    values = {**ADDRESS, "version": order.version if version is None else version}
    return client.post(url(order, "recipient/"), values | more, headers=HX)


def test_the_address_changes_and_the_history_says_what(make_order, client, staff):
    order = make_order()
    form = client.get(url(order, "recipient/"), headers=HX)
    assert "data-dialog" in body(form)
    assert "김수령" in body(form)
    assert AccessLog.objects.get().purpose == "배송지 변경"
    saved = change(client, order)
    assert (saved.status_code, saved["HX-Trigger"]) == (200, "oms:changed")
    assert "배송지를 바꿨습니다." in body(saved)
    now = reloaded(order)
    assert (now.recipient_name, now.recipient_phone, now.zip_code) == ("이새로", "01022223333", "04524")
    assert not LineLock.objects.exists()
    history = text_of(client.get(url(order)))
    assert "배송지 변경" in history
    assert "우편번호" in history


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("recipient_name", "", "수령자를 입력하세요."),
        ("recipient_phone", "123", "전화번호 형식이 아닙니다. 010-1234-5678처럼 입력하세요."),
        ("zip_code", "1234", "우편번호는 숫자 5자리로 입력하세요."),
        ("zip_code", "１２３４５", "우편번호는 숫자 5자리로 입력하세요."),
        ("address1", "", "주소를 입력하세요."),
    ],
)
def test_a_wrong_address_is_refused_with_a_sentence(make_order, client, field, value, sentence):
    order = make_order()
    refused = change(client, order, **{field: value})
    assert refused.status_code == 422
    assert sentence in body(refused)
    assert reloaded(order).version == order.version


def test_a_registered_waybill_locks_the_line_until_it_is_registered_again(make_numbered, client):
    [shipment] = make_numbered(1)
    order = Order.objects.get(pk=shipment.order_id)
    change(client, order)
    lock = LineLock.objects.get()
    assert (lock.kind, lock.released_at) == (LockKind.ADDRESS, None)
    shown = text_of(client.get(url(order)))
    assert "주소가 바뀌었습니다. 송장을 다시 등록한 뒤 출고하세요." in shown
    assert OrderLine.objects.get(order=order).state == S.READY


def test_only_the_note_changes_without_a_lock(make_numbered, client):
    [shipment] = make_numbered(1)
    order = Order.objects.get(pk=shipment.order_id)
    same = {name: getattr(order, name) for name in ADDRESS if name != "delivery_note"}
    change(client, order, **same)
    assert reloaded(order).delivery_note == "문 앞"
    assert not LineLock.objects.exists()


def changed_by(order, actor, **more):
    """The recipient as a colleague saved it a moment ago."""
    values = {name: getattr(reloaded(order), name) for name in ADDRESS}
    change_recipient(
        order_id=order.pk,
        recipient=Recipient(**values | more),
        expected_version=reloaded(order).version,
        actor=actor,
        at=datetime(2026, 11, 22, 14, 3, tzinfo=KST),
    )


def test_a_newer_address_opens_the_comparison_and_saving_again_is_a_decision(make_order, client, staff, make_staff):
    order = make_order()
    changed_by(order, make_staff(Role.CS, display_name="박지우"), address2="202호")
    add_memo(order_id=order.pk, text="나중에 저장", is_pinned=False, actor=staff, at=timezone.now())
    conflict = change(client, order)
    assert conflict.status_code == 409
    shown = text_of(conflict)
    assert "11-22 14:03에 박지우 님이 먼저 수정했습니다. 내 값과 비교해 주세요." in shown
    assert "202호" in shown
    assert "서울 중구 세종대로 110" in shown
    assert reloaded(order).recipient_name == "김수령"
    version = re.search(r'name="version" value="(\d+)"', body(conflict)).group(1)
    assert version == str(reloaded(order).version)
    assert change(client, order, version=version).status_code == 200
    assert reloaded(order).recipient_name == "이새로"


def test_what_is_not_of_the_address_opens_no_comparison(make_order, client, make_staff):
    order = make_order(paid=True)
    add_memo(order_id=order.pk, text="먼저 저장", is_pinned=False, actor=make_staff(Role.CS), at=timezone.now())
    saved = change(client, order)
    assert (saved.status_code, reloaded(order).recipient_name) == (200, "이새로")


def test_a_colleague_who_saved_the_same_address_is_no_conflict(make_order, client, make_staff):
    order = make_order()
    changed_by(order, make_staff(Role.CS), **ADDRESS | {"recipient_phone": "01022223333"})
    assert change(client, order).status_code == 200
    assert OrderEvent.objects.filter(kind="order.recipient_changed").count() == 1


def test_as_a_page_the_comparison_stands_on_its_own(make_order, client, make_staff):
    order = make_order()
    changed_by(order, make_staff(Role.CS), address2="202호")
    conflict = client.post(url(order, "recipient/"), {**ADDRESS, "version": order.version})
    assert conflict.status_code == 409
    assert "<html" in body(conflict)
    saved = client.post(url(order, "recipient/"), {**ADDRESS, "version": reloaded(order).version})
    assert saved.headers["Location"] == url(order)


def test_an_order_on_its_way_keeps_its_address(make_sent, client):
    [shipment] = make_sent(1)
    order = Order.objects.get(pk=shipment.order_id)
    assert "data-change-recipient" not in body(client.get(url(order)))
    refused = change(client, order)
    assert "이미 출고한 품목이 있어 배송지를 바꿀 수 없습니다." in body(refused)
    assert reloaded(order).recipient_name == "김수령"
