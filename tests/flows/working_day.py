"""What the tests of a working day share: goods, the files that come in, a clerk's hands over HTTP, the courier."""

import io
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import openpyxl
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from core.calendar import KST
from core.lists import lists
from core.models import Job
from products.models import Variant
from tests.channels.files import cafe24, cafe24_row, smartstore, smartstore_row
from tests.fixtures.answers import text_of
from tests.fixtures.shipments import waybill_number

PASSWORD = "네이버 1234"
TEE, CUP, EAR = "TEE-W-M", "CUP-1", "EAR-B"
UNKNOWN = ("8801234567", "색상: 화이트 / 사이즈: M")
CARRIER = "kr.cjlogistics"
SCANS = (
    ("AT_PICKUP", "집화처리"),
    ("IN_TRANSIT", "간선상차"),
    ("OUT_FOR_DELIVERY", "배송출발"),
    ("DELIVERED", "배송완료"),
)


@dataclass(frozen=True)
class Goods:
    """상품: a shirt that the market calls by another number, a cup that runs short, earphones by our own code."""

    tee: Variant
    cup: Variant
    ear: Variant


def make_goods(make_variant: Any) -> Goods:
    """Twelve shirts, one cup, nine pairs of earphones."""
    tee = make_variant(sku=TEE, on_hand=12, option_values=["화이트"])
    tee.product.name = "기본 면 티셔츠"
    tee.product.save()
    return Goods(tee, make_variant(sku=CUP, on_hand=1), make_variant(sku=EAR, on_hand=9))


def smartstore_file(now: datetime) -> bytes:
    """발주발송관리 with a guide row and a password: four orders of the unknown shirt, one of cups, one canceled."""
    paid = now - timedelta(hours=20)
    times = {
        "결제일": _text(paid),
        "주문일시": _text(paid - timedelta(minutes=1)),
        "발송기한": _text(now.astimezone(KST).replace(hour=23, minute=59, second=59) + timedelta(days=3)),
    }
    people = [("김나라", "010-8765-0001"), ("박서준", "010-8765-0002"), ("최유진", "010-8765-0003")]
    rows = [
        smartstore_row(n, **times, 수취인명=name, 수취인연락처1=phone)
        for n, (name, phone) in enumerate([*people, ("정하늘", "010-8765-0004")], 1)
    ]
    cup = {"상품번호": "77", "상품명": "머그컵", "옵션정보": "", "옵션관리코드": CUP, "옵션가격": 0}
    money = {"상품가격": 15000, "최종 상품별 할인액": 0, "최종 상품별 총 주문금액": 30000}
    rows.append(smartstore_row(5, **times, **cup, **money, 수취인명="한모자"))
    rows.append(smartstore_row(6, **times, 주문상태="취소", 주문세부상태="취소완료"))
    return smartstore(rows, password=PASSWORD)


def cafe24_file(now: datetime) -> bytes:
    """A mall's CSV: three bank transfers that nobody has confirmed, one order paid by card; all of earphones."""
    ordered = now - timedelta(hours=30)
    unpaid = {"결제일시(입금확인일)": "", "결제수단": "무통장입금", "결제금액": 0, "입금자명": "박주문"}
    paid = {"결제일시(입금확인일)": _text(ordered + timedelta(minutes=1))}
    rows = [
        cafe24_row(
            n,
            주문일시=_text(ordered + timedelta(minutes=n)),
            자체품목코드=EAR,
            **{"수령인 휴대전화": f"010-2222-100{n}"},
            **(paid if n == 4 else unpaid),
        )
        for n in range(1, 5)
    ]
    return cafe24(rows)


def _text(at: datetime) -> str:
    return f"{at.astimezone(KST):%Y-%m-%d %H:%M:%S}"


@dataclass
class Clerk:
    """A member of staff at the screens, over HTTP: reads pages, presses buttons, takes files away."""

    client: Client
    user: Any
    pressed: list[Job] = field(default_factory=list)

    def page(self, url: str) -> str:
        answer = self.client.get(url)
        assert answer.status_code == 200, (url, answer.status_code)
        return answer.content.decode()

    def rows(self, name: str, query: str = "period=all") -> dict[str, tuple[int, int]]:
        """Rows of a list as the screen shows them: {order number: (id, version)}."""
        html = self.page(f"{lists.page(name).url}?{query}")
        found = re.findall(r'<tbody[^>]* data-order="([^"]+)" data-id="(\d+)" data-version="(\d+)"', html)
        return {number: (int(pk), int(version)) for number, pk, version in found}

    def press(self, act: str, name: str, rows: Iterable[tuple[int, int]], **form: str) -> tuple[str, str]:
        """Select rows, press a button, confirm what it asks; words of the preview ("" without one) and the result."""
        text = ",".join(f"{pk}:{version}" for pk, version in rows)
        hx = {"HX-Request": "true"}
        answer = self.client.post(f"/acts/{act}/", {"page": name, "mode": "ids", "rows": text}, headers=hx)
        assert answer.status_code == 200, answer.content.decode()
        asked, preview = re.search(r"/acts/([0-9a-f-]{36})/apply/", answer.content.decode()), ""
        if asked:
            preview = text_of(answer)
            answer = self.client.post(f"/acts/{asked[1]}/apply/", form, headers=hx)
            assert answer.status_code == 200, answer.content.decode()
        self.pressed.append(Job.objects.filter(act=act).latest("pk"))
        return preview, text_of(answer)

    def upload(self, url: str, name: str, content: bytes, **fields: Any) -> Any:
        """Send a file to an upload screen."""
        return self.client.post(url, {"file": SimpleUploadedFile(name, content), **fields})

    def excel(self, name: str, query: str = "period=all") -> list[tuple[Any, ...]]:
        """The list as a file, without its head."""
        answer = self.client.post(f"{lists.page(name).url}excel/?{query}", {"reason": "하루 마감 대조"})
        assert answer.status_code == 200, answer.content.decode()
        sheet = openpyxl.load_workbook(io.BytesIO(b"".join(answer.streaming_content))).active
        return list(sheet.iter_rows(values_only=True))[1:]

    def counted(self, name: str, *, at: datetime, query: str = "period=all") -> int:
        """The number of a list, after tab, header, screen, Excel, API and (without tab) the menu have said it."""
        html = self.page(f"{lists.page(name).url}?{query}")
        total = int(re.search(r'data-total="(\d+)"', html)[1])
        spoken = re.search(r'data-count="total">[^<\d]*([\d,]+)건(?: · 품목 ([\d,]+)건)?', html)
        tab = re.search(r'aria-current="page"[^>]*>[^<]*<b data-count="tab-[a-z-]+">([\d,]+)</b>', html)
        menu = (
            None
            if "tab=" in query
            else re.search(rf'data-count="menu-{name}"[^>]*>([\d,]*)<', self.page("/menu/counts/"))
        )
        shown = html.count("<tbody id=")
        items = lists.page(name).query(query, user=self.user, at=at).api()["items"]
        file = self.excel(name, query)
        assert {total, number(spoken[1])} | ({number(tab[1])} if tab else set()) == {shown}, name
        assert "tab=" in query or number(menu[1]) == shown
        assert len(items) == len({row[0] for row in file}) == shown
        if spoken[2]:
            assert number(spoken[2]) == len(file)
        return shown


def number(text: str) -> int:
    """A count as people read it."""
    return int(text.replace(",", "") or 0)


def with_numbers(content: bytes, *, first: int = 0) -> tuple[bytes, dict[str, str]]:
    """The courier's own file with CJ numbers in its number column, as CJ writes it back; {배송번호: number}."""
    book = openpyxl.load_workbook(io.BytesIO(content))
    sheet = book.active
    names = [cell.value for cell in sheet[1]]
    key, place = names.index("고객주문번호"), names.index("운송장번호")
    given: dict[str, str] = {}
    for n, row in enumerate(sheet.iter_rows(min_row=2)):
        given[row[key].value] = row[place].value = waybill_number(first + n)
    target = io.BytesIO()
    book.save(target)
    return target.getvalue(), given


def tell_delivered(tracker: Any, numbers: Iterable[str], *, sent_at: datetime) -> None:
    """The courier scans these boxes from pick-up to the door, seven hours after they left."""
    steps = [
        ("AT_PICKUP", "집화처리"),
        ("IN_TRANSIT", "간선상차"),
        ("OUT_FOR_DELIVERY", "배송출발"),
        ("DELIVERED", "배송완료"),
    ]
    for waybill in numbers:
        tracker.control("parcels", carrier=CARRIER, number=waybill, timeline=_timeline(steps, sent_at))


def tell_moving(tracker: Any, numbers: Iterable[str], *, sent_at: datetime) -> None:
    """The courier has these boxes, but not at the door."""
    for waybill in numbers:
        timeline = _timeline(SCANS[:2], sent_at)
        tracker.control("parcels", carrier=CARRIER, number=waybill, timeline=timeline)


def _timeline(steps: Iterable[tuple[str, str]], sent_at: datetime) -> list[Mapping[str, str]]:
    return [
        {"at": (sent_at + timedelta(hours=4 + n)).isoformat(), "code": code, "name": name, "place": f"{n}번 집배점"}
        for n, (code, name) in enumerate(steps)
    ]
