"""Coupons and points: the mall's own money, kept in a ledger beside the payments."""

import pgtrigger
from django.conf import settings
from django.db import models
from django.db.models import Q

from core.triggers import append_only
from orders.models.order import Order
from orders.states import BenefitAct, BenefitKind


def _not_more_than_used() -> pgtrigger.Trigger:
    """Once for a statement: a thousand orders get theirs back at a time. Uses alone are not added up."""
    return pgtrigger.Trigger(
        name="not_more_than_used",
        operation=pgtrigger.Insert,
        when=pgtrigger.After,
        level=pgtrigger.Statement,
        referencing=pgtrigger.Referencing(new="new_rows"),
        declare=[("wrong", "bigint")],
        func="""
            IF COALESCE(current_setting('oms.bulk_load', true), '') = 'on' THEN
                RETURN NULL;
            END IF;
            SELECT e.order_id INTO wrong FROM orders_benefitentry e
             WHERE e.order_id IN (SELECT order_id FROM new_rows WHERE act = 'RESTORED')
             GROUP BY e.order_id, e.kind
            HAVING sum(CASE e.act WHEN 'USED' THEN e.amount ELSE -e.amount END) < 0 LIMIT 1;
            IF wrong IS NOT NULL THEN
                RAISE EXCEPTION 'order % would get back more than it used', wrong USING ERRCODE = 'check_violation';
            END IF;
            RETURN NULL;
        """,
    )


class BenefitEntry(models.Model):
    """쿠폰·적립금 원장: what an order used and what was given back, in won; never changed, never deleted.

    `seq` counts the rows of one order, kind and act. Never is more given back than was used: a trigger adds them up.
    """

    order = models.ForeignKey(Order, models.PROTECT, related_name="benefits", db_index=False)  # benefit_once has it
    kind = models.CharField("종류", max_length=8, choices=BenefitKind.choices)
    act = models.CharField("구분", max_length=8, choices=BenefitAct.choices)
    seq = models.PositiveSmallIntegerField("순번")
    amount = models.PositiveBigIntegerField("금액")
    at = models.DateTimeField("일시")
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+", db_index=False)
    batch = models.ForeignKey("core.Job", models.PROTECT, null=True, related_name="+", db_index=False)
    reason = models.CharField("사유", max_length=200, blank=True)

    class Meta:
        verbose_name = "쿠폰·적립금 원장"
        triggers = [*append_only(), _not_more_than_used()]
        constraints = [
            models.UniqueConstraint(fields=["order", "kind", "act", "seq"], name="benefit_once"),
            models.CheckConstraint(condition=Q(amount__gt=0), name="benefit_amount_positive"),
            models.CheckConstraint(condition=Q(seq__gte=1), name="benefit_seq_positive"),
            models.CheckConstraint(condition=Q(kind__in=BenefitKind.values), name="benefit_kind_known"),
            models.CheckConstraint(condition=Q(act__in=BenefitAct.values), name="benefit_act_known"),
        ]

    def __str__(self) -> str:
        return f"{self.order_id} {self.kind} {self.act} {self.amount:,}원"
