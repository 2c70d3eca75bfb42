"""Every adapter reads what is authentic, refuses what is not, and answers in its PG's words (payments.md 5.3, 5.4)."""

import dataclasses
import json

import pytest

from payments.adapters.base import STATUS, Answer, Rejected
from payments.adapters.registry import PGS
from tests.payments.pg.every import CASES


def named(items):
    """One parameter per (case, name)."""
    return [
        pytest.param(case, value, id=f"{case.pg.name}: {name}") for case in CASES for name, value in items(case).items()
    ]


every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.pg.name)


@every_case
def test_the_golden_notice_is_read(case):
    notice = case.read(case.authentic)
    assert {name: getattr(notice, name) for name in case.expected} == dict(case.expected)
    assert len(notice.event_key) <= 200


@every_case
def test_the_same_notice_has_the_same_key_and_another_one_has_not(case):
    assert case.read(case.authentic).event_key == case.read(case.authentic).event_key
    keys = {case.read(request).event_key for request in case.kinds.values()}
    if not case.pg.capabilities.has_event_id:
        assert len(keys | {case.read(case.authentic).event_key}) == len(case.kinds) + 1


@pytest.mark.parametrize(("case", "given"), named(lambda case: case.refused))
def test_a_notice_that_is_not_authentic_or_not_readable_is_refused(case, given):
    request, answer = given
    with pytest.raises(Rejected) as refusal:
        case.read(request)
    assert refusal.value.answer is answer
    assert refusal.value.reason
    assert len(refusal.value.reason) <= 40


@pytest.mark.parametrize(("case", "request_"), named(lambda case: case.tolerated))
def test_an_odd_notice_that_is_authentic_is_read(case, request_):
    notice = case.read(request_)
    assert json.dumps(dict(notice.fields), ensure_ascii=False).encode()
    assert notice.kind is case.expected["kind"]
    assert notice.order_ref == case.expected["order_ref"]


@pytest.mark.parametrize(
    ("case", "given"), named(lambda case: {kind.value: (kind, one) for kind, one in case.kinds.items()})
)
def test_every_kind_of_event_has_our_word(case, given):
    kind, request = given
    assert case.read(request).kind is kind


@every_case
def test_the_answers_are_the_exact_bytes(case):
    status, content_type, body = case.ack
    said = case.pg.speak(Answer.ACK)
    assert (said.status, said.content_type, said.body) == (status, content_type, body)
    for answer in set(Answer) - {Answer.ACK}:
        said = case.pg.speak(answer)
        assert (said.status, said.content_type, said.body) == (STATUS[answer], *case.failure)


@every_case
def test_no_failure_contains_what_a_pg_takes_for_success(case):
    for answer in set(Answer) - {Answer.ACK}:
        said = case.pg.speak(answer)
        assert b"OK" not in said.body.upper()
        assert b"0000" not in said.body
        assert said.status >= 400


@every_case
def test_secrets_are_not_kept_with_the_notice(case):
    kept = repr(case.read(case.authentic))
    for secret in (*case.secrets.values(), *case.account.secrets, *case.account.options.values()):
        assert secret not in kept


def test_every_pg_of_the_registry_has_its_case():
    assert {case.pg.name for case in CASES} == set(PGS)
    for name, pg in PGS.items():
        assert pg.name == name
        assert pg.live_url.startswith("https://")
        assert pg.label


@every_case
def test_a_notice_is_a_frozen_record(case):
    with pytest.raises(dataclasses.FrozenInstanceError):
        case.read(case.authentic).kind = None
