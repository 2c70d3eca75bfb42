"""Rows of the result: what was aimed at, what was measured, and how the two compare."""

from dataclasses import dataclass
from statistics import quantiles

from bench import meter


@dataclass(frozen=True)
class Row:
    """One measured case; `value` and `goal` have the same unit, None where there is no goal or no measurement."""

    group: str
    case: str
    goal: float | None
    value: float | None
    unit: str
    detail: str = ""
    is_rate: bool = False
    """More is better."""

    @property
    def verdict(self) -> str:
        if self.value is None:
            return "–"
        if self.goal is None:
            return ""
        is_met = self.value >= self.goal if self.is_rate else self.value <= self.goal
        return "yes" if is_met else "NO"


def p50_p95(times: list[float]) -> tuple[float, float]:
    """Median and 95th percentile of some times."""
    if len(times) < 2:
        return times[0], times[0]
    cut = quantiles(times, n=100, method="inclusive")
    return cut[49], cut[94]


def _number(value: float | None, unit: str) -> str:
    if value is None:
        return "not there yet"
    return f"{value:.2f} {unit}" if unit == "s" else f"{value:.1f} {unit}"


def table(rows: list[Row], *, markdown: bool, size: str) -> str:
    """The whole report as text."""
    cells = [("", "case", "goal", "measured", "met", "detail")]
    cells += [
        (row.group, row.case, "" if row.goal is None else _number(row.goal, row.unit), _number(row.value, row.unit),
         row.verdict, row.detail)
        for row in rows
    ]  # fmt: skip
    head = f"Measured at {size} orders; load of the machine {meter.load_of_machine()}."
    if markdown:
        lines = ["| " + " | ".join(line) + " |" for line in cells]
        lines.insert(1, "|" + "---|" * len(cells[0]))
        return "\n".join([head, "", *lines])
    widths = [max(len(line[n]) for line in cells) for n in range(len(cells[0]))]
    return "\n".join(
        [head, *("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)) for line in cells)]
    )
