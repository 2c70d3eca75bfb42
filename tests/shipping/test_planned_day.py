"""A day of parcels under the planner alone, and what judges the runs that are driven through sockets."""

from argparse import Namespace

import pytest

from bench import day, million, transit

LIVES = {key: day.life_of(key) for key in range(1, 1_501)}


def figures(limits):
    return day.figures(day.simulate(LIVES, limits=limits))


def test_a_planned_day_asks_little_sees_much_and_keeps_to_limits():
    free = figures({})
    assert 6 < free["polls_per_parcel"] <= 12, "shipping.md 4.5 says 9.2, A1 12 at most"
    assert free["p95"]["DELIVERED"] <= 75, "hourly on the day of the delivery, ten per cent more or less"
    assert any(most > 1 for most in free["busiest"].values())
    held = figures({courier: 1.0 for courier, _ in day.SHARES})
    assert set(held["busiest"].values()) == {1}
    assert abs(held["polls"] - free["polls"]) < 0.1 * free["polls"]


def test_days_that_differ_are_told_apart():
    planned = figures({})
    same = planned | {"wrong": 0, "violations": []}
    lines = transit.compare(planned, same, tick=10) + transit.faults(same, 9)
    assert len(lines) == 8
    assert not [line for line in lines if line.startswith("ERROR")]
    late = planned["p95"] | {"DELIVERED": planned["p95"]["DELIVERED"] + 6}
    other = same | {"polls": planned["polls"] * 1.04, "wrong": 3, "p95": late, "busiest": {"CJGLS": 10}}
    wrong = [line for line in transit.compare(planned, other, tick=10) if line.startswith("ERROR")]
    assert [line.split()[1] for line in wrong] == ["polls:", "p95"]
    assert len(transit.faults(other, 9)) == 2
    assert len(transit.faults(other, 10)) == 1


GOOD = {
    "ticks": [12.0, 480.0], "grown": 3.0, "asked": {"CJGLS": 900}, "busiest": {"CJGLS": 105},
    "ages": {"CJGLS": 0.5}, "gap": 119.5, "again": 40, "failed": 0,
}  # fmt: skip


@pytest.mark.parametrize(
    "wrong",
    [
        {"ticks": [12.0, 501.0]},
        {"grown": 33.0},
        {"asked": {"CJGLS": 0}},
        {"ages": {"CJGLS": 2.1}},
        {"busiest": {"CJGLS": 106}},
        {"gap": 110.0},
        {"gap": None, "again": 0},
        {"failed": 1},
    ],
)
def test_a20_ten_minutes_of_a_million_are_judged_by_every_demand(wrong):
    terms = Namespace(limit=100.0, min_interval=120)

    def errors(found):
        return [line for line in million.judge(found, terms) if line.startswith("ERROR")]

    assert errors(GOOD) == []
    assert len(errors(GOOD | wrong)) == 1
