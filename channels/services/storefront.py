"""자사몰 연동: what a channel's storefront asks of its own orders, and never of anybody else's."""

from collections.abc import Collection
from datetime import datetime

from channels.services.limits import draft_problem, due_amount
from channels.services.placing import Incoming, known_orders, place_orders
from core.exceptions import Conflict, DomainError, NotFound
from core.korean import josa
from core.models import Source
from core.state import Outcome
from orders.events import RECIPIENT_CHANGED
from orders.models import Order, OrderLine, SalesChannel
from orders.services import progress
from orders.services.intake import OrderDraft
from orders.states import ConfirmedBy, LineState, PaymentMethod
from payments.services.gateway import issuing
from payments.services.ledger import references
from payments.services.ledger.references import PgPaid
from payments.services.watching import card_checks

_SAID = (
    "payment_method", "delivery_method", "buyer_name", "buyer_phone", "buyer_email", "recipient_name",
    "recipient_phone", "recipient_phone2", "zip_code", "address1", "address2", "jibun_address", "safe_number_end_date",
    "delivery_note",
)  # fmt: skip
"""What a storefront says of an order beside its lines and amounts: with another value it is another order."""


class OrderRefused(DomainError):
    """주문 접수 불가: the order as sent cannot be stored; nothing is."""

    code = "order_refused"
    status = 422


class PurchaseRefused(Conflict):
    """구매확정 불가: at least one of the lines may not be confirmed; none is."""

    code = "purchase_refused"


def receive_order(
    *, channel: SalesChannel, incoming: Incoming, at: datetime, paid: PgPaid | None = None
) -> tuple[Order, bool]:
    """주문 접수: the stored order, and whether it is new; the same order again is the stored one.

    `paid` names the payment at a PG of ours that is to confirm the money, or to tell of the virtual account that the
    buyer has opened in its window. The same order again may bring the PG's own number of the payment, or mend it, while
    the PG has shown nothing. Raises OrderRefused, PgRefused, and Conflict when the number is known with other lines,
    amounts, people, address or payment.
    """
    draft = incoming.draft
    problem = draft_problem(draft, at=at)
    if problem:
        raise OrderRefused(problem)
    # A repetition is answered whatever has become of the PG account since.
    account = None
    if paid is not None and not known_orders(channel, [draft.channel_number]):
        account = references.account_for(paid, method=draft.payment_method, due=due_amount(draft))
    placed = place_orders(
        channel=channel,
        incoming=[incoming],
        actor=None,
        at=at,
        source=Source.API,
        creates_products=channel.creates_products,
    )
    if draft.channel_number in placed.created:
        order = placed.created[draft.channel_number]
        if paid is None or account is None:
            issuing.ask_for_accounts(orders=[order], at=at)
        elif order.payment_method == PaymentMethod.VIRTUAL_ACCOUNT:
            issuing.await_window(order=order, account=account, paid=paid, at=at)
        else:
            card_checks.await_pg(order=order, account=account, paid=paid, at=at)
        return order, True
    known = placed.known[draft.channel_number]
    if not _is_same(known, draft) or not references.is_same(known, paid):
        raise Conflict(
            f"같은 채널 주문번호로 다른 내용의 주문이 이미 있습니다. 주문번호 {josa(known.number, '을/를')} 조회해 "
            "비교하고, 새 주문이면 다른 채널 주문번호로 보내세요.",
            code="order_differs",
        )
    if paid is not None:
        references.take_number(known, paid, at=at)
    return known, False


def _is_same(order: Order, draft: OrderDraft) -> bool:
    """As it was received: lines that staff have split and recipient facts that they have changed since still match."""
    stored = OrderLine.objects.filter(order=order).exclude(state=LineState.MOVED)
    units = sum(stored.values_list("quantity", flat=True))
    if order.due_amount != due_amount(draft) or units != sum(line.quantity for line in draft.lines):
        return False
    different = {name for name in _SAID if getattr(order, name) != getattr(draft, name)}
    return not different or different <= _changed_by_staff(order)


def _changed_by_staff(order: Order) -> set[str]:
    changes = order.events.filter(kind=RECIPIENT_CHANGED).values_list("data", flat=True)
    return {name for data in changes for name in (data or {}).get("fields", ())}


def open_account_now(*, channel: SalesChannel, number: str, at: datetime) -> Order:
    """가상계좌 바로 발급: once the order is committed; a slow PG leaves the account to the relay. Raises NotFound."""
    order = find_order(channel=channel, number=number)
    issuing.issue_now(order=order, at=at)
    order.refresh_from_db(fields=["deposit_by"])
    return order


def find_order(*, channel: SalesChannel, number: str) -> Order:
    """주문 찾기: one of the channel's own orders by our number. Raises NotFound."""
    order = Order.objects.filter(channel=channel, number=number).first()
    if order is None:
        raise NotFound("주문을 찾을 수 없습니다. 주문번호를 확인하세요.")
    assert isinstance(order, Order)
    return order


def confirm_purchase(
    *, channel: SalesChannel, number: str, line_numbers: Collection[str] | None, at: datetime
) -> tuple[Order, Outcome]:
    """구매확정: by the buyer, all lines that can be or exactly those named; one that cannot refuses all.

    Without names the lines that are closed or confirmed already are passed over. Raises NotFound, PurchaseRefused.
    """
    order = find_order(channel=channel, number=number)
    lines = list(OrderLine.objects.filter(order=order).order_by("seq"))
    if line_numbers is None:
        chosen = [line for line in lines if line.state in {LineState.SHIPPING, LineState.DELIVERED}]
    else:
        chosen = [line for line in lines if line.number in set(line_numbers)]
        if unknown := set(line_numbers) - {line.number for line in chosen}:
            raise NotFound(f"이 주문에 없는 품목입니다: {min(unknown)}")
    if not chosen:
        raise PurchaseRefused("구매확정할 수 있는 품목이 없습니다. 배송중이거나 배송완료인 품목만 확정합니다.")
    outcome = progress.confirm_purchase(
        line_ids=[line.pk for line in chosen], by=ConfirmedBy.BUYER, actor=None, at=at, source=Source.BUYER
    )
    if outcome.refused:
        names = {line.pk: line.number for line in chosen}
        first = min(outcome.refused)
        raise PurchaseRefused(f"{names[first]}: {outcome.refused[first]}")
    return order, outcome
