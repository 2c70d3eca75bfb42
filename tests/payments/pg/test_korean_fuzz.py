"""Forms with any bytes in their fields, and the small readers beneath (test_fuzz.py does the rest for every PG)."""

import json
import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.cutting import cut
from payments.adapters.base import Answer, Kind, Notice, Rejected
from payments.adapters.form_body import MOST_FIELDS, MOST_WON, korean_time, read_form
from payments.adapters.json_api import moment
from tests.payments.pg import inicis_case, nicepay_form_case
from tests.payments.pg.cases import posted

EXAMPLES = 1000 * int(os.environ.get("OMS_FUZZ_EXAMPLES", "1"))
fuzz = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
SEEDS = {
    "nicepay_form": [nicepay_form_case.F4.body],
    "inicis": [inicis_case.F5.body, inicis_case.F6.body],
}
VALUES = [b"", b"0", b"-1", b"1e9", b"9" * 40, b"%00", b"%", b"%ZZ", b"%FF%FE", b"\x00", b"\xb0\xa1", b"&", b"=", b"+"]


@st.composite
def fields(draw, name):
    """The fields of a golden form with other values, in any order."""
    pairs = [piece.split(b"=", 1) for piece in draw(st.sampled_from(SEEDS[name])).split(b"&")]
    value = st.one_of(st.sampled_from(VALUES), st.binary(max_size=12))
    changed = [(key, draw(value) if draw(st.integers(0, 6)) == 0 else old) for key, old in pairs]
    return b"&".join(key + b"=" + new for key, new in draw(st.permutations(changed)))


def check(case, body):
    """Rejected with a short reason, or a notice that the tables can hold."""
    found = outcome(case, body)
    if isinstance(found, Notice):
        fits(found)
    else:
        assert found.answer in {Answer.MALFORMED, Answer.UNAUTHORIZED}
        assert 0 < len(found.reason) <= 40


def outcome(case, body) -> Notice | Rejected:
    try:
        return case.read(posted(body))
    except Rejected as refusal:
        return refusal


def fits(notice: Notice) -> None:
    assert 0 < len(notice.event_key) <= 200
    assert 0 < len(notice.order_ref) <= 64
    assert len(notice.payment_ref) <= 200
    assert len(notice.depositor) <= 60
    assert notice.amount is None or 0 < notice.amount <= MOST_WON
    assert notice.amount is not None or notice.kind in {Kind.OTHER, Kind.FAILED}
    stored = json.dumps(dict(notice.fields), ensure_ascii=False).encode() + notice.event_key.encode()
    assert b"\x00" not in stored
    assert notice.occurred_at is None or notice.occurred_at.tzinfo is not None


@pytest.mark.parametrize("case", [nicepay_form_case.CASE, inicis_case.CASE], ids=lambda case: case.pg.name)
def test_other_values_in_golden_forms(case):
    @fuzz
    @given(fields(case.pg.name))
    def run(body):
        check(case, body)

    run()


@fuzz
@given(
    st.lists(
        st.tuples(st.text("abc_", min_size=1, max_size=8), st.text(max_size=10)),
        max_size=20,
        unique_by=lambda pair: pair[0],
    )
)
def test_a_form_in_cp949_comes_back_as_it_was(pairs):
    def encoded(text: str) -> bytes:
        return b"".join(b"%%%02X" % byte for byte in text.encode("cp949", "ignore"))

    expected = {name: value.encode("cp949", "ignore").decode("cp949").replace("\x00", "") for name, value in pairs}
    body = b"&".join(name.encode() + b"=" + encoded(value) for name, value in pairs)
    if pairs:
        assert read_form(body, charset="cp949") == expected


@pytest.mark.parametrize(("count", "is_read"), [(MOST_FIELDS, True), (MOST_FIELDS + 1, False)])
def test_two_hundred_fields_are_read_and_no_more(count, is_read):
    body = b"&".join(b"f%d=1" % number for number in range(count))
    if is_read:
        assert len(read_form(body, charset="cp949")) == count
    else:
        with pytest.raises(Rejected) as caught:
            read_form(body, charset="cp949")
        assert caught.value.reason == "too_many_fields"


@fuzz
@given(st.text(max_size=20), st.integers(0, 30), st.sampled_from(["cp949", "utf-8"]))
def test_cut_texts_fit_their_bytes(text, most, charset):
    assert len(cut(text, most=most, charset=charset).encode(charset)) <= most


@fuzz
@given(st.one_of(st.text(max_size=30), st.from_regex(r"[0-9]{12,14}", fullmatch=True)))
def test_odd_times_are_no_times(text):
    for found in (korean_time(text), moment(text)):
        assert found is None or 1999 < found.year < 2100
