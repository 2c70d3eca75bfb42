"""The bench under two hands, a nervous network and a process that dies: counted once, closed once, nothing lost."""

import signal
import sys
from functools import partial
from uuid import uuid4

import pytest
from django.conf import settings

from core.exceptions import DomainError
from core.invariants import find_violations
from core.settings_registry import set_setting
from orders.models import OrderEvent
from orders.services import locks
from orders.states import LockKind
from shipping.events import SHIPMENT_PACKED
from shipping.models import PackingScan, PackingSession, Parcel, PrintBatch, WaybillNumber
from shipping.services import shipments
from shipping.services.issuing.contracts import ContractFacts, add_range, save_contract
from shipping.services.issuing.issue import issue_waybills
from shipping.services.packing import closing, desk
from shipping.services.packing.answers import Answer
from shipping.services.packing.closing import follow_up
from shipping.states import ContractMode, PackingState, Signal
from tests.fixtures.contracts import range_contract
from tests.fixtures.orders import NOW
from tests.fixtures.packing import Packer, counted, is_packed, skus
from tests.infra.queues import behind
from tests.infra.races import race

pytestmark = pytest.mark.django_db(transaction=True)


def scanning(actor, made, code, key=None):
    def work():
        try:
            answer = desk.scan(key=key or uuid4(), code=code, actor=actor, at=NOW, shipment_id=made.pk)
        except DomainError as error:
            return error.code
        return answer.signal.value

    return work


def test_the_same_scan_in_parallel_counts_once(make_routed, staff):  # check 34, F10
    [made] = make_routed(1, quantities=(30,))
    key = uuid4()
    found = race([scanning(staff, made, skus(made)[0], key) for _ in range(8)])
    assert found == [Signal.OK.value] * 8
    assert counted(made) == 1
    assert PackingScan.objects.filter(key=key).count() == 1


@pytest.mark.parametrize("code", ["CMD-NEXT", "QWER-1234", "CMD-NO"])
def test_a_scan_that_needs_no_shipment_is_kept_once_as_well(staff, code):
    key = uuid4()

    def work():
        return desk.scan(key=key, code=code, actor=staff, at=NOW).signal.value

    assert len(set(race([work] * 8))) == 1
    assert PackingScan.objects.filter(key=key).count() == 1


def test_different_scans_in_parallel_count_each_and_never_too_many(make_routed, staff):
    [made] = make_routed(1, quantities=(3, 1))
    found = race([scanning(staff, made, skus(made)[0]) for _ in range(6)])
    assert sorted(found) == ["ok"] * 3 + ["over"] * 3
    assert counted(made) == 3


def test_two_packers_who_begin_at_once_do_not_pack_twice(make_routed, staff, make_staff):
    [made] = make_routed(1, quantities=(4,))
    people = [staff, make_staff(display_name="박서준")]
    race([scanning(people[n % 2], made, skus(made)[0]) for n in range(6)])
    session = PackingSession.objects.get()
    counting = PackingScan.objects.filter(verdict="OK").values_list("actor_id", flat=True)
    assert set(counting) == {session.packer_id}
    assert counted(made) <= 4


def test_two_last_scans_close_once(make_routed, staff):
    [made] = make_routed(1, quantities=(1,))
    found = race([scanning(staff, made, skus(made)[0]) for _ in range(4)])
    assert found.count("done") == 1
    assert OrderEvent.objects.filter(kind=SHIPMENT_PACKED.code).count() == 1
    assert PrintBatch.objects.count() == 1
    assert Parcel.objects.get(shipment=made).printed_count == 1


def test_a_cancel_request_beside_the_last_scan_is_either_before_or_after(make_routed, staff):
    made = make_routed(6, quantities=(1,))

    def cancel(one):
        ids = shipments.lines_of([one.pk])
        return lambda: bool(
            locks.place_lock(line_ids=ids, kind=LockKind.CLAIM, actor=None, at=NOW, reason="취소 신청").moved
        )

    for one in made:
        answer, locked = race([scanning(staff, one, skus(one)[0]), cancel(one)])
        assert locked
        assert (answer, is_packed(one)) in {("stop", False), ("done", True)}
        # Whichever came first, nobody sends it now.
        packer = Packer(staff)
        assert packer.scan(one.number).signal == Signal.STOP
        assert shipments.ship(line_ids=shipments.lines_of([one.pk]), actor=staff, at=NOW).refused


def test_a_scan_that_is_sent_again_before_its_answer_adds_its_box_once(make_shipments, staff):
    [made] = make_shipments(1, quantities=(3,))
    packer = Packer(staff)
    packer.scan(made.number)
    [sku, *_] = skus(made)
    packer.all(sku, sku)
    packer.scan("CMD-BOX")
    packer.scan(sku)
    contract = range_contract(is_default=True)
    issue_waybills(shipment_ids=[made.pk], contract_id=contract.pk, actor=staff, at=NOW)
    # Both ask for the box of what is packed, and wait for the order that a colleague works on.
    follow = partial(follow_up, Answer(Signal.DONE, "", shipment_id=made.pk), actor=staff, at=NOW, key=uuid4())
    behind(made.order_id, follow, follow)
    rows = Parcel.objects.filter(shipment=made).order_by("seq")
    assert list(rows.values_list("state", "items__quantity")) == [("NUMBERED", 2), ("NUMBERED", 1)]
    assert WaybillNumber.objects.count() == 2


def test_of_two_who_ask_for_a_number_at_once_both_go_on_and_the_box_leaves(make_shipments, staff):
    set_setting(key="pack_ships", value=True, actor=staff, at=NOW)
    facts = ContractFacts(name="한진 대역", courier="HANJIN", mode=ContractMode.RANGE, is_default=True)
    contract = save_contract(code="hanjin-range", given=facts, options={}, actor=None, at=NOW)
    add_range(contract_id=contract.pk, prefix="", start="40000000001", end="40000000100", order=1, actor=None, at=NOW)
    [made] = make_shipments(1)
    follow = partial(follow_up, Answer(Signal.DONE, "", shipment_id=made.pk), actor=staff, at=NOW)
    packer = Packer(staff)
    packer.scan(made.number)
    PackingSession.objects.update(state=PackingState.PACKED, closed_at=NOW)
    seen = []

    def meanwhile(**asked):
        if not seen:
            seen.append(1)
            issue_waybills(shipment_ids=[made.pk], contract_id=contract.pk, actor=staff, at=NOW)
        return issue_waybills(**asked)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(closing, "issue_waybills", meanwhile)
        answer = follow(key=uuid4())
    assert (answer.detail, Parcel.objects.get().state) == ("", "HANDED_OVER")
    assert PackingSession.objects.get().label_note == ""


@pytest.mark.processes
def test_a_death_between_closing_and_label_leaves_a_packed_box_that_asks_for_its_label(processes, make_routed, staff):
    [made] = make_routed(1, quantities=(2,))
    packer = Packer(staff)
    packer.scan(made.number)
    packer.scan(skus(made)[0])
    key = uuid4()
    code = (
        "from uuid import UUID; from django.utils import timezone; from accounts.models import User;"
        "from shipping.services.packing import desk;"
        f"desk.scan(key=UUID('{key}'), code='{skus(made)[0]}', actor=User.objects.get(pk={staff.pk}),"
        f"at=timezone.now(), shipment_id={made.pk})"
    )
    command = [sys.executable, str(settings.BASE_DIR / "manage.py"), "shell", "-c", code]
    running = processes.run(command, name="scan", env={"OMS_FAILPOINTS": "packed_before_label=kill"})
    running.process.wait(60)
    assert running.process.returncode == -signal.SIGKILL, running.log()
    assert PackingSession.objects.get().state == PackingState.PACKED
    assert counted(made) == 2
    assert not PrintBatch.objects.exists()
    # The browser sends the scan again, with the id that it had.
    packer.open = made.pk
    again = packer.scan(skus(made)[0], key=key)
    assert (again.signal, bool(again.print_number)) == (Signal.DONE, True)
    assert counted(made) == 2
    assert Parcel.objects.get(shipment=made).printed_count == 1
    assert find_violations() == []
