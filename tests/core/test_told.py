"""No state change without its event: what the database asks at the commit (architecture.md 1, rule 2)."""

from collections.abc import Callable
from functools import partial

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import F

from accounts.models import User
from core.events import record
from core.jobs.lifecycle import JOB_CANCELED
from core.models import Job, JobKind, JobState
from core.state import Change, Outcome, StateGuard, move
from core.triggers import EVENT_TABLE
from orders import events
from orders.models import OrderEvent, OrderLine
from orders.states import LineState
from payments.models import BankDeposit, Payment, Refund
from shipping.models import Parcel, WaybillNumber
from tests.fixtures.orders import NOW, reloaded
from tests.fixtures.work import LineMaker, locked_rows

MACHINES: tuple[type[StateGuard], ...] = (OrderLine, Parcel, Payment, BankDeposit, Refund, Job)


def together(*steps: Callable[[], object]) -> None:
    """One transaction, and at its end what a commit does first."""
    with transaction.atomic(), connection.cursor() as cursor:
        for step in steps:
            step()
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")


def make_ready(line: OrderLine) -> None:
    OrderLine.objects.filter(pk=line.pk).update(state="READY", version=F("version") + 1)


def tell(line: OrderLine, *, version: int, subject: OrderLine | None = None) -> None:
    change = Change(subject or line, LineState.PREPARING, LineState.READY, version)
    record(Outcome(changes=[change]), events.LINE_READY, at=NOW)


def _returned(line: OrderLine) -> Outcome:
    return move(locked_rows([line.pk]), OrderLine.return_to_preparing, at=NOW)


@pytest.mark.django_db(transaction=True)
def test_a_state_that_changed_without_its_event_is_refused_at_the_commit(make_lines: LineMaker) -> None:
    [line] = make_lines(1)
    with pytest.raises(IntegrityError, match="to READY without its event"), transaction.atomic():
        make_ready(line)
    assert (reloaded(line).state, reloaded(line).version) == ("PREPARING", 0)
    assert not OrderEvent.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_state_that_changed_with_its_event_is_committed(make_lines: LineMaker) -> None:
    [line] = make_lines(1)
    with transaction.atomic():
        make_ready(line)
        tell(line, version=1)
    assert (reloaded(line).state, OrderEvent.objects.get().version) == ("READY", 1)


def test_an_event_of_another_row_or_version_does_not_count(make_lines: LineMaker) -> None:
    line, other = make_lines(2)
    for subject, version in ((other, 1), (line, 7)):
        with pytest.raises(IntegrityError, match="without its event"):
            together(partial(make_ready, line), partial(tell, line, version=version, subject=subject))
    assert reloaded(line).state == "PREPARING"


def test_each_of_two_moves_in_one_transaction_needs_its_event(make_lines: LineMaker) -> None:
    [line] = make_lines(1)
    with pytest.raises(IntegrityError, match="to READY without its event"):
        together(partial(make_ready, line), lambda: record(_returned(line), events.LINE_BACK_TO_PREPARING, at=NOW))
    assert (reloaded(line).state, reloaded(line).version) == ("PREPARING", 0)


def test_a_job_is_asked_too(staff: User) -> None:
    job = Job.objects.create(kind=JobKind.ACT, act="x", label="x", actor=staff)
    with pytest.raises(IntegrityError, match="move of core_job"):
        together(lambda: Job.objects.filter(pk=job.pk).update(state="QUEUED", version=1))
    assert reloaded(job).state == JobState.PREVIEW
    together(lambda: record(move([reloaded(job)], Job.cancel, at=NOW), JOB_CANCELED, at=NOW))
    assert reloaded(job).state == JobState.CANCELED


def test_rows_that_change_no_state_are_left_alone(make_lines: LineMaker) -> None:
    [line] = make_lines(1)
    together(lambda: OrderLine.objects.filter(pk=line.pk).update(product_name="다른 이름", version=F("version") + 1))
    assert reloaded(line).product_name == "다른 이름"


@pytest.mark.parametrize("model", MACHINES)
def test_every_machine_is_asked_by_its_own_name_in_the_event_table(model: type[StateGuard]) -> None:
    triggers = {trigger.name: trigger for trigger in model._meta.triggers}  # type: ignore[attr-defined]
    assert f"subject = '{model.event_subject}'" in triggers["told"].func
    assert OrderEvent._meta.db_table == EVENT_TABLE
    # What becomes of a number before it is on a parcel is no news of an order.
    assert {*StateGuard.__subclasses__()} == {*MACHINES, WaybillNumber}
