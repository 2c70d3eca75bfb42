"""The search box: every kind of number and word finds its orders, and only they."""

import pytest

from accounts.roles import Role
from core.lists import lists
from core.lists.search import MOST_VALUES, SearchRefused, parse
from orders.models import Order, OrderLine
from orders.search import folded, search_row, store_search
from tests.fixtures.order_rows import NOW

ARMS = lists.page("orders").all_arms


def found(text: str, *, kind: str = "", user=None) -> set[str]:
    params = lists.page("orders").query("", user=user, at=NOW).url(q=text, kind=kind or None).partition("?")[2]
    asked = lists.page("orders").query(params, user=user, at=NOW)
    assert asked.is_valid, asked.errors
    return set(asked.queryset().values_list("number", flat=True))


def hint(text: str, kind: str = "") -> str:
    with pytest.raises(SearchRefused) as refused:
        parse(text, kind, ARMS)
    return str(refused.value)


def people(order: Order) -> tuple[str, str, str]:
    return folded(order.buyer_name), folded(order.recipient_name), folded(order.depositor_name)


def test_numbers_of_every_kind_find_their_order_without_a_period(some_orders):
    order = Order.objects.order_by("ordered_at").first()
    line = OrderLine.objects.filter(order=order).last()
    assert found(order.number) == {order.number}
    assert found(line.number) == {order.number}
    assert found(order.channel_number, kind="channel-order") == {order.number}
    assert order.number in found(order.number[:8])


def test_an_address_is_found_with_the_number_of_its_house(some_orders):
    order = Order.objects.order_by("pk")[5]
    Order.objects.filter(pk=order.pk).update(address1="서울 관악구 관악대로 271 3층")
    order.refresh_from_db()
    store_search([order])
    assert order.number in found("관악대로 271")
    assert order.number in found(f"관악대로 271 {order.recipient_phone[-4:]}")
    assert order.number not in found("관악대로 272")


def test_a_name_that_is_written_apart_is_found(some_orders):
    order = Order.objects.order_by("pk")[6]
    Order.objects.filter(pk=order.pk).update(recipient_name="남 궁민수")
    order.refresh_from_db()
    store_search([order])
    for text in ("남 궁민수", "남궁민수", "남궁 민 수", f"{order.recipient_phone[-4:]} 남 궁민수"):
        assert order.number in found(text), text
    assert order.number not in found("남 궁민호")


def test_the_old_number_finds_the_orders_that_were_split_off(some_orders):
    old, new = Order.objects.order_by("pk")[:2]
    Order.objects.filter(pk=new.pk).update(root=old, parent=old)
    assert found(old.number) == {old.number, new.number}
    assert found(new.number) == {new.number}


def test_a_phone_tail_finds_buyers_and_recipients_and_a_whole_number_only_its_own(some_orders):
    order = Order.objects.order_by("pk")[7]
    tail = order.recipient_phone[-4:]
    by_tail = {one.number for one in Order.objects.all() if tail in (one.buyer_phone[-4:], one.recipient_phone[-4:])}
    assert found(tail) == by_tail
    assert found(order.recipient_phone) == {
        one.number for one in Order.objects.all() if order.recipient_phone in (one.buyer_phone, one.recipient_phone)
    }
    written = f"{order.recipient_phone[:3]}-{order.recipient_phone[3:7]}-{order.recipient_phone[7:]}"
    assert found(written) == found(order.recipient_phone)


def test_tail_and_name_side_by_side_must_both_be_true(some_orders):
    order = Order.objects.order_by("pk")[11]
    tail, name = order.recipient_phone[-4:], order.buyer_name[1:]
    both = found(f"{tail} {name}")
    assert order.number in both
    assert both == found(tail) & found(name) != found(tail) | found(name)
    assert found(f"{name} {tail}") == both


def test_pieces_between_commas_tabs_and_lines_are_found_side_by_side(some_orders):
    first, second, third = Order.objects.order_by("pk")[:3]
    for text in (
        f"{first.number}\n{second.number}",
        f"{first.number},{second.number}",
        f"{first.number}\t{second.number}",
        f"  {first.number}   {second.number} ",
        f"{first.number};\r\n{second.number}\n",
    ):
        assert found(text) == {first.number, second.number}
    mixed = f"{first.number}, {third.recipient_phone[-4:]} {third.recipient_name}"
    assert found(mixed) == {first.number} | found(f"{third.recipient_phone[-4:]} {third.recipient_name}")


def test_names_and_addresses_are_found_by_any_part_of_two_syllables(some_orders):
    order = Order.objects.order_by("pk")[3]
    assert found(order.buyer_name, kind="name") == {
        one.number for one in Order.objects.all() if any(folded(order.buyer_name) in name for name in people(one))
    }
    assert found("해운대구 센텀로", kind="address") == {
        one.number for one in Order.objects.all() if "해운대구센텀로" in folded(one.address1 + one.address2)
    }
    assert found("센텀") == found("센텀", kind="address") != set()
    assert found("없는이름") == set()


def test_a_thousand_numbers_are_found_at_once_and_more_are_refused(some_orders):
    numbers = list(Order.objects.order_by("pk").values_list("number", flat=True))
    pasted = numbers + [f"20200101-{i:07d}" for i in range(MOST_VALUES - len(numbers))]
    assert found("\n".join(pasted)) == set(numbers)
    assert hint("\n".join([*pasted, "20200101-9999999"])).startswith("한 번에 1,000개까지 찾을 수 있습니다.")


@pytest.mark.parametrize(
    ("text", "kind", "sentence"),
    [
        ("가", "", "검색어를 두 글자 이상 입력하세요."),
        ("홍길동\x00", "", "검색어에 쓸 수 없는 글자가 있습니다. 지우고 다시 조회하세요."),
        ("123", "", "숫자는 연락처 뒤 4자리부터 찾을 수 있습니다."),
        ("12345", "tail", "연락처는 뒤 4자리 숫자로 찾습니다."),
        ("abc", "order", "'abc'는 주문번호 형식이 아닙니다."),
        ("가", "name", "두 글자 이상 입력하세요."),
        ("---", "", "'---'로 찾을 수 있는 항목이 없습니다. 검색 대상과 권한을 확인하세요."),
        ("나" * 50_000, "", "검색어가 너무 깁니다. 나누어서 조회하세요."),
    ],
)
def test_what_cannot_be_searched_for_says_why(text, kind, sentence):
    assert hint(text, kind) == sentence


def test_wild_cards_quotes_and_strange_letters_are_only_letters(some_orders):
    for text in ("홍%동", "홍_동", "'; DROP TABLE orders_order; --", "이름\\", "<script>", "김|이", "ＡＢＣ", "👍👍"):
        asked = lists.page("orders").query(f"q={text}".replace(";", "%3B").replace("%동", "%25동"), user=None, at=NOW)
        assert list(asked.queryset()[:5]) == []
    assert Order.objects.exists()


def test_who_may_not_see_people_may_not_look_for_them(some_orders, make_staff, sign_in):
    order = Order.objects.order_by("pk").first()
    for role in Role:
        may = role in {Role.OWNER, Role.CS, Role.AUDITOR}
        # 재무 finds those who pay: test_people_searches.py.
        text = order.recipient_phone if role == Role.FINANCE else order.buyer_name
        asked = lists.page("orders").query(f"q={text}", user=make_staff(role), at=NOW)
        assert asked.queryset().exists() is may
        assert asked.is_valid is (may or role == Role.FINANCE)
        assert {"name", "tail", "address", "phone"} & {arm.kind for arm in asked.arms} == (
            {"name", "tail", "address", "phone"} if may else set()
        )
        assert found(order.number, user=make_staff(role)) == {order.number}


def test_search_text_of_an_order_is_the_same_by_python_and_by_sql(some_orders):
    for order in Order.objects.order_by("pk")[:50]:
        made = search_row(order)
        assert (sorted(made.names), sorted(made.address)) == (sorted(order.search.names), sorted(order.search.address))
        assert (made.buyer_tail, made.recipient_tail) == (order.search.buyer_tail, order.search.recipient_tail)
