"""안심번호: its end is kept, shown, and warned of before it comes; nobody guesses the number behind it."""

from datetime import date, datetime, timedelta

import pytest
from django.utils import timezone

from accounts.roles import Role
from core.calendar import KST, kst_date
from core.lists import lists
from core.settings_registry import set_setting
from orders.columns import order_tags
from orders.contact import is_reachable, kept_end, warned_end
from orders.models import LineLock, SalesChannel
from orders.notices import recipient_of
from orders.services.changes import Recipient, change_recipient
from shipping.columns.shipments import shipment_tags
from tests.fixtures.answers import body, text_of
from tests.fixtures.orders import ADDRESS, NOW, reloaded

SAFE, PLAIN = "050712345678", "01087654321"
DAY = date(2026, 9, 21)
HX = {"HX-Request": "true"}


@pytest.mark.parametrize(
    ("end", "facts", "wanted"),
    [
        (None, {}, ""),
        (DAY - timedelta(days=1), {}, "안심번호 만료"),
        (DAY, {}, "안심번호 곧 만료"),
        (DAY + timedelta(days=2), {}, "안심번호 곧 만료"),
        (DAY + timedelta(days=3), {}, ""),
        # Leaves by the 24th, arrives on the 27th: the deadline is the midnight after its day.
        (DAY + timedelta(days=5), {"ship_by": datetime(2026, 9, 25, tzinfo=KST)}, "안심번호 곧 만료"),
        (DAY + timedelta(days=6), {"ship_by": datetime(2026, 9, 25, tzinfo=KST)}, ""),
        # A deadline that has passed: it leaves today at the earliest.
        (DAY + timedelta(days=2), {"ship_by": datetime(2026, 9, 1, tzinfo=KST)}, "안심번호 곧 만료"),
        (DAY + timedelta(days=3), {"ship_by": datetime(2026, 9, 1, tzinfo=KST)}, ""),
        # On its way since the 20th: arrives on the 23rd.
        (DAY + timedelta(days=1), {"shipped_at": NOW - timedelta(days=1)}, "안심번호 곧 만료"),
        (DAY + timedelta(days=2), {"shipped_at": NOW - timedelta(days=1)}, ""),
        # Late: it may arrive at any time, and the number works today.
        (DAY, {"shipped_at": NOW - timedelta(days=20)}, ""),
        (DAY - timedelta(days=1), {"shipped_at": NOW - timedelta(days=20)}, "안심번호 만료"),
    ],
)
def test_what_ends_before_the_goods_arrive_is_warned_of(end, facts, wanted):
    found = warned_end(end, at=NOW, days=3, **facts)
    assert (found.label if found else "") == wanted


def test_the_day_ends_in_seoul():
    assert warned_end(DAY, at=datetime(2026, 9, 21, 23, 59, tzinfo=KST), days=0) is None
    assert warned_end(DAY, at=datetime(2026, 9, 22, 0, 0, tzinfo=KST), days=0).is_over


def test_only_who_has_a_050_number_has_an_end():
    assert kept_end(DAY, "", SAFE) == DAY
    assert kept_end(DAY, PLAIN, "") is None
    assert kept_end(None, SAFE) is None


def tags(page, make_tags):
    [group] = lists.page(page).query("period=all", user=None, at=NOW).rows()
    return [tag.label for tag in make_tags(group)]


def test_lists_warn_while_goods_wait_or_are_on_their_way(make_order, staff):
    make_order(paid=True, recipient_phone=SAFE, safe_number_end_date=DAY + timedelta(days=9))
    # 발송기한 is three business days ahead, and 추석 lies between.
    assert tags("preparing", order_tags) == tags("orders", order_tags) == ["안심번호 곧 만료"]
    set_setting(key="delivery_days", value=0, actor=staff, at=NOW)
    assert tags("preparing", order_tags) == []


def test_the_list_of_what_is_ready_warns(make_shipments, staff):
    make_shipments(1, recipient_phone=SAFE, safe_number_end_date=DAY + timedelta(days=9))
    assert "안심번호 곧 만료" in tags("ready", shipment_tags)
    set_setting(key="delivery_days", value=0, actor=staff, at=NOW)
    assert "안심번호 곧 만료" not in tags("ready", shipment_tags)


def test_the_list_of_what_is_on_its_way_warns(make_sent, staff):
    make_sent(1, recipient_phone=SAFE, safe_number_end_date=DAY + timedelta(days=2))
    assert "안심번호 곧 만료" in tags("shipping", shipment_tags)
    set_setting(key="delivery_days", value=2, actor=staff, at=NOW)
    assert "안심번호 곧 만료" not in tags("shipping", shipment_tags)
    assert tags("orders", order_tags) == []


def test_an_order_that_nobody_has_paid_warns_of_nothing(make_order):
    make_order(recipient_phone=SAFE, safe_number_end_date=DAY)
    assert "안심번호" not in "".join(tags("orders", order_tags))


@pytest.mark.parametrize(
    ("days", "shown", "warned"),
    [(-1, "{} 만료", "에 만료되어 연락되지 않습니다."), (1, "{}까지", "에 만료됩니다."), (60, "{}까지", "")],
)
def test_the_order_says_until_when_its_number_works(make_order, sign_in, days, shown, warned):
    end = kst_date(timezone.now()) + timedelta(days=days)
    order = make_order(paid=True, at=timezone.now(), recipient_phone=SAFE, safe_number_end_date=end)
    client = sign_in(Role.CS)
    page = text_of(client.get(f"/orders/{order.number}/"))
    assert shown.format(end) in page
    assert ("에 만료되어 연락되지 않습니다." in page, "에 만료됩니다." in page) == (
        warned == "에 만료되어 연락되지 않습니다.",
        warned == "에 만료됩니다.",
    )
    clear = text_of(client.post(f"/orders/{order.number}/reveal/", {"reason": "고객 전화"}, headers=HX))
    assert "0507-1234-5678" in clear
    assert shown.format(f"안심번호 {end}") in clear


def test_an_order_without_an_end_says_nothing_of_it(make_order, sign_in):
    order = make_order(paid=True, recipient_phone=SAFE)
    assert "data-safe-end" not in body(sign_in(Role.CS).get(f"/orders/{order.number}/"))


def test_staff_write_the_end_down_and_it_goes_with_the_number(make_numbered, sign_in):
    [shipment] = make_numbered(1, recipient_phone=PLAIN)
    order, client = shipment.order, sign_in(Role.CS)
    facts = {name: getattr(order, name) or "" for name in Recipient.__slots__}

    def save(**more):
        facts.update(more, version=reloaded(order).version)
        return client.post(f"/orders/{order.number}/recipient/", facts, headers=HX)

    assert save(safe_number_end_date="2026-12-31").status_code == 200
    assert reloaded(order).safe_number_end_date is None
    assert save(recipient_phone2="0507-1234-5678", safe_number_end_date="2026-12-31").status_code == 200
    assert reloaded(order).safe_number_end_date == date(2026, 12, 31)
    assert 'value="2026-12-31"' in body(client.get(f"/orders/{order.number}/recipient/", headers=HX))
    wrong = save(safe_number_end_date="1999-12-31")
    assert (wrong.status_code, reloaded(order).safe_number_end_date) == (422, date(2026, 12, 31))
    # The label shows no date of a number that works: it lives on.
    assert not LineLock.objects.exists()
    assert save(recipient_phone2="", safe_number_end_date="2026-12-31").status_code == 200
    assert reloaded(order).safe_number_end_date is None


def test_a_colleague_who_changed_the_end_first_opens_the_comparison(make_order, sign_in, staff):
    order = make_order(recipient_phone=SAFE, safe_number_end_date=DAY)
    values = {name: getattr(order, name) for name in Recipient.__slots__} | {"safe_number_end_date": date(2026, 10, 1)}
    change_recipient(
        order_id=order.pk, recipient=Recipient(**values), expected_version=order.version, actor=staff, at=NOW
    )
    mine = {**ADDRESS, "recipient_phone": SAFE, "safe_number_end_date": "2026-11-01", "version": order.version}
    conflict = sign_in(Role.CS).post(f"/orders/{order.number}/recipient/", mine, headers=HX)
    assert conflict.status_code == 409
    assert "안심번호 만료일" in text_of(conflict)
    assert reloaded(order).safe_number_end_date == date(2026, 10, 1)


@pytest.mark.parametrize(
    ("buyer", "end", "wanted"),
    [
        (PLAIN, -1, PLAIN),
        (SAFE, -1, "buyer@example.com"),
        (SAFE, 0, SAFE),
        ("", -1, "buyer@example.com"),
        ("", 0, SAFE),
        ("050799998888", -1, "050799998888"),
    ],
)
def test_a_message_goes_to_no_number_that_has_ended(make_order, channel, buyer, end, wanted):
    SalesChannel.objects.filter(pk=channel.pk).update(notifies_buyers=True)
    day = kst_date(timezone.now()) + timedelta(days=end)
    facts = {"buyer_phone": buyer, "buyer_email": "buyer@example.com", "recipient_phone": SAFE}
    order = make_order(**facts, safe_number_end_date=day)
    assert recipient_of(order) == wanted


def test_a_number_without_an_end_counts_as_reachable(make_order):
    order = make_order(recipient_phone=SAFE)
    assert is_reachable(order, SAFE, at=NOW)
    assert not is_reachable(order, "", at=NOW)
