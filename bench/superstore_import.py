"""The part of bench.superstore that runs inside Django, against a database of its own."""

import os
import sys
import time
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "oms.settings")
django.setup()

from django.core.management import call_command  # noqa: E402
from django.db.models import F, Sum  # noqa: E402
from django.utils import timezone  # noqa: E402

from channels.adapters.layouts import Rule  # noqa: E402
from channels.services.profiles import ColumnMapping, save_mapping  # noqa: E402
from channels.services.reading import UnknownLayout, header_for_mapping, recognise  # noqa: E402
from channels.uploads import open_import  # noqa: E402
from core.excel import Table, read_table  # noqa: E402
from core.invariants import find_violations  # noqa: E402
from core.jobs import items, lease, runner, start  # noqa: E402
from core.jobs.uploads import UploadCounts, upload_counts  # noqa: E402
from core.models import Job  # noqa: E402
from orders.models import Order, OrderEvent, OrderLine, SalesChannel  # noqa: E402
from payments.models import LedgerEntry  # noqa: E402
from products.models import Variant  # noqa: E402

FACTOR = Decimal("1350.5")
COLUMNS = {
    "order_number": "Order ID",
    "line_number": "Row ID",
    "ordered_at": "Order Date",
    "recipient_name": "Customer Name",
    "address1": "City",
    "address2": "State",
    "product_code": "Product ID",
    "product_name": "Product Name",
    "quantity": "Quantity",
}


def mapped(table: Table) -> None:
    """What staff do once on the mapping screen: English columns, dollars times the factor to won."""
    try:
        recognise(table)
        raise AssertionError("the file was known before anybody mapped it")
    except UnknownLayout:
        pass
    rules = {key: Rule(column=column) for key, column in COLUMNS.items()}
    rules["line_amount"] = Rule(column="Sales", factor=str(FACTOR))
    save_mapping(
        name="Superstore",
        channel=SalesChannel.objects.create(code="superstore", name="Superstore"),
        header=header_for_mapping(table),
        mapping=ColumnMapping(rules, is_prepaid=True, creates_products=True),
    )


def stored() -> dict[str, Any]:
    """What is in the shop."""
    amount = F("unit_price") * F("quantity") - F("discount_share")
    return {
        "orders": Order.objects.count(),
        "lines": OrderLine.objects.count(),
        "variants": Variant.objects.count(),
        "events": OrderEvent.objects.exclude(subject="job").count(),
        "won": OrderLine.objects.aggregate(won=Sum(amount))["won"] or 0,
        "paid": LedgerEntry.objects.aggregate(won=Sum("amount"))["won"] or 0,
    }


def preview(content: bytes) -> tuple[Job, UploadCounts, float]:
    """Read and judge; seconds."""
    began = time.perf_counter()
    table = read_table(content, filename="superstore.csv")
    job = open_import(content=content, table=table, profile=None, actor=None, at=timezone.now())
    return job, upload_counts(job), time.perf_counter() - began


def apply(job: Job) -> float:
    """Confirm and work off; seconds."""
    began, at = time.perf_counter(), timezone.now()
    found = start.confirm(job_id=job.pk, actor=None, at=at) or lease.claim(job_id=job.pk, at=at)
    assert found is not None
    runner.run(found)
    return time.perf_counter() - began


def taken_won(table: Table, job: Job) -> int:
    """Won of the rows that were taken, counted from the file itself."""
    names = [str(name) for name in table.rows[0]]
    sales, rows = names.index("Sales"), dict(zip(table.numbers, table.rows, strict=True))
    taken = job.items.filter(result="OK").values_list("row_number", flat=True)
    return sum(
        int((Decimal(str(rows[number or 0][sales])) * FACTOR).quantize(Decimal(1), rounding=ROUND_HALF_UP))
        for number in taken
    )


def main(source: Path) -> int:
    """Import, import again, compare."""
    call_command("migrate", verbosity=0, interactive=False)
    content = source.read_bytes()
    table = read_table(content, filename="superstore.csv")
    mapped(table)
    job, counts, read_seconds = preview(content)
    apply_seconds = apply(job)
    result, first = items.counts(job), stored()
    # Other bytes, the same rows: the guard against the same file must not be what answers.
    again, same, _ = preview(content + b"\r\n")
    second = stored()
    lines = len(table.rows) - 1
    print(f"lines in the file      {lines:>10,}")
    print(f"created / refused      {result.ok:>10,} / {result.refused:,}")
    for reason, number in items.reasons(job):
        print(f"  {number:>6,}  {reason}")
    print(f"orders, variants       {first['orders']:>10,} / {first['variants']:,}")
    print(f"won in the shop        {first['won']:>10,}")
    print(f"preview, apply         {read_seconds:>10.2f} / {apply_seconds:.2f} s")
    print(f"second run: ready {same.ready}, unchanged {same.same:,}, refused {same.error:,}")
    checks = {
        "every line is accounted for": counts.total == lines == result.total and result.pending == 0,
        "created rows are lines": result.ok == first["lines"],
        "won agree with the file": taken_won(table, job) == first["won"] == first["paid"],
        "the second run changes nothing": first == second and same.ready == same.ask == 0 and bool(again.pk),
        "refused rows stay the same": same.error == result.refused and same.same == result.ok,
        "all invariants hold": find_violations() == [],
    }
    for name, holds in checks.items():
        print(f"{'ok ' if holds else 'NO '} {name}")
    return 0 if all(checks.values()) else 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
