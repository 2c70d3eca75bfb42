"""붙인 송장: a label that the courier has printed gets on the box, and its scan registers it (shipping.md 5.2 G).

Only where the shop's default contract is 직접 입력·스캔, and only when all goods are in: before that, a code that
nobody knows is a product that nobody gave a barcode. The number is judged like one that was typed.
"""

from shipping.couriers import COURIERS
from shipping.models import CourierContract
from shipping.services.numbers.parcels import WaybillEntry
from shipping.services.numbers.waybills import register_waybills
from shipping.services.packing import closing
from shipping.services.packing.answers import Kept, Scan
from shipping.services.packing.bench import Bench, refusal, waiting_boxes
from shipping.states import TRACKED, ContractMode, ScanVerdict, Signal, WaybillSource
from shipping.waybills import check_waybill

STUCK = "{courier} 송장을 등록했습니다: {number}"
KOREAN = "880"
GOODS_FIRST = "송장이면 상품을 모두 담은 뒤 찍어 주세요."


def hand_courier() -> str:
    """손으로 붙이는 택배사: the slug of the default contract if its labels come from the courier, else empty."""
    rows = CourierContract.objects.filter(is_default=True, is_active=True, mode=ContractMode.HAND)
    return rows.values_list("courier", flat=True).first() or ""


def is_wanted(bench: Bench) -> bool:
    """붙일 송장을 기다리는지: a shipment that travels with a number and has none."""
    return bench.shipment.method in TRACKED and not bench.parcels


def is_product(code: str) -> bool:
    """한국 상품 바코드: EAN-13 of Korea, which has as many digits as a number of 우체국."""
    return code.startswith(KOREAN) and is_ean13(code)


def is_ean13(code: str) -> bool:
    """EAN-13 검사 숫자: 1 and 3 by turns, to a multiple of ten (GS1)."""
    is_long = code.isascii() and code.isdigit() and len(code) == 13
    return is_long and sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(code)) % 10 == 0


def stick(one: Scan, bench: Bench) -> Kept | None:
    """송장 붙이기: the scanned number becomes that of the box; None when the code is no label that is waited for."""
    slug = hand_courier() if is_wanted(bench) else ""
    verdict = check_waybill(one.code, COURIERS[slug]) if slug in COURIERS else None
    if verdict is None or not verdict.number or bench.tally.missing or is_product(one.code):
        return None
    if (refused := refusal(bench, one)) is not None:
        return refused
    if not verdict.is_accepted:
        return Kept(ScanVerdict.REFUSED, bench.answer(Signal.WRONG, verdict.message))
    entry = WaybillEntry(slug, verdict.number, source=WaybillSource.SCANNED)
    pk = bench.shipment.pk
    done = register_waybills(entries={pk: entry}, actor=one.actor, at=one.at)
    if pk in done.refused:
        return Kept(ScanVerdict.REFUSED, bench.answer(Signal.WRONG, done.refused[pk]))
    bench.shipment.refresh_from_db(fields=["version"])
    bench.parcels[:] = waiting_boxes(pk)
    said = STUCK.format(courier=COURIERS[slug].name, number=verdict.number)
    if bench.is_packed:
        answer = bench.answer(Signal.DONE, said, speech="송장을 등록했습니다")
    else:
        answer = closing.close(bench, one, by_itself=True)
        answer.detail = " ".join(filter(None, [said, answer.detail]))
    return Kept(ScanVerdict.LABEL, answer, parcel_id=bench.parcels[0].pk)
