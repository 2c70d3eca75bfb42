"""The endpoints of /api/v1/."""

from typing import Annotated, Any

from django.http import HttpRequest, QueryDict
from django.utils import timezone
from ninja import Header, NinjaAPI, Path, Query, Status

from channels.api import errors
from channels.api.drafts import order_out, to_incoming, to_pg_paid
from channels.api.gate import ChannelKey, HonestParser
from channels.api.schemas import ConfirmIn, ErrorOut, EventPage, OrderIn, OrderOut, OrderPage
from channels.services import feed, storefront
from channels.services.idempotency import Answer, once, request_hash
from core.lists import get_page
from orders.models import SalesChannel

DESCRIPTION = """판매채널의 주문을 접수하고 상태를 읽습니다.

- 인증: 설정의 판매채널에서 발급한 API 키를 `Authorization: Bearer oms_…` 머리글로 보냅니다. 키의 채널 주문만 보입니다.
- POST 요청은 `Idempotency-Key` 머리글이 필요합니다. 같은 키를 72시간 안에 다시 보내면 다시 처리하지 않습니다.
  주문 접수는 처음과 같은 상태 코드로 지금의 주문을, 구매확정은 처음의 응답을 돌려줍니다.
- 우리 PG 계정에서 카드나 간편결제로 결제한 주문은 `payment.pg`에 PG 계정 코드와 PG 주문번호를 보냅니다. 입금대기로
  접수하고, PG가 같은 금액의 결제를 확인하면 상품준비중으로 옮깁니다. `pg_state`가 그 결과입니다.
- 구매자가 PG 결제창에서 가상계좌를 연 주문(나이스페이)도 `payment.pg`를 보냅니다. 계좌와 입금기한은 PG에 물어 알아내며,
  그때까지 `account`는 null, `account_state`는 pending입니다. 금액이 다르거나 PG가 모르는 결제이면 problem입니다.
- 금액은 원 단위 정수, 일시는 시간대가 있는 ISO 8601, 상태는 N00(입금대기)부터 N50(구매확정), C·R·E 코드입니다.
- 오류는 항상 `{"code", "message"}`이며 message는 한국어 문장입니다.
"""
OTHER_CHANNEL = errors.ApiRefused(
    400, "bad_parameter", "channel 조건은 쓸 수 없습니다. API 키의 채널 주문만 조회합니다. 조건을 지우고 다시 보내세요."
)
ORDER_NUMBER = r"^\d{8}-\d{7}$"
REFUSALS = dict.fromkeys((400, 401, 403, 404, 409, 411, 413, 415, 422, 503), ErrorOut)

Key = Annotated[
    str,
    Header(
        alias=errors.IDEMPOTENCY_HEADER,
        min_length=1,
        max_length=200,
        pattern=r"^[\x21-\x7e]+$",
        description="요청마다 새로 만드는 중복 방지 키",
    ),
]
Number = Annotated[str, Path(pattern=ORDER_NUMBER, description="주문번호. 예: 20260921-0000017")]

api = NinjaAPI(
    title="주문관리 OMS API",
    version="1",
    description=DESCRIPTION,
    docs_url=None,
    auth=ChannelKey(),
    parser=HonestParser(),
    urls_namespace="channels:api-v1",
)
errors.install(api)


@api.post(
    "/orders", response={200: OrderOut, 201: OrderOut} | REFUSALS, summary="주문 접수", tags=["주문"],
    description="새 주문이면 201, 이미 접수한 같은 주문이면 200과 저장된 주문을 돌려줍니다.",
)  # fmt: skip
def create_order(request: HttpRequest, payload: OrderIn, idempotency_key: Key) -> Any:
    """주문 접수."""
    _only(request)
    channel, at = _channel(request), timezone.now()

    def work() -> Answer:
        incoming, paid = to_incoming(payload), to_pg_paid(payload)
        order, is_new = storefront.receive_order(channel=channel, incoming=incoming, at=at, paid=paid)
        return Answer(201 if is_new else 200, {"number": order.number})

    asked = request_hash("orders", payload.model_dump(mode="json"))
    found = once(key=idempotency_key, asked=asked, at=at, work=work, channel=channel)
    # Only the number is remembered: the PG may have told of an account, and of money in it, by now.
    order = storefront.open_account_now(channel=channel, number=found.body["number"], at=at)
    order.refresh_from_db()
    return Status(found.status, order_out(order))


@api.get(
    "/orders", response={200: OrderPage} | REFUSALS, summary="주문 조회", tags=["주문"],
    description="통합주문조회와 같은 조건을 씁니다: q, tab, period, from, to, basis, sort, size, after, before 등.",
)  # fmt: skip
def list_orders(request: HttpRequest) -> Any:
    """주문 조회: the very list that staff see, narrowed to the channel and masked."""
    own = str(_channel(request).pk)
    if set(request.GET.getlist("channel")) - {own}:
        raise OTHER_CHANNEL
    params = QueryDict(mutable=True)
    for name, values in request.GET.lists():
        params.setlist(name, list(values))
    params["channel"] = own
    params.setdefault("period", "all")
    return get_page("orders").query(params, user=None, at=timezone.now()).api()


@api.get("/orders/{number}", response={200: OrderOut} | REFUSALS, summary="주문 한 건", tags=["주문"])
def read_order(request: HttpRequest, number: Number) -> Any:
    """주문 한 건."""
    _only(request)
    return order_out(storefront.find_order(channel=_channel(request), number=number))


@api.post(
    "/orders/{number}/confirm-purchase", response={200: OrderOut} | REFUSALS, summary="구매확정", tags=["주문"],
    description="구매자의 구매확정입니다. 확정할 수 없는 품목이 하나라도 있으면 아무것도 바꾸지 않습니다.",
)  # fmt: skip
def confirm_purchase(request: HttpRequest, number: Number, payload: ConfirmIn, idempotency_key: Key) -> Any:
    """구매확정."""
    _only(request)
    channel, at = _channel(request), timezone.now()

    def work() -> Answer:
        order, _ = storefront.confirm_purchase(channel=channel, number=number, line_numbers=payload.lines, at=at)
        order.refresh_from_db()
        return Answer(200, order_out(order).model_dump(mode="json"))

    asked = request_hash("confirm-purchase", number, payload.model_dump(mode="json"))
    return _answered(once(key=idempotency_key, asked=asked, at=at, work=work, channel=channel))


@api.get(
    "/events", response={200: EventPage} | REFUSALS, summary="변경 목록", tags=["변경"],
    description="after보다 큰 번호의 변경을 순서대로 돌려줍니다. next를 다음 after로 보내면 빠지는 변경이 없습니다.",
)  # fmt: skip
def list_events(
    request: HttpRequest,
    after: Annotated[int, Query(ge=0, lt=2**63, description="마지막으로 받은 next")] = 0,
    limit: Annotated[int, Query(ge=1, le=500, description="한 번에 받을 건수")] = 100,
) -> Any:
    """변경 목록."""
    _only(request, "after", "limit")
    found = feed.channel_feed(channel=_channel(request), after=after, limit=limit)
    events = [{name: getattr(one, name) for name in feed.FeedEvent.__dataclass_fields__} for one in found.events]
    return {"events": events, "next": found.next_after, "more": found.has_more}


def _only(request: HttpRequest, *names: str) -> None:
    """Unknown conditions are refused, as the list of orders does. Raises ApiRefused."""
    unknown = next((name for name in request.GET if name not in names), None)
    if unknown is None:
        return
    shown = "".join(letter for letter in unknown if letter.isprintable())[:40]
    allowed = f" 쓸 수 있는 조건은 {', '.join(names)}입니다." if names else ""
    text = f"이 주소에 없는 조건입니다: {shown}.{allowed} 조건을 지우고 다시 보내세요."
    raise errors.ApiRefused(400, "bad_parameter", text)


def _channel(request: HttpRequest) -> SalesChannel:
    channel: SalesChannel = request.auth.channel  # type: ignore[attr-defined]
    return channel


def _answered(found: Answer) -> Any:
    return Status(found.status, found.body)
