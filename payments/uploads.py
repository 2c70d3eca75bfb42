"""거래내역 파일 올리기: a bank statement, looked at row by row first; what is there already changes nothing (A77)."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from django.utils import timezone

from accounts.files import LoggedUpload
from core.excel import Column, Kind, Table, read_table
from core.jobs.items import Verdict
from core.jobs.uploads import UploadRow, register
from core.models import Job, JobItem
from payments.excel.statement import StatementRow, statement_rows
from payments.models import BankAccount, BankDeposit
from payments.services.deposits.bank import BankRow, fingerprints, known_rows, take_in
from payments.states import DepositSource

ALREADY = "이미 있는 입금내역입니다."


@register
class StatementUpload(LoggedUpload):
    """거래내역 올리기.

    The file is read before (it may need a password, which is stored nowhere): `StatementUpload(table)` previews it.
    """

    name, label, permission = "statement-upload", "입금내역 등록", "payments.match_deposits"
    model = BankDeposit
    unit = "deposit"
    columns = (
        Column("at", "거래일시", Kind.TEXT, 20),
        Column("in", "입금액", Kind.TEXT, 14),
        Column("depositor", "보낸분", Kind.TEXT, 16),
        Column("memo", "메모", Kind.TEXT, 20),
        Column("balance", "잔액", Kind.TEXT, 14),
    )

    def __init__(self, table: Table | None = None) -> None:
        self.table = table

    def read(self, path: Path, *, options: Mapping[str, Any], actor: Any) -> Iterable[UploadRow]:
        """미리보기: which rows are new. Raises FileProblem."""
        account = BankAccount.objects.get(pk=options["account"])
        sheet = options.get("sheet") or None
        table = self.table or read_table(path.read_bytes(), filename=path.name, sheet=sheet)
        return _judged(statement_rows(table, now=timezone.now()), account)

    def apply(
        self, items: Sequence[JobItem], *, actor: Any, at: datetime, batch: Job, **options: Any
    ) -> Mapping[int, Verdict]:
        """등록: a chunk of new rows; the relay looks for their orders right afterwards."""
        account = BankAccount.objects.get(pk=options["account"])
        facts = [item.data or {} for item in items]
        taken = take_in(
            account=account,
            rows=[_stored(one) for one in facts],
            prints=[one["print"] for one in facts],
            source=DepositSource.FILE,
            at=at,
            batch=batch,
        )
        return {
            item.pk: Verdict(target_id=taken.created[place]) if place in taken.created else Verdict(ALREADY)
            for place, item in enumerate(items)
        }


def _judged(rows: Sequence[StatementRow], account: BankAccount) -> list[UploadRow]:
    good = [one for one in rows if one.row is not None]
    bank_rows = [one.row for one in good if one.row is not None]
    prints = fingerprints(account, bank_rows)
    known = known_rows(account=account, rows=bank_rows, source=DepositSource.FILE)
    seen: set[str] = set()
    verdicts = {}
    for place, (one, text) in enumerate(zip(good, prints, strict=True)):
        is_same = place in known or text in seen
        seen.add(text)
        data = dict(one.shown) | {"print": text, "row": _storable(bank_rows[place])}
        verdicts[one.row_number] = UploadRow(one.row_number, data=data, is_same=is_same)
    return [
        verdicts.get(one.row_number) or UploadRow(one.row_number, data=dict(one.shown), error=one.error) for one in rows
    ]


def _storable(row: BankRow) -> dict[str, Any]:
    return {
        "at": row.at.isoformat(), "amount": row.amount, "depositor": row.depositor, "memo": row.memo,
        "balance": row.balance,
    }  # fmt: skip


def _stored(data: Mapping[str, Any]) -> BankRow:
    row = data["row"]
    return BankRow(datetime.fromisoformat(row["at"]), row["amount"], row["depositor"], row["memo"], row["balance"])
