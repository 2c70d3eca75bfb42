"""A day of parcels under the planner alone, and the comparison of such a day with one that was driven."""

from bench import day, transit

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
