"""The menu: the entries a person may open, the one they are on, and counts that are those of the lists."""

from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.roles import PERMISSIONS, Role
from core.lists import lists
from oms.menu import MENU, menu_for


def entries(user, path="/", counts=None):
    return [item for group in menu_for(user, path=path, counts=counts or {}) for item in group.items]


def test_every_entry_asks_for_a_right_that_exists_and_counts_a_list_that_counts():
    counted = {"awaiting-payment", "preparing", "ready", "shipping", "delivered", "confirmed"}
    for _, group in MENU:
        for entry in group:
            assert not entry.permission or entry.permission in PERMISSIONS
            assert not entry.count or entry.count in counted


def test_people_see_what_they_may_open(make_staff):
    owner = {item.label for item in entries(make_staff(Role.OWNER))}
    viewer = {item.label for item in entries(make_staff(Role.VIEWER))}
    assert {"설정", "운영자", "실패한 전달"} <= owner
    assert {"통합주문조회", "상품준비중 관리"} <= viewer
    assert not {"설정", "운영자", "실패한 전달", "주문 파일 올리기"} & viewer


def test_one_entry_is_current_and_it_is_the_closest(make_staff):
    user = make_staff(Role.OWNER)
    for path, label in (
        ("/", "대시보드"),
        ("/orders/", "통합주문조회"),
        ("/orders/preparing/", "상품준비중 관리"),
        ("/orders/20251121-0000001/", "통합주문조회"),
        ("/jobs/7/", "작업 현황"),
    ):
        assert [item.label for item in entries(user, path) if item.current] == [label]


def test_the_seven_steps_are_numbered_in_the_order_of_the_work(make_staff):
    numbered = [(item.number, item.label) for item in entries(make_staff(Role.OWNER)) if item.number]
    assert [number for number, _ in numbered] == list("1234567")
    assert numbered[2] == ("3", "상품준비중 관리")


def test_counts_stand_in_the_menu_and_come_alone_when_they_are_asked_for(sign_in, some_orders):
    browser, counts = sign_in(Role.OWNER), lists.menu_counts()
    whole = browser.get("/orders/?period=all").content.decode()
    alone = browser.get("/menu/counts/", headers={"HX-Request": "true"}).content.decode()
    for name, number in counts.items():
        shown = f'id="count-menu-{name}" data-count="menu-{name}"'
        assert f"{shown}>{number:,}</span>" in whole
        assert f'{shown} hx-swap-oob="true">{number:,}</span>' in alone
    assert "<html" not in alone


def test_a_fragment_does_not_pay_for_the_menu(sign_in, some_orders):
    browser = sign_in(Role.OWNER)
    browser.get("/orders/?period=all")
    with CaptureQueriesContext(connection) as captured:
        browser.get("/orders/?period=all", headers={"HX-Request": "true", "HX-Target": "list"})
    assert not any("core_job" in one["sql"] for one in captured.captured_queries)
