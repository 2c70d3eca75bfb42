"""The graph of a refund: code and database agree about it, and money is never promised twice."""

import pytest
from django.db import IntegrityError, connection, transaction

from accounts.roles import Role
from orders.states import PaymentMethod
from payments.models import LedgerEntry, MoneyProblem, Payment, Refund, RefundAccount
from payments.services.manual import confirm_manually
from payments.services.refunds import by_hand, requesting, retrying
from payments.services.refunds.requesting import Ask
from payments.states import REFUND_FIRST, REFUND_MOVES, EntryKind, RefundState, RefundWay
from tests.fixtures.orders import NOW, broken, reloaded
from tests.fixtures.refunds import ACCOUNT

R = RefundState


def declared_moves() -> set[tuple[str, str]]:
    found = set()
    for one in Refund._meta.get_field("state").get_all_transitions(Refund):
        targets = getattr(one.target, "allowed_states", None) or [one.target]
        # Who stays in its state makes no jump.
        found |= {(str(one.source), str(target)) for target in targets if one.source != target}
    return found


def test_the_trigger_knows_the_same_moves_as_the_transitions():
    assert declared_moves() == {(str(a), str(b)) for a, b in REFUND_MOVES}


def test_every_state_is_reachable():
    reached, grown = set(REFUND_FIRST), True
    while grown:
        more = {b for a, b in REFUND_MOVES if a in reached} - reached
        reached, grown = reached | more, bool(more)
    assert reached == {*R}


def test_every_transition_has_a_korean_label():
    labels = [t.custom.get("label", "") for t in Refund._meta.get_field("state").get_all_transitions(Refund)]
    assert all(any("가" <= letter <= "힣" for letter in label) for label in labels)


@pytest.mark.parametrize("source", list(R))
@pytest.mark.parametrize("target", list(R))
def test_the_database_refuses_every_other_jump(paid_refund, source, target):
    refund = paid_refund()
    entry = LedgerEntry.objects.filter(payment=refund.payment).first()
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(
            "UPDATE payments_refund SET state = %s, entry_id = %s WHERE id = %s", [source, entry.pk, refund.pk]
        )
        cursor.execute("SET LOCAL session_replication_role = origin")
    sql = "UPDATE payments_refund SET state = %s, version = version + 1 WHERE id = %s"
    if source == target or (source, target) in REFUND_MOVES:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(sql, [target, refund.pk])
            assert reloaded(refund).state == target
            transaction.set_rollback(True)
    else:
        with pytest.raises(IntegrityError, match="illegal move"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(sql, [target, refund.pk])
        assert reloaded(refund).state == source


def test_a_move_without_a_version_is_refused_by_the_database(paid_refund):
    refund = paid_refund()
    with pytest.raises(IntegrityError, match="without its version"), transaction.atomic():
        Refund.objects.filter(pk=refund.pk).update(state=R.HELD)
    assert reloaded(refund).state == R.APPROVED


def test_a_refund_may_not_begin_on_its_way(paid_refund):
    refund = paid_refund(amount=1_000)
    with pytest.raises(IntegrityError, match="may not begin"), transaction.atomic():
        Refund.objects.create(
            payment=refund.payment, order=refund.order, way=RefundWay.BANK, amount=1, reason="x", requested_at=NOW,
            state=R.SENDING,
        )  # fmt: skip
    assert Refund.objects.count() == 1


def test_the_database_caps_open_refunds_of_a_payment(paid_refund):
    refund = paid_refund(amount=4_000)
    row = {"payment": refund.payment, "order": refund.order, "way": RefundWay.BANK, "reason": "x", "requested_at": NOW}
    with pytest.raises(IntegrityError, match="would be 10001 of 10000"), transaction.atomic():
        Refund.objects.create(amount=6_001, **row)
    Refund.objects.create(amount=6_000, **row)
    with pytest.raises(IntegrityError, match="would be 10001 of 10000"), transaction.atomic():
        Refund.objects.create(amount=1, **row)
    assert sorted(Refund.objects.values_list("amount", flat=True)) == [4_000, 6_000]


def test_the_database_caps_a_refund_that_is_opened_again(paid_refund, staff):
    first = paid_refund(amount=10_000)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute("UPDATE payments_refund SET state = 'FAILED' WHERE id = %s", [first.pk])
        cursor.execute("SET LOCAL session_replication_role = origin")
    [second] = requesting.request(
        asks=[Ask(payment_id=first.payment_id, amount=3_000, account=ACCOUNT)], reason="다시", actor=staff, at=NOW
    ).refunds
    with pytest.raises(IntegrityError, match="would be 13000 of 10000"), transaction.atomic():
        Refund.objects.filter(pk=first.pk).update(state=R.DRAFT, version=first.version + 1)
    outcome = retrying.retry(refund_ids=[first.pk], actor=staff, at=NOW)
    assert outcome.refused == {first.pk: "환불 가능 금액을 초과했습니다. 지금 환불할 수 있는 금액은 7,000원입니다."}
    assert (reloaded(first).state, reloaded(second).state) == (R.FAILED, R.APPROVED)


def test_neither_amount_nor_payment_of_a_refund_changes(paid_refund):
    refund = paid_refund(amount=1_000)
    with pytest.raises(IntegrityError, match="may not change"), transaction.atomic():
        Refund.objects.filter(pk=refund.pk).update(amount=999)
    assert reloaded(refund).amount == 1_000


def test_a_done_refund_without_its_ledger_row_is_refused_by_the_database(paid_refund):
    refund = paid_refund()
    with pytest.raises(IntegrityError, match="refund_done_is_booked"), transaction.atomic():
        Refund.objects.filter(pk=refund.pk).update(state=R.COMPLETED, version=refund.version + 1)
    assert reloaded(refund).state == R.APPROVED


# Requests


def test_33_001_of_33_000_is_refused_before_anything_happens(paid_payment, staff):
    payment = paid_payment(price=33_000)
    asked = requesting.request(
        asks=[Ask(payment_id=payment.pk, amount=33_001, account=ACCOUNT)], reason="환불", actor=staff, at=NOW
    )
    assert asked.refunds == []
    assert asked.refused == {0: "환불 가능 금액을 초과했습니다. 지금 환불할 수 있는 금액은 33,000원입니다."}
    assert not Refund.objects.exists()


@pytest.mark.parametrize(
    ("account", "sentence"),
    [
        (None, "환불계좌를 입력하세요."),
        (RefundAccount(bank="004", number="12-34", holder="홍길동"), "숫자 6~20자리"),
        (RefundAccount(bank="004", number="123456789", holder=" "), "예금주를 함께"),
    ],
)
def test_money_that_came_by_transfer_needs_an_account_to_go_back_to(paid_payment, staff, account, sentence):
    payment = paid_payment()
    asked = requesting.request(
        asks=[Ask(payment_id=payment.pk, amount=1, account=account)], reason="환불", actor=staff, at=NOW
    )
    assert sentence in asked.refused[0]
    assert not Refund.objects.exists()


def test_several_asks_of_one_payment_share_what_it_holds(paid_payment, staff):
    payment = paid_payment()
    asks = [Ask(payment_id=payment.pk, amount=6_000, account=ACCOUNT) for _ in range(2)]
    asked = requesting.request(asks=asks, reason="환불", actor=staff, at=NOW)
    assert [refund.amount for refund in asked.refunds] == [6_000]
    assert "4,000원" in asked.refused[1]


def test_an_account_is_sealed_at_rest(paid_refund):
    refund = reloaded(paid_refund())
    assert refund.account == ACCOUNT
    assert ACCOUNT.number not in refund.sealed_account
    assert ACCOUNT.holder not in refund.sealed_account


# Two people


def test_a_large_refund_needs_a_second_person(paid_payment, staff, finance):
    payment = paid_payment(price=300_000)
    [refund] = requesting.request(
        asks=[Ask(payment_id=payment.pk, amount=300_000, account=ACCOUNT)], reason="환불", actor=staff, at=NOW
    ).refunds
    assert reloaded(refund).state == R.DRAFT
    outcome = requesting.approve(refund_ids=[refund.pk], actor=staff, at=NOW)
    assert outcome.refused == {refund.pk: "신청한 사람과 다른 사람이 승인해야 하는 환불입니다."}
    assert reloaded(refund).state == R.DRAFT
    assert requesting.approve(refund_ids=[refund.pk], actor=finance, at=NOW).moved_ids == [refund.pk]
    assert reloaded(refund).approved_by == finance


def test_one_person_is_refused_by_the_database_too(paid_payment, staff):
    payment = paid_payment(price=300_000)
    [refund] = requesting.request(
        asks=[Ask(payment_id=payment.pk, amount=300_000, account=ACCOUNT)], reason="환불", actor=staff, at=NOW
    ).refunds
    with pytest.raises(IntegrityError, match="refund_two_people"), transaction.atomic():
        Refund.objects.filter(pk=refund.pk).update(state=R.APPROVED, version=1, approved_by=staff)
    assert reloaded(refund).state == R.DRAFT


def test_many_small_refunds_of_one_person_and_day_need_a_second_one(paid_payment, staff):
    payments = [paid_payment(price=290_000) for _ in range(4)]
    asks = [Ask(payment_id=payment.pk, amount=290_000, account=ACCOUNT) for payment in payments]
    made = [requesting.request(asks=[ask], reason="환불", actor=staff, at=NOW).refunds[0].needs_second for ask in asks]
    assert made == [False, False, False, True]


def test_an_account_of_somebody_else_needs_a_second_person(paid_payment, staff):
    payment = paid_payment()
    other = RefundAccount(bank="088", number="110123456789", holder="김다른")
    [refund] = requesting.request(
        asks=[Ask(payment_id=payment.pk, amount=1, account=other)], reason="환불", actor=staff, at=NOW
    ).refunds
    assert refund.needs_second
    assert reloaded(refund).state == R.DRAFT


def test_who_may_not_approve_leaves_a_draft(paid_payment, make_staff):
    payment = paid_payment()
    [refund] = requesting.request(
        asks=[Ask(payment_id=payment.pk, amount=1, account=ACCOUNT)], reason="환불", actor=make_staff(Role.CS), at=NOW
    ).refunds
    assert reloaded(refund).state == R.DRAFT


# Hold, release, withdraw, pay out


def test_a_held_refund_goes_back_to_where_it_was(paid_refund, staff):
    refund = paid_refund()
    assert requesting.hold(refund_ids=[refund.pk], actor=staff, at=NOW, reason="확인").moved_ids == [refund.pk]
    assert by_hand.pay_out(refund_ids=[refund.pk], actor=staff, at=NOW).moved == []
    assert reloaded(refund).state == R.HELD
    requesting.release(refund_ids=[refund.pk], actor=staff, at=NOW)
    assert reloaded(refund).state == R.APPROVED


def test_a_withdrawn_refund_frees_the_money(paid_refund, staff):
    refund = paid_refund(amount=10_000)
    requesting.withdraw(refund_ids=[refund.pk], actor=staff, at=NOW, reason="고객 철회")
    assert reloaded(refund).state == R.WITHDRAWN
    again = Ask(payment_id=refund.payment_id, amount=10_000, account=ACCOUNT)
    assert len(requesting.request(asks=[again], reason="환불", actor=staff, at=NOW).refunds) == 1


def test_a_transfer_by_staff_is_booked_once(paid_refund, staff):
    refund = paid_refund(amount=4_000)
    assert by_hand.pay_out(refund_ids=[refund.pk], actor=staff, at=NOW).moved_ids == [refund.pk]
    again = by_hand.pay_out(refund_ids=[refund.pk], actor=staff, at=NOW)
    assert again.moved == []
    assert "환불완료" in again.refused[refund.pk]
    refund = reloaded(refund)
    assert refund.state == R.COMPLETED
    assert refund.entry.kind == EntryKind.PAID_OUT
    assert refund.entry.amount == -4_000
    assert reloaded(refund.payment).balance == 6_000
    assert reloaded(refund.order).paid_amount == 6_000
    assert broken() == []


def test_a_refund_of_too_much_money_settles_the_problem(make_order, deposit, staff):
    order = make_order()
    confirm_manually(order_ids=[order.pk], actor=staff, at=NOW)
    deposit(order, 5_000)
    payment = Payment.objects.get(order=order)
    MoneyProblem.objects.create(kind="OVERPAID", payment=payment, order=order, amount=5_000, found_at=NOW)
    [refund] = requesting.request(
        asks=[Ask(payment_id=payment.pk, amount=5_000, account=ACCOUNT)], reason="초과입금", actor=staff, at=NOW
    ).refunds
    by_hand.pay_out(refund_ids=[refund.pk], actor=staff, at=NOW)
    assert MoneyProblem.objects.get().resolution == "FITS"
    assert broken() == []


def test_a_card_payment_without_a_pg_of_ours_is_refunded_where_it_was_paid(make_order, staff):
    order = make_order(paid=True, payment_method=PaymentMethod.EASY_PAY)
    payment = Payment.objects.get(order=order)
    [refund] = requesting.request(
        asks=[Ask(payment_id=payment.pk, amount=10_000)], reason="환불", actor=staff, at=NOW
    ).refunds
    assert refund.way == RefundWay.PROVIDER
    assert refund.account is None
    by_hand.pay_out(refund_ids=[refund.pk], actor=staff, at=NOW)
    assert reloaded(refund).state == R.COMPLETED
    assert reloaded(payment).balance == 0
    assert broken() == []
