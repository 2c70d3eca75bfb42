"""Won: shown as staff read it, divided without losing one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.money import split, won

weights = st.lists(st.integers(0, 10**9), min_size=1, max_size=30)


@pytest.mark.parametrize(
    ("amount", "text"), [(0, "0원"), (12300, "12,300원"), (-12300, "-12,300원"), (1234567890, "1,234,567,890원")]
)
def test_won_has_commas_and_no_space(amount, text):
    assert won(amount) == text


@pytest.mark.parametrize(
    ("total", "parts", "shares"),
    [
        (5000, [30000, 20000], [3000, 2000]),  # domain.md 3.6
        (3000, [30000, 20000], [1800, 1200]),
        (3001, [1, 1], [1501, 1500]),  # the first of equals
        (3001, [1, 2], [1000, 2001]),  # the largest
        (100, [1, 1, 1], [34, 33, 33]),
        (2, [1, 1, 1], [2, 0, 0]),  # what is left goes to one line
        (-3001, [1, 2], [-1000, -2001]),
        (500, [0, 0], [500, 0]),
        (0, [], []),
        (0, [3, 4], [0, 0]),
    ],
)
def test_shares_are_cut_and_the_rest_goes_to_the_largest(total, parts, shares):
    assert split(total, parts) == shares


@given(st.integers(-(10**12), 10**12), weights)
def test_shares_add_up_to_the_total(total, parts):
    shares = split(total, parts)
    assert sum(shares) == total
    assert len(shares) == len(parts)


@given(st.integers(0, 10**12), weights)
def test_a_share_is_never_below_its_floor_and_only_one_is_above(total, parts):
    shares = split(total, parts)
    floors = [total * part // sum(parts) if sum(parts) else 0 for part in parts]
    above = [index for index, (share, floor) in enumerate(zip(shares, floors, strict=True)) if share != floor]
    assert all(share >= floor for share, floor in zip(shares, floors, strict=True))
    assert above in ([], [parts.index(max(parts))])


@given(st.integers(0, 10**9), weights)
def test_who_weighs_nothing_gets_nothing_unless_all_weigh_nothing(total, parts):
    if any(parts):
        assert all(share == 0 for share, part in zip(split(total, parts), parts, strict=True) if part == 0)


def test_money_for_nobody_and_negative_weights_are_refused():
    with pytest.raises(ValueError, match="no weight"):
        split(1, [])
    with pytest.raises(ValueError, match="negative"):
        split(1, [2, -1])
