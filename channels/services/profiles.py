"""주문 파일 양식: what staff told us about a sender's columns, remembered under the set of column names."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.db import IntegrityError, transaction

from channels.adapters.known import LAYOUTS
from channels.adapters.layouts import BY_KEY, Rule
from channels.models import OrderProfile, ProfileKind
from channels.services.reading import missing_fields
from core.excel import Header, fingerprint, match_columns
from core.exceptions import Conflict, DomainError, NotFound
from core.models import Job, JobState
from orders.models import SalesChannel

_OTHER_NAMES: Mapping[str, tuple[str, ...]] = {
    "order_number": ("주문 번호", "order id", "order number", "order no"),
    "line_number": ("row id", "line id", "item id"),
    "ordered_at": ("주문일", "주문 일시", "order date", "ordered at", "created at"),
    "paid_at": ("입금일", "paid at", "payment date"),
    "buyer_name": ("주문자명", "구매자", "customer name", "buyer name"),
    "recipient_name": ("받는분", "받는 사람", "수령인", "수취인", "recipient", "ship to", "customer name"),
    "recipient_phone": ("휴대폰", "연락처", "전화번호", "phone", "mobile"),
    "zip_code": ("우편 번호", "zip", "zipcode", "postal code"),
    "recipient_phone2": ("안심번호", "가상번호"),
    "safe_number_end": ("안심번호 만료", "안심번호 유효기간", "안심번호 종료일"),
    "jibun_address": ("지번 주소", "수령자 지번주소", "수취인 지번주소", "구주소"),
    "address1": ("도로명주소", "도로명 주소", "배송지", "받는분 주소", "address", "street", "city"),
    "address2": ("state",),
    "delivery_note": ("배송 메시지", "요청사항", "note", "memo"),
    "product_code": ("상품코드", "product id", "sku"),
    "product_name": ("품명", "품목명", "product name", "item name", "product"),
    "option_name": ("옵션명", "option", "variant"),
    "quantity": ("주문수량", "qty", "quantity"),
    "unit_price": ("단가", "가격", "price", "unit price"),
    "line_amount": ("금액", "판매금액", "amount", "sales"),
}


class ProfileRefused(DomainError):
    """양식 저장 불가: Korean reasons by field key; "" for the mapping as a whole."""

    code = "profile_refused"
    status = 422

    def __init__(self, problems: Mapping[str, str]) -> None:
        super().__init__(" ".join(dict.fromkeys(problems.values())))
        self.problems = dict(problems)


@dataclass(frozen=True, slots=True)
class ColumnMapping:
    """열 맞추기 결과: rules by field key, and what the file cannot say."""

    rules: Mapping[str, Rule]
    is_prepaid: bool
    creates_products: bool


def suggest_columns(header: Header) -> dict[str, str]:
    """열 제안: {field key: column label} by every name we have met, for a person to check."""
    targets = {}
    for key, one in BY_KEY.items():
        known = [name for layout in LAYOUTS.values() for name in layout.columns.get(key, ())]
        targets[key] = (one.label, *known, *_OTHER_NAMES.get(key, ()))
    return {key: header.labels[at] for key, at in match_columns(header.names, targets).items()}


def save_mapping(*, name: str, channel: SalesChannel, header: Header, mapping: ColumnMapping) -> OrderProfile:
    """양식 기억: store or renew the profile of a sender; its next file with these columns is read by itself.

    Raises ProfileRefused when a needed field is missing, Conflict when another profile has the name.
    """
    given = {key for key, rule in mapping.rules.items() if rule.column or rule.fixed}
    if lacking := missing_fields(given):
        raise ProfileRefused({"": f"필요한 항목의 열을 골라 주세요: {', '.join(lacking)}"})
    facts = {
        "name": name,
        "kind": ProfileKind.CUSTOM,
        "channel": channel,
        "mapping": {key: mapping.rules[key].as_json() for key in mapping.rules if key in given},
        "defaults": {"is_prepaid": mapping.is_prepaid, "creates_products": mapping.creates_products},
    }
    try:
        with transaction.atomic():
            profile, _ = OrderProfile.objects.update_or_create(fingerprint=fingerprint(header), defaults=facts)
    except IntegrityError:
        raise Conflict("같은 이름의 양식이 있습니다. 다른 이름을 입력하세요.", code="name_taken") from None
    return profile


def mapped_profile(job: Job) -> OrderProfile | None:
    """맞춘 양식: the profile of staff's own making by which the file of a preview was read, None for a known layout."""
    if job.state != JobState.PREVIEW:
        return None
    pk = job.params.get("options", {}).get("profile")
    return OrderProfile.objects.select_related("channel").filter(pk=pk, kind=ProfileKind.CUSTOM).first()


def delete_profile(*, profile_id: int, channel_id: int) -> OrderProfile:
    """양식 삭제: forget a mapping; the sender's next file asks for its columns again. Orders keep what they have.

    Raises NotFound for a known layout, which is no mapping, and for a profile of another channel.
    """
    with transaction.atomic():
        found = OrderProfile.objects.filter(pk=profile_id, channel=channel_id, kind=ProfileKind.CUSTOM)
        profile = found.select_for_update().first()
        if profile is None:
            raise NotFound("이미 삭제했거나 이 판매채널의 맞춘 양식이 아닙니다. 화면을 새로 고쳐 확인하세요.")
        profile.delete()
    return profile
