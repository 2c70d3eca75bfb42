"""차액 인정 becomes a kind of ledger row of its own, summed up in `Payment.forgiven`; refunds leave it out.

Rows that an earlier 차액 인정 booked as MANUAL stay as they are: the ledger is append-only.
"""

import pgtrigger.compiler
import pgtrigger.migrations
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("core", "0007_message_drain"),
        ("orders", "0016_awaiting_amounts_index"),
        ("payments", "0018_request_to_mask_index"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        pgtrigger.migrations.RemoveTrigger(
            model_name="refund",
            name="capped",
        ),
        migrations.RemoveConstraint(
            model_name="refundcalculation",
            name="refund_total_adds_up",
        ),
        migrations.AddField(
            model_name="payment",
            name="forgiven",
            field=models.PositiveBigIntegerField(db_default=0, default=0, verbose_name="인정한 차액"),
        ),
        migrations.AddField(
            model_name="refundcalculation",
            name="shortfall",
            field=models.BigIntegerField(db_default=0, default=0, verbose_name="받지 않은 차액"),
        ),
        migrations.AlterField(
            model_name="ledgerentry",
            name="kind",
            field=models.CharField(
                choices=[
                    ("MANUAL", "수동 입금확인"),
                    ("MANUAL_REVERSAL", "입금확인 취소"),
                    ("PREPAID", "채널 결제"),
                    ("SHORTFALL", "차액 인정"),
                    ("DEPOSIT", "입금"),
                    ("REVERSAL", "입금 취소"),
                    ("REFUND", "환불"),
                    ("REFUND_FAILED", "환불 실패"),
                    ("REFUND_UNDONE", "환불 취소"),
                    ("PAID_OUT", "직접 환불"),
                ],
                max_length=16,
                verbose_name="구분",
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="refund",
            trigger=pgtrigger.compiler.Trigger(
                name="capped",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    declare="DECLARE held bigint; asked bigint;",
                    func="\n    IF TG_OP = 'UPDATE' AND (NEW.amount, NEW.payment_id, NEW.deposit_id)\n       IS DISTINCT FROM (OLD.amount, OLD.payment_id, OLD.deposit_id) THEN\n        RAISE EXCEPTION 'refund % may not change its amount or payment', OLD.id USING ERRCODE = 'check_violation';\n    END IF;\n    IF NEW.state NOT IN ('DRAFT', 'HELD', 'APPROVED', 'SENDING', 'UNKNOWN') OR NEW.entry_id IS NOT NULL THEN\n        RETURN NEW;\n    END IF;\n    IF TG_OP = 'UPDATE' AND OLD.state IN ('DRAFT', 'HELD', 'APPROVED', 'SENDING', 'UNKNOWN') AND OLD.entry_id IS NULL THEN\n        RETURN NEW;\n    END IF;\n    IF NEW.deposit_id IS NOT NULL THEN\n        SELECT amount - allocated_amount INTO held FROM payments_bankdeposit WHERE id = NEW.deposit_id\n           FOR NO KEY UPDATE;\n        IF NEW.amount <> held THEN\n            RAISE EXCEPTION 'return of deposit % would be % of %', NEW.deposit_id, NEW.amount, held\n                USING ERRCODE = 'check_violation';\n        END IF;\n        RETURN NEW;\n    END IF;\n    -- Whoever else opens a refund of this payment waits here and then sees this one.\n    SELECT balance - forgiven INTO held FROM payments_payment WHERE id = NEW.payment_id FOR NO KEY UPDATE;\n    SELECT COALESCE(sum(amount), 0) INTO asked FROM payments_refund\n     WHERE payment_id = NEW.payment_id AND state IN ('DRAFT', 'HELD', 'APPROVED', 'SENDING', 'UNKNOWN') AND entry_id IS NULL AND id IS DISTINCT FROM NEW.id;\n    IF asked + NEW.amount > held THEN\n        RAISE EXCEPTION 'refunds of payment % would be % of %', NEW.payment_id, asked + NEW.amount, held\n            USING ERRCODE = 'check_violation';\n    END IF;\n    RETURN NEW;\n",
                    hash="93d10ed0527d8447813f4ec28ded500aaa5211ce",
                    operation="INSERT OR UPDATE",
                    pgid="pgtrigger_capped_e2a58",
                    table="payments_refund",
                    when="BEFORE",
                ),
            ),
        ),
        migrations.AddConstraint(
            model_name="payment",
            constraint=models.CheckConstraint(
                condition=models.Q(("balance__gte", models.F("forgiven")), ("forgiven__gte", 0)),
                name="payment_forgiven_in_balance",
            ),
        ),
        migrations.AddConstraint(
            model_name="refundcalculation",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    total=models.F("goods")
                    - models.F("discount")
                    - models.F("coupon")
                    - models.F("points")
                    + models.F("shipping_back")
                    - models.F("clawback")
                    - models.F("return_fee")
                    - models.F("forfeit")
                    - models.F("shortfall")
                ),
                name="refund_total_adds_up",
            ),
        ),
    ]
