"""`python -m bench.issuer`: clerks who take numbers out of one range at once, as 송장 채번 does; prints JSON.

Run by bench/issuing.py in the environment of the measured shop. Everything it made is removed at the end.
"""

import json
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import django
from django.db import connection, transaction

django.setup()

from django.utils import timezone  # noqa: E402 - needs the set-up

from shipping.models import CourierContract, Shipment, WaybillNumber, WaybillRange  # noqa: E402
from shipping.services.issuing.contracts import ContractFacts, add_range, save_contract  # noqa: E402
from shipping.services.issuing.issue import reserve  # noqa: E402
from shipping.services.issuing.ranges import take_numbers  # noqa: E402
from shipping.states import ContractMode  # noqa: E402

CLERKS, BLOCKS = 8, (100, 1_000)
"""Numbers of one transaction: what shipping.md 5.3 names, and a request of many shipments."""
CHUNK = 160
SECONDS = 4.0
CODE = "bench-range"


def contract_of_bench() -> CourierContract:
    """A contract with the whole of a prefix that no seeded parcel has."""
    at = timezone.now()
    given = ContractFacts(name="측정", courier="CJGLS", mode=ContractMode.RANGE)
    contract = save_contract(code=CODE, given=given, options={}, actor=None, at=at)
    add_range(contract_id=contract.pk, prefix="99", start="0" * 9, end="9" * 9, order=1, actor=None, at=at)
    return contract


def take(contract: CourierContract, block: int, until: float) -> int:
    """Blocks of numbers, each in a transaction of its own; how many numbers."""
    taken = 0
    while time.monotonic() < until:
        with transaction.atomic():
            taken += len(take_numbers(contract=contract, count=block, at=timezone.now()))
    connection.close()
    return taken


def at_once(work: Callable[[float], int]) -> float:
    """Numbers in a second of eight clerks."""
    began = time.monotonic()
    with ThreadPoolExecutor(CLERKS) as pool:
        done = sum(pool.map(work, [began + SECONDS] * CLERKS))
    return done / (time.monotonic() - began)


def written(contract: CourierContract) -> tuple[int, float]:
    """Numbers reserved for shipments that wait, locks and rows included: how many, and how many in a second."""
    waiting = Shipment.objects.filter(step="READY", method="PARCEL", has_waybill=False, is_held=False, has_claim=False)
    ids = list(waiting.order_by("pk").values_list("pk", flat=True)[:20_000])
    began, done = time.monotonic(), 0
    for start in range(0, len(ids), CHUNK):
        done += len(reserve(shipment_ids=ids[start : start + CHUNK], contract=contract, actor=None, at=timezone.now()))
    return done, done / (time.monotonic() - began)


def clean() -> None:
    """Nothing of a run stays."""
    for model, key in ((WaybillNumber, "contract__code"), (WaybillRange, "contract__code"), (CourierContract, "code")):
        model.objects.filter(**{key: CODE}).delete()


def main() -> None:
    """One measurement."""
    clean()
    try:
        contract = contract_of_bench()
        blocks = [at_once(partial(take, contract, size)) for size in BLOCKS]
        count, rate = written(contract)
    finally:
        clean()
    json.dump({"blocks": dict(zip(BLOCKS, blocks, strict=True)), "written": rate, "count": count}, sys.stdout)


if __name__ == "__main__":
    main()
