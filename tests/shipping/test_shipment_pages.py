"""The lists of steps 4 to 6: rows are shipments; numbers find them from every list of orders."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.roles import Role
from core.actions import PRIMARY
from core.lists import lists
from orders.models import OrderLine
from orders.services import locks
from shipping.models import AccountState, Parcel, Shipment, TrackingAccount, TrackingLane
from shipping.rollup import refresh_parcels
from shipping.services import shipments
from shipping.services.printing import labels
from shipping.states import DeliveryMethod, TrackingAlert
from tests.fixtures.orders import NOW
from tests.fixtures.shipments import waybill_number

PAGES = ("/orders/ready/", "/orders/shipping/", "/orders/delivered/")


def found(name, query, *, user=None, at=NOW):
    return [group.record.shipment_number for group in lists.page(name).query(query, user=user, at=at).rows()]


def counts(name, query="", *, at=NOW):
    made = lists.page(name).query(query, user=None, at=at).count()
    return {key: one.number for key, one in made.tabs.items()}


def test_ready_shows_a_shipment_per_row_with_its_lines_and_an_input_for_those_who_may(make_shipments, sign_in):
    [shipment] = make_shipments(lines=2)
    html = sign_in(Role.LOGISTICS).get("/orders/ready/?period=all").content.decode()
    assert html.count(f'data-order="{shipment.order.number}"') == 1
    assert html.count('data-line="') == 2
    assert f'data-waybill="{shipment.number}"' in html
    assert 'data-draft-url="/shipping/waybills/draft/"' in html
    plain = sign_in(Role.CS).get("/orders/ready/?period=all").content.decode()
    assert "data-waybill=" not in plain
    assert "<select data-courier" not in plain


@pytest.mark.parametrize(("name", "tag"), [("ready", "집하 대기"), ("shipping", "지연"), ("delivered", "집하 대기")])
def test_a_row_that_a_colleague_moved_is_drawn_by_the_list_that_it_left(name, tag, make_numbered, make_staff, sign_in):
    """With what the step asks for where it stands now: the list that it left has not fetched it."""
    colleague = make_staff(Role.OWNER, display_name="이도윤")
    [shipment] = make_numbered()
    lines, at = shipments.lines_of([shipment.pk]), timezone.now()
    facts = {"line_ids": lines, "actor": colleague}
    if name != "ready":
        shipments.ship(**facts, at=at - timedelta(hours=1))
    if name == "delivered":
        shipments.deliver_by_hand(**facts, at=at - timedelta(hours=1), reason="고객 확인")
    browser = sign_in(Role.LOGISTICS)
    view = browser.get(f"/orders/{name}/?period=all").context["page"]
    match name:
        case "ready":
            shipments.ship(**facts, at=at)
        case "shipping":
            shipments.unship(**facts, at=at, reason="오출고")
        case "delivered":
            shipments.undeliver(**facts, at=at, reason="못 받음")
    answer = browser.get(f"/orders/{name}/poll/?since={view.since}&ids={shipment.pk}")
    assert answer.status_code == 200
    html = answer.content.decode()
    assert "방금 이도윤 님이 처리" in html
    assert tag in html


def test_tabs_of_ready_count_what_they_show(make_shipments, make_numbered, staff):
    plain, numbered, held = make_shipments(3), make_numbered(2), make_shipments(1)
    locks.hold(line_ids=shipments.lines_of([held[0].pk]), actor=staff, at=NOW, reason="고객 부재")
    assert counts("ready", "period=all") == {
        "all": 6, "no-waybill": 4, "standby": 2, "today": 0, "late": 0, "claim": 0, "held": 1,
    }  # fmt: skip
    assert found("ready", "period=all&tab=held") == [held[0].number]
    assert sorted(found("ready", "period=all&tab=standby")) == sorted(one.number for one in numbered)
    late = max(one.ship_by for one in plain)
    assert counts("ready", "period=all", at=late)["late"] == 6
    assert counts("ready", "period=all", at=late - timedelta(hours=1))["today"] == 6


@pytest.mark.parametrize("name", ["ready", "shipping", "delivered"])
def test_every_date_basis_and_tab_counts_what_it_shows(make_shipments, make_sent, name):
    """주문일 is no column of a shipment: counting asks it of the order."""
    make_shipments(2)
    make_sent(1)
    page = lists.page(name)
    whole = len(found(name, "period=all"))
    for basis in page.bases:
        for period, shown in (("7d", None), ("from=2020-01-01&to=2020-01-02", 0)):
            query = f"basis={basis}&" + (period if "=" in period else f"period={period}")
            made = page.query(query, user=None, at=NOW).count()
            assert made.total.number == len(found(name, query))
            assert shown is None or made.total.number == shown
            assert made.outside == (whole - made.total.number if page.is_open_work else 0)


def test_shipping_and_delivered_follow_their_shipments(make_sent, staff):
    sent = make_sent(2)
    assert counts("shipping") == {
        "all": 2, "waiting": 2, "moving": 0, "out": 0, "failed": 0, "still": 0, "error": 0,
        "visit": 0, "unfetched": 0, "handed": 0,
    }  # fmt: skip
    assert counts("shipping", at=NOW + timedelta(hours=25))["still"] == 2
    line_ids = shipments.lines_of([sent[0].pk])
    shipments.deliver_by_hand(line_ids=line_ids, actor=staff, at=NOW, reason="전화 확인")
    assert found("shipping", "") == [sent[1].number]
    assert found("delivered", "") == [sent[0].number]
    assert counts("delivered", at=NOW + timedelta(days=6)) == {"all": 1, "presumed": 0, "disputed": 0, "soon": 1}


@pytest.mark.parametrize(("tab", "main"), [("all", "deliver"), ("visit", "receive"), ("handed", "hand-over")])
def test_a_tab_puts_the_act_that_ends_its_method_first(tab, main, staff):
    buttons = lists.page("shipping").buttons(staff, tab)
    assert [(one.name, one.style, one.hotkey) for one in buttons if one.style == PRIMARY] == [(main, PRIMARY, "S")]
    assert buttons[0].name == main
    assert {one.name for one in buttons} == {one.name for one in lists.page("shipping").buttons(staff)}


def test_a_delivery_that_the_courier_takes_back_stands_in_its_tab(make_sent, staff, sign_in):
    sent = make_sent(2)
    shipments.deliver_by_hand(line_ids=shipments.lines_of([one.pk for one in sent]), actor=staff, at=NOW, reason="확인")
    Parcel.objects.filter(shipment=sent[0]).update(alert=TrackingAlert.DELIVERY_DISPUTED)
    refresh_parcels([sent[0].pk])
    assert found("delivered", "tab=disputed") == [sent[0].number]
    assert counts("delivered")["disputed"] == 1
    html = sign_in(Role.CS).get("/orders/delivered/?period=all").content.decode()
    assert html.count(">배송 확인<") == 1


def test_both_dates_are_asked_for_and_shown(make_sent, sign_in, staff):
    """배송중 처리 is what we pressed, 집하 is what the courier scanned (shipping.md 11)."""
    early, late = make_sent(2)
    Shipment.objects.filter(pk=late.pk).update(first_scan_at=NOW + timedelta(days=2))
    Shipment.objects.filter(pk=early.pk).update(first_scan_at=NOW)
    day = f"{NOW + timedelta(days=2):%Y-%m-%d}"
    assert found("shipping", f"basis=scanned&from={day}&to={day}") == [late.number]
    assert found("shipping", f"basis=shipped&from={day}&to={day}") == []
    for name in ("shipping", "delivered"):
        assert {"passed", "scanned"} <= {column.key for column in lists.page(name).all_columns}


def test_conditions_are_those_of_the_shipment_and_not_of_its_order(make_order, make_variant, make_numbered, staff):
    order = make_order(lines=[(make_variant(on_hand=5), 1) for _ in range(2)], paid=True)
    first, second = order.lines.order_by("seq")
    OrderLine.objects.filter(pk=second.pk).update(delivery_method=DeliveryMethod.VISIT)
    shipments.make_ready(line_ids=[first.pk, second.pk], actor=staff, at=NOW)
    locks.hold(line_ids=[second.pk], actor=staff, at=NOW, reason="고객 부재")
    held = Shipment.objects.get(method=DeliveryMethod.VISIT)
    assert found("ready", "period=all&mark=held") == [held.number]
    [numbered] = make_numbered(1)
    assert found("ready", "period=all&mark=unprinted") == [numbered.number]
    Parcel.objects.update(routing={"sort_code": "1D10"})
    parcels = list(Parcel.objects.values_list("pk", flat=True))
    assert labels.print_labels(parcel_ids=parcels, paper="roll", actor=staff, at=NOW).outcome.refused == {}
    assert found("ready", "period=all&mark=unprinted") == []
    Shipment.objects.filter(pk=numbered.pk).update(parcel_count=2)
    assert found("ready", "period=all&mark=boxes") == [numbered.number]
    assert found("ready", "period=all&mark=merged") == []


def test_what_left_without_a_number_says_how(make_shipments, staff, sign_in):
    made = make_shipments(1, method=DeliveryMethod.DIRECT)
    ids = shipments.lines_of([made[0].pk])
    shipments.ship(line_ids=ids, actor=staff, at=NOW)
    shipments.deliver_by_hand(line_ids=ids, actor=staff, at=NOW, reason="확인")
    assert "직접전달" in sign_in(Role.CS).get("/orders/delivered/?period=all").content.decode()
    assert found("delivered", "by=STAFF") == [made[0].number]
    assert found("delivered", "by=DAYS") == []


def test_menu_counts_are_the_rows_of_the_pages(make_shipments, make_sent):
    make_shipments(3)
    make_sent(2)
    menu = lists.menu_counts()
    assert (menu["ready"], menu["shipping"], menu["delivered"]) == (3, 2, 0)
    for query in ("", "tab=held", "period=all&tab=standby", "from=2020-01-01&to=2020-01-02"):
        assert lists.page("ready").query(query, user=None, at=NOW).count().whole == 3
    assert lists.page("ready").query("q=01012345678", user=None, at=NOW).count().whole is None
    assert lists.menu_counts({"ready": 7}) == menu | {"ready": 7}


@pytest.mark.parametrize("query", ["", "?tab=held", "?q=999999999999", "?period=yesterday"])
def test_the_menu_around_a_list_says_how_many_rows_it_has(make_shipments, sign_in, query):
    make_shipments(3)
    html = sign_in(Role.OWNER).get(f"/orders/ready/{query}").content.decode()
    assert 'data-count="menu-ready">3</span>' in html


def test_numbers_of_shipments_and_parcels_find_orders_everywhere(make_sent):
    [shipment] = make_sent(1)
    for text in (shipment.number, waybill_number(0), "6800-0000-0011"):
        groups = lists.page("orders").query(f"q={text}", user=None, at=NOW).rows()
        assert [group.record.number for group in groups] == [shipment.order.number]
        assert found("shipping", f"q={text}") == [shipment.number]
    assert found("shipping", f"q={shipment.order.number}") == [shipment.number]
    assert found("shipping", "q=999999999999") == []


def test_the_order_list_shows_and_exports_the_number(make_sent, sign_in):
    make_sent(1)
    client = sign_in(Role.OWNER)
    assert waybill_number(0) in client.get("/orders/?period=all").content.decode()


def test_the_banner_tells_when_tracking_stands_still(make_sent, sign_in):
    make_sent(1)
    client = sign_in(Role.CS)
    assert "배송조회 계정이 없어" in client.get("/orders/shipping/").content.decode()
    account = TrackingAccount.objects.create(code="tracker_delivery", name="배송조회", base_url="http://127.0.0.1:1")
    assert 'data-note="notice"' not in client.get("/orders/shipping/").content.decode()
    lane = TrackingLane.objects.create(account=account, courier="CJGLS", failing_since=NOW)
    assert "CJ대한통운 조회가" in client.get("/orders/shipping/").content.decode()
    # Another account has taken over.
    other = TrackingAccount.objects.create(code="own", name="자체 서버", base_url="http://127.0.0.1:1")
    TrackingLane.objects.create(account=other, courier="CJGLS", last_ok_at=NOW + timedelta(minutes=20))
    assert 'data-note="notice"' not in client.get("/orders/shipping/").content.decode()
    other.delete()
    lane.delete()
    account.state, account.blocked_at = AccountState.BLOCKED, NOW
    account.save()
    assert "인증이 거절되어" in client.get("/orders/shipping/").content.decode()


def test_a_method_without_courier_has_no_input(make_shipments, sign_in):
    make_shipments(1, method=DeliveryMethod.VISIT)
    html = sign_in(Role.LOGISTICS).get("/orders/ready/?period=all").content.decode()
    assert "data-waybill=" not in html
    assert "방문수령" in html


@pytest.mark.parametrize("url", PAGES)
@pytest.mark.parametrize("role", list(Role))
def test_every_role_may_look(url, role, sign_in):
    assert sign_in(role).get(url).status_code == 200


@pytest.mark.parametrize("url", PAGES)
def test_strangers_go_to_the_log_in(url, client, db):
    assert client.get(url).status_code == 302


@pytest.mark.parametrize("url", PAGES)
@pytest.mark.parametrize("query", ["tab=none", "sort=x", "size=7", "unknown=1", "courier=%00"])
def test_unknown_conditions_are_refused(url, query, sign_in):
    assert sign_in(Role.CS).get(f"{url}?{query}").status_code == 400


@pytest.mark.parametrize("name", ["ready", "shipping", "delivered"])
def test_the_number_of_queries_does_not_grow(name, make_shipments, make_sent, staff, sign_in):
    client = sign_in(Role.OWNER)

    def queries():
        with CaptureQueriesContext(connection) as captured:
            assert client.get(f"/orders/{name}/?period=all").status_code == 200
        return len(captured)

    def fill(count):
        made = make_shipments(count, lines=2) if name == "ready" else make_sent(count, first=Shipment.objects.count())
        if name == "delivered":
            ids = shipments.lines_of([one.pk for one in made])
            shipments.deliver_by_hand(line_ids=ids, actor=staff, at=NOW, reason="확인")

    fill(2)
    few = queries()
    fill(60)
    assert queries() == few
