"""The number rule of a courier and the ranges made under it: neither changes under the other (shipping.md 5.1, 5.2)."""

from functools import partial

import pytest
from django.db.models import F

from accounts.roles import Role
from core.exceptions import NotFound
from core.invariants import find_violations
from core.models import SettingChange
from shipping.couriers import COURIERS, TABLE, CheckRule
from shipping.models import Courier, WaybillNumber, WaybillRange
from shipping.services.couriers import CourierRefused, codes_of, save_courier
from shipping.services.issuing.contracts import ContractRefused, drop_rest, switch_range
from shipping.services.issuing.issue import issue_waybills
from shipping.waybills import number_of
from tests.fixtures.contracts import give_range, range_contract
from tests.fixtures.orders import NOW
from tests.fixtures.shipments import again
from tests.infra.races import race

FACTS = ("name", "aliases", "digits", "rare_digits", "shortest", "check_rule", "level", "has_letters", "link",
         "is_active")  # fmt: skip


def change_courier(slug="CJGLS", **changes):
    row = Courier.objects.get(pk=slug)
    facts = {name: getattr(row, name) for name in FACTS} | changes
    return save_courier(slug=slug, seen_version=row.version, facts=facts, codes=codes_of(row), actor=None, at=NOW)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"check_rule": CheckRule.NONE}, "check_rule"),
        ({"check_rule": CheckRule.ALL_BUT_LAST}, "check_rule"),
        ({"digits": [13]}, "digits"),
        ({"digits": [10], "rare_digits": [12], "level": "warn"}, "digits"),
    ],
)
def test_a_number_rule_stays_while_a_range_in_use_has_numbers_left(changes, field, db):
    contract = range_contract(size=10)
    before = Courier.objects.values().get(pk="CJGLS")
    with pytest.raises(CourierRefused, match=r"68100000000~68100000009에 번호가 10개 남아") as refused:
        change_courier(**changes)
    assert refused.value.field == field
    assert Courier.objects.values().get(pk="CJGLS") == before
    assert change_courier(name="CJ 대한통운", digits=[12, 10])
    WaybillRange.objects.filter(contract=contract).update(next_body=F("body_end") + 1)
    assert change_courier(**changes)


def test_a_range_under_another_rule_is_stopped_first_and_comes_back_only_when_it_fits(db):
    range_contract(size=10)
    one = WaybillRange.objects.get()
    switch_range(range_id=one.pk, is_active=False, actor=None, at=NOW)
    assert change_courier(check_rule=CheckRule.NONE)
    with pytest.raises(ContractRefused, match="10자리여야 하는데 9자리"):
        switch_range(range_id=one.pk, is_active=True, actor=None, at=NOW)
    assert not WaybillRange.objects.get().is_active
    assert change_courier(check_rule=CheckRule.ALL_BUT_LAST)
    switch_range(range_id=one.pk, is_active=True, actor=None, at=NOW)
    assert WaybillRange.objects.get().is_active


def test_a_process_that_has_not_heard_of_a_new_rule_gives_numbers_by_it(make_shipments, staff):
    contract, one = range_contract(size=10), WaybillRange.objects.get()
    switch_range(range_id=one.pk, is_active=False, actor=None, at=NOW)
    old = TABLE.get()
    change_courier(check_rule=CheckRule.ALL_BUT_LAST)
    switch_range(range_id=one.pk, is_active=True, actor=None, at=NOW)
    TABLE.remember(old)
    issue_waybills(shipment_ids=[one.pk for one in make_shipments(1)], contract_id=contract.pk, actor=staff, at=NOW)
    TABLE.forget()
    number = WaybillNumber.objects.get().number
    assert number == number_of(COURIERS["CJGLS"], prefix="68", body_digits=9, body=100_000_000)
    assert number != number_of(old["CJGLS"], prefix="68", body_digits=9, body=100_000_000)


def change_and_switch_on(range_id, turn):
    """One clerk changes the rule, the other takes the range back into use: whether it was done."""
    try:
        if turn:
            return change_courier(check_rule=CheckRule.NONE)
        switch_range(range_id=range_id, is_active=True, actor=None, at=NOW)
    except (CourierRefused, ContractRefused):
        return False
    return True


@pytest.mark.django_db(transaction=True)
def test_of_a_new_rule_and_a_range_that_comes_back_only_one_wins():
    range_contract(size=10)
    one = WaybillRange.objects.get()
    switch_range(range_id=one.pk, is_active=False, actor=None, at=NOW)
    done = race([partial(change_and_switch_on, one.pk, turn) for turn in (0, 1)])
    assert sorted(done) == [False, True]
    TABLE.forget()
    is_active = WaybillRange.objects.get().is_active
    assert (COURIERS["CJGLS"].check is CheckRule.NONE) is not is_active


def test_the_page_of_the_contract_says_why_a_range_stays_out_of_use(sign_in):
    contract, client = range_contract(size=10), sign_in(Role.OWNER)
    one = WaybillRange.objects.get()
    switch_range(range_id=one.pk, is_active=False, actor=None, at=NOW)
    change_courier(check_rule=CheckRule.NONE)
    answer = client.post(f"/settings/waybills/{contract.pk}/", {"part": "on", "range": str(one.pk)})
    assert answer.status_code == 422
    assert "이 대역(68100000000~68100000009)은 다시 쓸 수 없습니다" in answer.content.decode()
    assert not WaybillRange.objects.get().is_active


def issue(rows, contract, actor):
    ids = [row.pk for row in rows]
    return issue_waybills(shipment_ids=ids, contract_id=contract.pk, actor=actor, at=NOW)


def test_what_is_left_of_a_stopped_range_is_thrown_away_and_free_for_the_right_one(make_shipments, staff):
    contract, rows = range_contract(), make_shipments(3)
    issue(rows[:2], contract, staff)
    one = WaybillRange.objects.get()
    with pytest.raises(ContractRefused, match="먼저 중지"):
        drop_rest(range_id=one.pk, actor=staff, at=NOW)
    assert WaybillRange.objects.get().left == 998
    switch_range(range_id=one.pk, is_active=False, actor=staff, at=NOW)
    kept = drop_rest(range_id=one.pk, actor=staff, at=NOW)
    assert (kept.total, kept.left) == (2, 0)
    with pytest.raises(ContractRefused, match="남은 번호가 없는"):
        drop_rest(range_id=one.pk, actor=staff, at=NOW)
    give_range(contract, size=10, start=100_000_002)
    assert issue(rows[2:], contract, staff).refused == {}
    assert again(rows[2:])[0].waybill == number_of(COURIERS["CJGLS"], prefix="68", body_digits=9, body=100_000_002)
    assert list(find_violations()) == []
    changes = SettingChange.objects.filter(key__endswith=":range").order_by("pk").values_list("old", "new")
    assert ("68100000000~68100000999 · 1,000개", "68100000000~68100000001 · 2개") in changes


def test_a_range_that_nobody_used_goes_as_a_whole(staff, db):
    contract = range_contract(size=0)
    one = give_range(contract, size=10, start=100_000_000)
    switch_range(range_id=one.pk, is_active=False, actor=staff, at=NOW)
    assert drop_rest(range_id=one.pk, actor=staff, at=NOW) is None
    with pytest.raises(NotFound):
        drop_rest(range_id=one.pk, actor=staff, at=NOW)
    assert give_range(contract, size=5, start=100_000_005).left == 5
