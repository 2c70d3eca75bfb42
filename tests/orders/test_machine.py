"""A random walk over the line: whatever staff, buyers and jobs do in whatever order, every invariant holds."""

from datetime import timedelta

import pytest
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from core.state import Outcome, previewing
from orders.models import OrderLine
from orders.services import locks, progress
from orders.states import CanceledBy, ConfirmedBy, DeliveryMethod, Fault, LockKind
from orders.tasks import confirm_after_days
from payments.models import Refund
from payments.services.manual import confirm_manually, revert_manual
from payments.services.refunds.by_hand import pay_out
from payments.services.refunds.canceling import cancel_and_refund
from payments.tasks import cancel_unpaid_overdue
from shipping.couriers import COURIERS
from shipping.models import Shipment
from shipping.services import shipments
from shipping.services.numbers import waybills
from shipping.services.numbers.waybills import WaybillEntry
from shipping.waybills import with_check_digit
from tests.fixtures.orders import NOW, broken
from tests.fixtures.refunds import ACCOUNT

SOME = st.sets(st.integers(0, 5), min_size=1)


def walk(make_order, make_variant, staff) -> type[RuleBasedStateMachine]:
    class Walk(RuleBasedStateMachine):
        """Six orders of one scarce and one plentiful product; each rule is one click or one job."""

        def __init__(self) -> None:
            super().__init__()
            # Every walk begins in the same shop.
            self.shop = transaction.atomic()
            self.shop.__enter__()
            self.at, self.serial = NOW, 0
            scarce, plenty = make_variant(on_hand=2), make_variant(on_hand=50)
            self.orders = [
                make_order(
                    lines=[(scarce, 1), (plenty, 2)] if n % 2 else [(plenty, 1)],
                    paid=n == 5,
                    method=DeliveryMethod.DIRECT if n == 4 else DeliveryMethod.PARCEL,
                ).pk
                for n in range(6)
            ]

        def ids(self, picked: set[int]) -> list[int]:
            return [self.orders[n] for n in sorted(picked)]

        def lines(self, picked: set[int]) -> list[int]:
            return list(OrderLine.objects.filter(order__in=self.ids(picked)).values_list("pk", flat=True))

        def done(self, outcome: Outcome) -> None:
            self.at += timedelta(minutes=1)
            moved = set(outcome.moved_ids)
            assert not moved & set(outcome.refused)
            assert all(reason for reason in outcome.refused.values())

        @rule(picked=SOME)
        def confirm_payment(self, picked):
            self.done(confirm_manually(order_ids=self.ids(picked), actor=staff, at=self.at))

        @rule(picked=SOME)
        def revert_payment(self, picked):
            self.done(revert_manual(order_ids=self.ids(picked), actor=staff, at=self.at, reason="시험"))

        @rule(picked=SOME)
        def cancel_unpaid(self, picked):
            self.done(progress.cancel_unpaid(order_ids=self.ids(picked), actor=staff, at=self.at, by=CanceledBy.STAFF))

        @rule(picked=SOME)
        def revive(self, picked):
            self.done(progress.revive(order_ids=self.ids(picked), actor=staff, at=self.at, reason="시험"))

        @rule(picked=SOME)
        def make_ready(self, picked):
            lines = self.lines(picked)
            with previewing():
                told = shipments.make_ready(line_ids=lines, actor=staff, at=self.at)
            outcome = shipments.make_ready(line_ids=lines, actor=staff, at=self.at)
            assert {row.pk for row in told.possible} == set(outcome.moved_ids)
            assert told.refused == outcome.refused
            self.done(outcome)

        @rule(picked=SOME)
        def return_to_preparing(self, picked):
            self.done(shipments.return_to_preparing(line_ids=self.lines(picked), actor=staff, at=self.at))

        @rule(picked=SOME, replaces=st.booleans())
        def register_waybills(self, picked, replaces):
            entries = {}
            for pk in Shipment.objects.filter(order__in=self.ids(picked)).values_list("pk", flat=True):
                self.serial += 1
                number = with_check_digit(COURIERS["CJGLS"], f"68{self.serial:09d}")
                entries[pk] = WaybillEntry("CJGLS", number, replaces=replaces)
            self.done(waybills.register_waybills(entries=entries, actor=staff, at=self.at).outcome)

        @rule(picked=SOME)
        def void_waybills(self, picked):
            self.done(waybills.void_waybills(line_ids=self.lines(picked), actor=staff, at=self.at, reason="시험"))

        @rule(picked=SOME)
        def ship(self, picked):
            self.done(shipments.ship(line_ids=self.lines(picked), actor=staff, at=self.at))

        @rule(picked=SOME)
        def unship(self, picked):
            self.done(shipments.unship(line_ids=self.lines(picked), actor=staff, at=self.at, reason="시험"))

        @rule(picked=SOME)
        def deliver(self, picked):
            self.done(shipments.deliver_by_hand(line_ids=self.lines(picked), actor=staff, at=self.at, reason="시험"))

        @rule(picked=SOME)
        def undeliver(self, picked):
            self.done(shipments.undeliver(line_ids=self.lines(picked), actor=staff, at=self.at, reason="시험"))

        @rule(picked=SOME, fault=st.sampled_from(Fault))
        def cancel_and_refund(self, picked, fault):
            facts = {"fault": fault, "reason": "시험", "account": ACCOUNT, "actor": staff, "at": self.at}
            lines = self.lines(picked)
            with previewing():
                told = cancel_and_refund(line_ids=lines, **facts)
            outcome = cancel_and_refund(line_ids=lines, **facts)
            assert told.refused == outcome.refused
            self.done(outcome)

        @rule(picked=SOME)
        def pay_out(self, picked):
            found = Refund.objects.filter(order__in=self.ids(picked)).values_list("pk", flat=True)
            self.done(pay_out(refund_ids=list(found), actor=staff, at=self.at))

        @rule(picked=SOME)
        def confirm_purchase(self, picked):
            self.done(
                progress.confirm_purchase(line_ids=self.lines(picked), by=ConfirmedBy.BUYER, actor=None, at=self.at)
            )

        @rule(picked=SOME)
        def revoke(self, picked):
            self.done(progress.revoke_confirmation(line_ids=self.lines(picked), actor=staff, at=self.at, reason="시험"))

        @rule(picked=SOME)
        def hold(self, picked):
            self.done(locks.hold(line_ids=self.lines(picked), actor=staff, at=self.at, reason="시험"))

        @rule(picked=SOME)
        def release_hold(self, picked):
            self.done(locks.release_hold(line_ids=self.lines(picked), actor=staff, at=self.at))

        @rule(picked=SOME, kind=st.sampled_from([LockKind.CLAIM, LockKind.PAYMENT, LockKind.DEPOSIT_PENDING]))
        def lock(self, picked, kind):
            self.done(locks.place_lock(line_ids=self.lines(picked), kind=kind, actor=staff, at=self.at, reason="시험"))

        @rule(picked=SOME, kind=st.sampled_from([LockKind.CLAIM, LockKind.PAYMENT, LockKind.DEPOSIT_PENDING]))
        def unlock(self, picked, kind):
            self.done(locks.release_lock(line_ids=self.lines(picked), kind=kind, actor=staff, at=self.at))

        @rule(days=st.integers(1, 8))
        def days_pass(self, days):
            self.at += timedelta(days=days)
            cancel_unpaid_overdue(at=self.at)
            confirm_after_days(at=self.at)

        @invariant()
        def everything_holds(self):
            assert broken() == []

        def teardown(self):
            transaction.set_rollback(True)
            self.shop.__exit__(None, None, None)

    return Walk


@pytest.mark.django_db
def test_a_random_walk_keeps_every_invariant(make_order, make_variant, staff):
    run_state_machine_as_test(
        walk(make_order, make_variant, staff),
        settings=settings(max_examples=25, stateful_step_count=25, suppress_health_check=list(HealthCheck)),
    )
