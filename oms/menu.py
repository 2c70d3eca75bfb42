"""왼쪽 메뉴: entries as data, in the order of the work (ux.md 1, 6.3)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Entry:
    """메뉴 항목: `permission` empty means everybody; `count` is the name of the list whose rows it counts.

    `also` is where pages of the entry begin that do not lie under its address.
    """

    label: str
    url: str
    permission: str = ""
    number: str = ""
    count: str = ""
    also: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MenuItem:
    """그려진 메뉴 항목."""

    number: str
    label: str
    url: str
    count_key: str
    count_text: str
    current: bool


@dataclass(frozen=True, slots=True)
class MenuGroup:
    """그려진 메뉴 묶음."""

    label: str
    items: list[MenuItem]


MENU: tuple[tuple[str, tuple[Entry, ...]], ...] = (
    ("", (Entry("대시보드", "/"),)),
    (
        "주문 처리",
        (
            Entry("통합주문조회", "/orders/", "orders.view", "1"),
            Entry("입금대기 관리", "/orders/awaiting-payment/", "orders.view", "2", "awaiting-payment"),
            Entry("상품준비중 관리", "/orders/preparing/", "orders.view", "3", "preparing"),
            Entry(
                "배송준비중 관리",
                "/orders/ready/",
                "orders.view",
                "4",
                "ready",
                tuple(f"/shipping/waybills/{page}/" for page in ("upload", "file", "batches", "merges")),
            ),  # fmt: skip
            Entry("배송중 관리", "/orders/shipping/", "orders.view", "5", "shipping"),
            Entry("배송 예외", "/shipping/exceptions/", "shipping.view_exceptions", count="exceptions"),
            Entry("배송완료 관리", "/orders/delivered/", "orders.view", "6", "delivered"),
            Entry("구매확정 내역", "/orders/confirmed/", "orders.view", "7", "confirmed"),
        ),
    ),
    (
        "포장",
        (
            Entry("포장 검수대", "/pack/", "shipping.pack"),
            Entry("피킹리스트", "/picking/", "shipping.print"),
            Entry("송장 출력", "/shipping/waybills/", "shipping.print", also=("/shipping/print/",)),
        ),
    ),
    (
        "입금·환불",
        (
            Entry("자동입금확인", "/payments/deposits/", "payments.view_deposits", count="deposits"),
            Entry("환불 관리", "/payments/refunds/", "payments.view_refund", count="refunds"),
            Entry("미확인·예외 입금", "/payments/problems/", "payments.view_problems", count="problems"),
            Entry("웹훅 수신함", "/payments/notices/", "payments.view_notices", count="notices"),
            Entry("PG 대사", "/payments/reconciliations/", "payments.view_reconciliations"),
            Entry("현금영수증", "/payments/receipts/", "payments.view_receipts"),
        ),
    ),
    (
        "상품·수집",
        (
            Entry("상품 관리", "/products/", "products.view"),
            Entry("품목 연결", "/products/mapping/", "channels.map"),
            Entry("주문 파일 올리기", "/orders/import/", "orders.import"),
            Entry("주문 직접 등록", "/orders/new/", "orders.create"),
        ),
    ),
    (
        "관리",
        (
            Entry("작업 현황", "/jobs/", "jobs.view"),
            Entry("실패한 전달", "/dead-letters/", "deadletters.view"),
            Entry("엑셀 양식", "/excel/templates/", "templates.edit"),
            Entry("처리 이력", "/audit/", "audit.view"),
            Entry("접속 기록", "/access-log/", "audit.view"),
            Entry("운영자", "/staff/", "accounts.view"),
            Entry("설정", "/settings/", "settings.view"),
        ),
    ),
)


def menu_for(user: Any, *, path: str, counts: Mapping[str, int]) -> list[MenuGroup]:
    """메뉴: the entries that a person may open, with their counts; the one that `path` lies under is current."""
    allowed = [
        (label, [entry for entry in entries if not entry.permission or user.has_perm(entry.permission)])
        for label, entries in MENU
    ]
    current = _current([entry for _, entries in allowed for entry in entries], path)
    return [
        MenuGroup(label, [_item(entry, counts, is_current=entry is current) for entry in entries])
        for label, entries in allowed
        if entries
    ]


def _current(entries: list[Entry], path: str) -> Entry | None:
    """The entry with the longest address that the path begins with; the front page only when it is the path itself."""
    fitting = [
        (len(start), entry)
        for entry in entries
        for start in (entry.url, *entry.also)
        if start and (path == start or (start != "/" and path.startswith(start)))
    ]
    return max(fitting, key=lambda pair: pair[0], default=(0, None))[1]


def _item(entry: Entry, counts: Mapping[str, int], *, is_current: bool) -> MenuItem:
    text = f"{counts[entry.count]:,}" if entry.count in counts else ""
    key = f"menu-{entry.count}" if entry.count else ""
    return MenuItem(entry.number, entry.label, entry.url, key, text, is_current)
