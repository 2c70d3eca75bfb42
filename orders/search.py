"""Search text of orders: two-character pieces of names and addresses, because staff type two syllables of a name.

A needle is cut into the same pieces, `names @> pieces` finds candidates by the GIN index, and the caller compares the
full text afterwards. Trigrams cannot find two syllables (performance.md 3.1).
"""

import unicodedata
from collections.abc import Callable, Sequence
from typing import Any

from django.db.models import CharField, F, Func, Q, QuerySet, Value
from django.db.models.functions import Concat, Lower

from core.lists import NUMBER, TAIL, WORD, SearchArm
from core.phones import PHONE_HINT, normalize_phone, tail4
from orders.models import Order, OrderLine, OrderSearch, SalesChannel

NOISE = " \t\n\r\u00a0\u3000()[]·.,'\"-"
"""Characters that no comparison looks at; the database drops the same ones."""
_NOISE = str.maketrans("", "", NOISE)
BETWEEN = "|"
"""Stands between two names when they are compared as one text; no needle reaches over it."""
PEOPLE = "orders.find_people"
"""The right to look for a person by name or phone (reliability.md 4.1)."""
DEPOSITOR = "orders.find_depositor"
"""The right to look for nobody but the one who paid; PEOPLE finds them among the names."""

ORDER_NUMBER = r"20\d{6}-\d{7}"
LINE_NUMBER = r"20\d{6}-\d{7}-\d{2,3}"
CHANNEL_NUMBER = r"(?=(?:\D*\d){6})[0-9A-Za-z_-]{6,60}"
PHONE = r"0\d{8,11}"
PHRASE = r"(?=.*[^\W\d_])[^|]{2,60}"

Orders = QuerySet[Any]
Find = Callable[[Sequence[str]], tuple[Orders, str]]
ToBase = Callable[[Orders, str], QuerySet[Any]]


def folded(text: str) -> str:
    """One spelling for comparing: NFC, lower case, without spaces and punctuation."""
    # lower(), not casefold(): the database must arrive at the same spelling.
    return unicodedata.normalize("NFC", text).lower().translate(_NOISE)


def bigrams(*texts: str) -> list[str]:
    """Distinct two-character pieces of the texts, sorted; a text of one character is a piece of its own."""
    pieces: set[str] = set()
    for text in texts:
        plain = folded(text)
        pieces.update(plain[i : i + 2] for i in range(len(plain) - 1))
        if len(plain) == 1:
            pieces.add(plain)
    return sorted(pieces)


def search_row(order: Any) -> OrderSearch:
    """검색 글자 of one order, not stored yet."""
    return OrderSearch(
        order_id=order.pk,
        names=bigrams(order.buyer_name, order.recipient_name, order.depositor_name),
        address=bigrams(f"{order.address1} {order.address2} {order.jibun_address}"),
        buyer_tail=tail4(order.buyer_phone),
        recipient_tail=tail4(order.recipient_phone),
    )


def store_search(orders: Sequence[Any]) -> None:
    """Write the search rows of new or changed orders."""
    OrderSearch.objects.bulk_create(
        [search_row(order) for order in orders],
        update_conflicts=True,
        unique_fields=["order"],
        update_fields=["names", "address", "buyer_tail", "recipient_tail"],
        batch_size=1000,
    )


def _as_orders(found: QuerySet[Any], column: str) -> QuerySet[Any]:
    return found.values_list(column)


def order_arms(to_base: ToBase = _as_orders) -> tuple[SearchArm, ...]:
    """주문의 검색 갈래: numbers, phone tails, names and addresses of orders.

    Pages whose rows are not orders pass `to_base(found, column)`, which turns a queryset with the order's id in
    `column` into one of their own row ids, for instance
    `lambda found, column: Shipment.objects.filter(order__in=found.values(column)).values_list("pk")`.
    """

    def arm(kind: str, label: str, pattern: str, find: Find, **more: Any) -> SearchArm:
        return SearchArm(kind, label, pattern, lambda values: to_base(*find(values)), **more)

    people: dict[str, Any] = {"permission": PEOPLE}
    phone = people | {"group": NUMBER, "normalise": normalize_phone, "hint": PHONE_HINT}
    tail = people | {"group": TAIL, "hint": "연락처는 뒤 4자리 숫자로 찾습니다."}
    phrase = people | {"group": WORD, "normalise": folded, "hint": "두 글자 이상 입력하세요."}
    payer = phrase | {"permission": DEPOSITOR}
    return (
        arm("order", "주문번호", ORDER_NUMBER, lambda given: (Order.objects.filter(number__in=given), "pk")),
        arm("order", "주문번호", ORDER_NUMBER, lambda given: (Order.objects.filter(root__number__in=given), "pk")),
        arm("order", "주문번호", r"20\d{6}", _of_day),
        arm("line", "품목별 주문번호", LINE_NUMBER, _of_line),
        arm("channel-order", "채널 주문번호", CHANNEL_NUMBER, _of_channel),
        arm("tail", "연락처 뒤 4자리", r"\d{4}", lambda given: (_search(buyer_tail__in=given), "order_id"), **tail),
        arm("tail", "연락처 뒤 4자리", r"\d{4}", lambda given: (_search(recipient_tail__in=given), "order_id"), **tail),
        arm("phone", "연락처", PHONE, lambda given: (_by_phone("buyer", given), "order_id"), **phone),
        arm("phone", "연락처", PHONE, lambda given: (_by_phone("recipient", given), "order_id"), **phone),
        arm("name", "이름", PHRASE, lambda given: (_by_text("names", NAMES, given), "order_id"), **phrase),
        arm("depositor", "입금자명", PHRASE, lambda given: (_by_depositor(given), "order_id"), **payer),
        arm("address", "주소", PHRASE, lambda given: (_by_text("address", ADDRESS, given), "order_id"), **phrase),
    )


def _of_line(values: Sequence[str]) -> tuple[Orders, str]:
    return OrderLine.objects.filter(number__in=values), "order_id"


def _search(**conditions: Any) -> Orders:
    return OrderSearch.objects.filter(**conditions)


def _of_day(days: Sequence[str]) -> tuple[Orders, str]:
    """Orders by the day in their number: a range of the number's own index."""
    condition = Q()
    for day in days:
        condition |= Q(number__gte=f"{day}-", number__lt=f"{day}.")
    return Order.objects.filter(condition), "pk"


def _of_channel(values: Sequence[str]) -> tuple[Orders, str]:
    """The index begins with the channel, of which there are few: one look-up for each of them."""
    channels = SalesChannel.objects.all()
    return Order.objects.filter(channel__in=channels, channel_number__in=values, parent__isnull=True), "pk"


def _by_phone(person: str, values: Sequence[str]) -> Orders:
    tails = sorted({tail4(value) for value in values})
    return OrderSearch.objects.filter(**{f"{person}_tail__in": tails, f"order__{person}_phone__in": values})


class _Folded(Func):
    """The database's `folded()`."""

    function = "translate"
    output_field = CharField()

    def __init__(self, text: Any) -> None:
        super().__init__(Lower(text), Value(NOISE), Value(""))


def _joined(*fields: str) -> Any:
    parts: list[Any] = []
    for name in fields:
        parts += [F(f"order__{name}"), Value(BETWEEN)]
    return Concat(*parts, output_field=CharField())


NAMES = _Folded(_joined("buyer_name", "recipient_name", "depositor_name"))
ADDRESS = _Folded(
    Concat(F("order__address1"), F("order__address2"), F("order__jibun_address"), output_field=CharField())
)


def _by_text(column: str, text: Any, needles: Sequence[str]) -> Orders:
    """Rows with all pieces of a needle; needles longer than one piece are compared with the full text as well."""
    condition = Q()
    is_compared = any(len(needle) > 2 for needle in needles)
    for needle in needles:
        here = Q(**{f"{column}__contains": bigrams(needle)})
        condition |= here & Q(full_text__contains=needle) if len(needle) > 2 else here
    rows = OrderSearch.objects.all()
    return (rows.alias(full_text=text) if is_compared else rows).filter(condition)


def _by_depositor(needles: Sequence[str]) -> Orders:
    """Always compared with the name itself: the pieces do not tell a depositor from a buyer or recipient."""
    condition = Q()
    for needle in needles:
        condition |= Q(names__contains=bigrams(needle), depositor__contains=needle)
    return OrderSearch.objects.alias(depositor=_Folded(F("order__depositor_name"))).filter(condition)
