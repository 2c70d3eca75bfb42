"""거래내역 올리기: choose account and file, look at every row, store the new ones."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from accounts.file_pages import FilePage, FilePreview, tabs
from core import cells
from core.masking import mask_name, mask_text
from core.models import ItemResult, JobItem
from payments.forms.deposits import StatementFileForm
from payments.models import BankAccount
from payments.pages.deposits import DepositPage
from payments.uploads import StatementUpload

PERMISSION = "payments.match_deposits"
NO_ACCOUNT = "거래내역을 올릴 입금계좌가 없습니다. 먼저 설정에서 입금계좌를 등록하세요."


@dataclass(frozen=True, slots=True)
class PreviewRow:
    """미리보기 한 행."""

    number: int
    at: str
    amount: str
    depositor: str
    memo: str
    balance: str
    verdict: str
    css: str


def _won(text: Any) -> str:
    """A figure of a row that could not be read whole, as money like all others; what is no figure stands as it came."""
    digits = str(text).replace(",", "")
    return str(cells.won(int(digits))) if digits.isascii() and digits.isdecimal() and len(digits) < 16 else str(text)


class StatementPage(FilePage):
    """거래내역 올리기."""

    permission = PERMISSION
    title = "거래내역 올리기"
    form_class, upload_class = StatementFileForm, StatementUpload
    template, address, preview = "payments/statement.html", "payments:statement", "payments:statement_preview"

    def chosen(self, cleaned: Mapping[str, Any]) -> dict[str, Any]:
        return {"account": cleaned["account"].pk}

    def further(self) -> dict[str, Any]:
        missing = "" if BankAccount.objects.filter(is_active=True).exists() else NO_ACCOUNT
        return {"cancel_url": DepositPage.url, "missing": missing}


class StatementPreview(FilePreview):
    """거래내역 미리보기: which rows are new."""

    permission = PERMISSION
    title, upload_name = "거래내역", StatementUpload.name
    shown = tabs(ready="새 입금", same="이미 있음")
    template, page = "payments/statement_preview.html", StatementPage

    def row(self, item: JobItem, *, is_open: bool) -> PreviewRow:
        data = item.data or {}
        facts = data.get("row") or {}
        is_same, refused = bool(data.get("same")), item.result == ItemResult.REFUSED
        done = {ItemResult.OK: "등록함", ItemResult.PENDING: "새 입금"}.get(ItemResult(item.result), "")
        return PreviewRow(
            number=item.row_number or 0,
            at=str(facts.get("at", "") or data.get("at", ""))[:16].replace("T", " "),
            amount=str(cells.won(facts.get("amount"))) or _won(data.get("in", "")),
            depositor=mask_name(str(facts.get("depositor", "") or data.get("depositor", ""))),
            memo=mask_text(str(facts.get("memo", "") or data.get("memo", ""))),
            balance=str(cells.won(facts.get("balance"))) or _won(data.get("balance", "")),
            verdict="이미 있음" if is_same else item.reason or done,
            css="bad" if refused and not is_same else "",
        )
