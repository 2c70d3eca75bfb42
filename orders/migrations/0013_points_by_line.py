import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("orders", "0012_cancel_before_shipping"),
    ]

    operations = [
        migrations.AlterField(
            model_name="benefitentry",
            name="seq",
            field=models.PositiveSmallIntegerField(verbose_name="순번"),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="benefitentry",
            trigger=pgtrigger.compiler.Trigger(
                name="not_more_than_used",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    declare="DECLARE wrong bigint;",
                    func="\n            IF COALESCE(current_setting('oms.bulk_load', true), '') = 'on' THEN\n                RETURN NULL;\n            END IF;\n            SELECT e.order_id INTO wrong FROM orders_benefitentry e\n             WHERE e.order_id IN (SELECT order_id FROM new_rows WHERE act = 'RESTORED')\n             GROUP BY e.order_id, e.kind\n            HAVING sum(CASE e.act WHEN 'USED' THEN e.amount ELSE -e.amount END) < 0 LIMIT 1;\n            IF wrong IS NOT NULL THEN\n                RAISE EXCEPTION 'order % would get back more than it used', wrong USING ERRCODE = 'check_violation';\n            END IF;\n            RETURN NULL;\n        ",
                    hash="5954a3f6617197c7b83a11e984550a829ecf35cb",
                    level="STATEMENT",
                    operation="INSERT",
                    pgid="pgtrigger_not_more_than_used_2544b",
                    referencing="REFERENCING NEW TABLE AS new_rows ",
                    table="orders_benefitentry",
                    when="AFTER",
                ),
            ),
        ),
    ]
