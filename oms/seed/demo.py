"""데모 쇼핑몰: staff to log in as, work in every step, and parcels that the sandbox moves."""

import logging
import os
from datetime import UTC, datetime, timedelta

from accounts.models import User
from accounts.services import DEMO_STAFF, create_demo_staff
from core.calendar import kst_date
from core.http import Client, HttpProblem
from core.settings_registry import change_settings, get_setting, get_settings, set_setting
from oms.seed.loader import Say
from oms.seed.plan import demo_plan
from oms.seed.shop import seed_shop
from orders.models import Order
from orders.search import store_search
from orders.states import DeliveryMethod
from payments.models import BankAccount
from shipping.adapters.base import RawEvent
from shipping.couriers import COURIERS
from shipping.models import (
    CourierContract,
    Parcel,
    Shipment,
    ShipmentStep,
    TrackingAccount,
    TrackingEvent,
    WaybillDraft,
)
from shipping.options import PUBLIC_URL
from shipping.services.issuing.contracts import ContractFacts, add_range, save_contract
from shipping.services.polling.polls import SOURCE
from shipping.services.tracking.feeding import write_events
from shipping.services.tracking.stored import raw_event
from shipping.states import ContractMode, ParcelState
from shipping.waybills import with_check_digit

SANDBOX_URL = "http://127.0.0.1:8010"
"""Where `make up` starts the courier sandbox by default; OMS_TRACKER_DELIVERY_BASE_URL says so when it is elsewhere."""
SANDBOX_SPEED = 300
"""The sandbox lives 300 times faster than a courier: 29 hours in six minutes; so often must we ask."""
DRAFTS = 5
"""So many typed numbers wait for a person; the other shipments are free for 송장 채번."""
SAFE_NUMBERS = (("050700000001", -1), ("050700000002", 1), ("050700000003", 60))
"""안심번호 of the demo, and in how many days they end."""
JIBUN = "서울특별시 중구 태평로1가 31"
"""The other form of the demo's own address, the city hall of Seoul."""
SENDER = {
    "sender_name": "데모 쇼핑몰", "sender_phone": "0212345678", "sender_zip": "04524",
    "sender_address": "서울특별시 중구 세종대로 110",
}  # fmt: skip
_PICKED = (
    ("AT_PICKUP", "집화처리", "상품을 인수했습니다.", "경기테스트"),
    ("IN_TRANSIT", "간선상차", "배송지역으로 이동 중입니다.", "옥천HUB"),
)
ACCIDENTS = (
    (*_PICKED, ("UNKNOWN", "분실", "상품을 분실했습니다.", "옥천HUB")),
    (*_PICKED, ("UNKNOWN", "주소불명", "주소불명으로 배송하지 못했습니다.", "배송지 대리점")),
    (*_PICKED, ("UNKNOWN", "반송", "보내는 분에게 반송합니다.", "배송지 대리점"),
     ("UNKNOWN", "반송완료", "보내는 분에게 돌려드렸습니다.", "경기테스트")),
)  # fmt: skip
"""What couriers have told of the first boxes of 배송 예외: code, status, sentence and place of each scan."""
LONG_AGO = timedelta(minutes=10)
"""The demo's boxes left minutes ago and live as fast as the sandbox."""
LOOPBACK = "http://127.0.0.1:"
_APIS: tuple[tuple[str, str, ContractMode, str, str, dict[str, str]], ...] = (
    ("cj-api", "CJGLS", ContractMode.CJ_API, "30000001", "1234567890", {}),
    (
        "epost-api", "EPOST", ContractMode.EPOST_API, "0000000001", "",
        {
            "key": "sandbox-epost-key-000000000000", "security_key": "sandbox-epost-security-key",
            "appr_no": "0000000001", "office_ser": "260000001", "content_code": "029",
        },
    ),
    (
        "hanjin-api", "HANJIN", ContractMode.HANJIN_API, "9000001", "",
        {
            "client_id": "SANDBOX", "api_key": "sandbox-hanjin-api-key", "secret_key": "sandbox-hanjin-secret-key",
        },
    ),
)  # fmt: skip
"""Code, courier, mode, customer and business number, and keys that the courier sandbox knows."""

log = logging.getLogger("oms.seed")


def prepare_demo(*, at: datetime, say: Say) -> bool:
    """데모 준비: whatever is missing of staff, tracking account and orders; False when the shop has orders already."""
    if User.objects.filter(username__in=[name for name, *_ in DEMO_STAFF]).count() < len(DEMO_STAFF):
        create_demo_staff(at=at)
    TrackingAccount.objects.get_or_create(
        code=SOURCE,
        defaults={
            "name": "배송조회 샌드박스",
            "base_url": SANDBOX_URL,
            "is_sandbox": True,
            "speed": SANDBOX_SPEED,
        },
    )
    _open_bank_account()
    _sign_contracts(at=at)
    if Order.objects.exists():
        return False
    seed_shop(demo_plan(at=at), say=say)
    _draft_waybills(at=at)
    _tell_more(at=at)
    _break_parcels(at=at)
    _tell_sandbox()
    return True


def open_to_buyers(*, port: int, at: datetime, is_new: bool) -> None:
    """고객용 주소 of the demo: messages lead to the buyer's page. It follows the port until staff write another."""
    now, wanted = str(get_setting(PUBLIC_URL.key) or ""), f"{LOOPBACK}{port}"
    if now != wanted and (now.startswith(LOOPBACK) or (is_new and not now)):
        set_setting(key=PUBLIC_URL.key, value=wanted, actor=None, at=at)


def _break_parcels(*, at: datetime) -> None:
    """Boxes that went wrong before anybody looks: what their couriers told goes the way of every answer."""
    whole = Parcel.objects.filter(state=ParcelState.HANDED_OVER, first_scan_at=None, shipment__parcel_count=1)
    parcels = whole.filter(handed_over_at__lt=at - LONG_AGO).order_by("handed_over_at", "pk")
    told = {}
    for parcel, words in zip(parcels[: len(ACCIDENTS)], ACCIDENTS, strict=False):
        assert parcel.handed_over_at is not None
        span, begun = at - parcel.handed_over_at, parcel.handed_over_at.astimezone(UTC)
        told[parcel.pk] = [
            RawEvent(
                code=code,
                name=name,
                text=text,
                place=place,
                at=(begun + span * (n / (len(words) + 1))).replace(microsecond=0),
            )
            for n, (code, name, text, place) in enumerate(words, start=1)
        ]
    write_events(source=SOURCE, told=told, at=at)


def _sign_contracts(*, at: datetime) -> None:
    """A range of CJ numbers and the APIs of the sandbox, so that 송장 채번 works at once; the numbers are made up."""
    if CourierContract.objects.exists():
        return
    change_settings(changes=SENDER, shown=get_settings(*SENDER), actor=None, at=at)
    given = ContractFacts(name="CJ대한통운 대역", courier="CJGLS", mode=ContractMode.RANGE, is_default=True)
    contract = save_contract(code="cj-range", given=given, options={}, actor=None, at=at)
    add_range(contract_id=contract.pk, prefix="68", start="900000000", end="900019999", order=1, actor=None, at=at)
    for slug, mode in (("KGB", ContractMode.COURIER_FILE), ("HYUNDAI", ContractMode.HAND)):
        facts = ContractFacts(name=COURIERS[slug].name, courier=slug, mode=mode)
        save_contract(code=slug.lower(), given=facts, options={}, actor=None, at=at)
    for code, slug, mode, customer, business, keys in _APIS:
        facts = ContractFacts(
            name=f"{COURIERS[slug].name} API", courier=slug, mode=mode, customer_code=customer,
            business_number=business, base_url=f"{SANDBOX_URL}/{code.removesuffix('-api')}", is_sandbox=True,
        )  # fmt: skip
        save_contract(code=code, given=facts, options=keys, actor=None, at=at)


def _open_bank_account() -> None:
    """The account to which the demo shop's buyers transfer; its statement can be uploaded at once."""
    if not BankAccount.objects.exists():
        account = BankAccount(code="main", bank="국민은행", holder="데모 쇼핑몰")
        account.set_number("00000012345678")
        account.save()


def _tell_sandbox() -> None:
    """Scans of seeded parcels become the sandbox's own: asked about them again, it would invent a second life.

    Only whoever has started the sandbox for this shop says where it is; another shop's books are not touched.
    """
    base_url = os.environ.get("OMS_TRACKER_DELIVERY_BASE_URL")
    if not base_url:
        return
    client = Client(base_url, allow_loopback=True)
    try:
        answer = client.request("POST", "/__control/parcels", json={"parcels": _scanned_parcels()})
        if answer.status != 200:
            raise HttpProblem(f"status {answer.status}: {answer.text()[:200]}")
    except HttpProblem as problem:
        log.warning("the sandbox does not know the scans of the demo: %s", problem)
    finally:
        client.close()


def _scanned_parcels() -> list[dict[str, object]]:
    """Parcels with what their courier has told, as the control API of the sandbox takes them."""
    told: dict[int, list[dict[str, str]]] = {}
    for event in TrackingEvent.objects.order_by("parcel", "seq", "pk"):
        raw = raw_event(event)
        # Rows of the seed hold the status alone, as the text.
        name, text = (raw.name, raw.text) if raw.name else (raw.text, "")
        scan = {"code": raw.code, "name": name, "description": text, "place": raw.place}
        moment = {"at": event.at.isoformat()} if event.at else {}
        told.setdefault(event.parcel_id, []).append(moment | scan)
    return [
        {"carrier": carrier, "number": parcel.waybill, "timeline": told[parcel.pk]}
        for parcel in Parcel.objects.filter(pk__in=told).order_by("pk")
        if (carrier := COURIERS[parcel.courier].code(SOURCE))
    ]


def _tell_more(*, at: datetime) -> None:
    """Orders of a channel that tells more than most: both forms of an address, and 안심번호 with their last day.

    They are the most urgent ones behind those with a typed number: one 안심번호 has ended, one will end on the way.
    """
    waiting = Shipment.objects.filter(
        step=ShipmentStep.READY, method=DeliveryMethod.PARCEL, has_waybill=False, is_held=False
    ).order_by("ship_by", "pk")
    rows = waiting.select_related("order")[DRAFTS : DRAFTS + len(SAFE_NUMBERS)]
    orders = [shipment.order for shipment in rows]
    for order, (phone, days) in zip(orders, SAFE_NUMBERS, strict=False):
        order.recipient_phone, order.safe_number_end_date = phone, kst_date(at) + timedelta(days=days)
        order.zip_code, order.address1, order.jibun_address = "04524", SENDER["sender_address"], JIBUN
    fields = ["recipient_phone", "safe_number_end_date", "zip_code", "address1", "jibun_address"]
    Order.objects.bulk_update(orders, fields)
    store_search(orders)


def _draft_waybills(*, at: datetime) -> None:
    """Numbers that a colleague has typed and not registered yet."""
    courier, author = COURIERS["CJGLS"], User.objects.get(username="logistics")
    waiting = Shipment.objects.filter(
        step=ShipmentStep.READY, method=DeliveryMethod.PARCEL, has_waybill=False, is_held=False
    ).order_by("ship_by", "pk")[:DRAFTS]
    WaybillDraft.objects.bulk_create(
        WaybillDraft(
            shipment=shipment,
            courier=courier.slug,
            text=with_check_digit(courier, f"68999{n:04d}00"),
            author=author,
            saved_at=at - timedelta(minutes=n),
        )
        for n, shipment in enumerate(waiting, 1)
    )
