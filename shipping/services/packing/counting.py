"""담기: units of a product into the box that is open."""

from collections.abc import Sequence

from orders.models import OrderLine
from shipping.services.packing import closing
from shipping.services.packing.answers import Kept, Scan
from shipping.services.packing.bench import Bench
from shipping.services.packing.tally import name_of
from shipping.states import ScanVerdict, Signal

OVER = "이미 {n}개를 모두 담았습니다."
V = ScanVerdict


def put_in(one: Scan, bench: Bench, lines: Sequence[OrderLine], *, units: int = 1, is_by_hand: bool = False) -> Kept:
    """담기: the first of these lines that still misses units gets them; more than it misses is refused."""
    missing = bench.tally.missing
    line = next((line for line in lines if missing.get(line.pk, 0) >= units), None)
    if line is None:
        total = sum(line.quantity for line in lines)
        answer = bench.answer(Signal.OVER, OVER.format(n=total), detail=name_of(lines[0]), speech="수량이 넘칩니다")
        return Kept(V.OVER, answer, line=lines[0])
    bench.tally.add(line.pk, bench.session.boxes, units)
    count = f"{bench.tally.counts[line.pk]} / {line.quantity}"
    answer = bench.answer(Signal.OK, f"{name_of(line)} {count}")
    if not bench.tally.missing:
        answer = closing.close(bench, one, by_itself=True)
    answer.line_id = line.pk
    # Asked for last: closing may have left out an empty box before it.
    return Kept(V.OK, answer, line=line, quantity=units, box=bench.session.boxes, is_by_hand=is_by_hand)
