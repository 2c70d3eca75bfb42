"""The poll table is written with every question: room for new versions in each page, and a vacuum after few of them.

Claims read the oldest entries of the due index, which is where dead ones heap up (shipping.md 4.3).
"""

from django.db import migrations

OPTIONS = {
    "fillfactor": "70",
    "autovacuum_vacuum_scale_factor": "0.01",
    "autovacuum_vacuum_cost_delay": "0",
    "autovacuum_analyze_scale_factor": "0.02",
}
SET = ", ".join(f"{name} = {value}" for name, value in OPTIONS.items())


class Migration(migrations.Migration):
    dependencies = [("shipping", "0029_refused_cancels_index")]

    operations = [
        migrations.RunSQL(
            f"ALTER TABLE shipping_trackingpoll SET ({SET})",
            f"ALTER TABLE shipping_trackingpoll RESET ({', '.join(OPTIONS)})",
        )
    ]
