"""The sums on the page of a case: what came less what the order is worth by now is what the case is about."""

import re

import pytest

from accounts.roles import Role
from payments.services.refunds import requesting
from payments.states import ProblemKind, RefundState
from tests.fixtures.answers import body, text_of
from tests.fixtures.orders import NOW

CUT = "일부를 취소하고 남은 결제예정액보다 많이 들어왔습니다."


@pytest.fixture
def in_two(at_pg, make_variant):
    """An order of 40,000 won in two lines, paid at a PG."""
    one = at_pg(lines=[(make_variant(on_hand=5), 1), (make_variant(on_hand=5), 1)], price=20_000)
    one.tell(40_000)
    return one


def facts_of(answer):
    """`{"결제예정액": "20,000원", …}` of the page."""
    pairs = re.findall(r"<dt>([^<]+)</dt><dd[^>]*>(.*?)</dd>", body(answer), re.S)
    return {name: " ".join(re.sub(r"<[^>]+>", "", text).split()) for name, text in pairs}


def page_of(problem, client):
    return client.get(f"/payments/problems/{problem.pk}/")


def test_a_withdrawn_refund_of_a_part_is_too_much_by_what_is_left_of_the_order(in_two, sign_in):
    in_two.cancel(1)
    [refund] = in_two.order.refunds.all()
    facts = {"actor": in_two.staff, "at": in_two.moment, "reason": "고객이 다른 상품을 고름"}
    assert requesting.withdraw(refund_ids=[refund.pk], **facts).refused == {}
    assert in_two.problems() == [(ProblemKind.OVERPAID, 20_000)]
    client = sign_in(Role.OWNER)
    answer = page_of(in_two.open_problem(), client)
    facts = facts_of(answer)
    assert facts["금액"] == "20,000원"
    assert facts["결제예정액"] == "20,000원 · 일부 취소 전 40,000원"
    assert facts["들어온 돈"] == "40,000원"
    assert f"{CUT} 신청한 환불을 철회했습니다." in text_of(answer)
    for page in ("/payments/problems/", f"/orders/{in_two.order.number}/"):
        assert CUT in text_of(client.get(page))


def test_what_is_to_go_back_already_is_named(in_two, sign_in):
    in_two.cancel(1)
    assert in_two.refunds() == [(RefundState.APPROVED, 20_000)]
    in_two.tell(40_000, 5_000)
    problem = in_two.open_problem()
    facts = facts_of(page_of(problem, sign_in(Role.OWNER)))
    assert (problem.amount, facts["결제예정액"]) == (5_000, "20,000원 · 일부 취소 전 40,000원")
    assert facts["들어온 돈"] == "45,000원 · 환불할 돈 20,000원"


def test_a_whole_order_shows_its_own_sum(at_pg, sign_in):
    one = at_pg()
    one.tell(41_000)
    answer = page_of(one.open_problem(), sign_in(Role.OWNER))
    assert (facts_of(answer)["결제예정액"], facts_of(answer)["들어온 돈"]) == ("40,000원", "41,000원")
    assert "결제예정액보다 많이 들어왔습니다." in text_of(answer)
    assert "취소" not in facts_of(answer)["결제예정액"]
    assert one.moment > NOW


def test_late_money_shows_what_the_order_had_been(at_pg, sign_in):
    one = at_pg(price=27_000)
    one.tell(27_000)
    one.cancel()
    one.pay_out()
    one.tell(27_000, 27_000)
    facts = facts_of(page_of(one.open_problem(), sign_in(Role.OWNER)))
    assert (facts["결제예정액"], facts["들어온 돈"]) == ("27,000원", "27,000원 · 돌려준 돈 27,000원")
