"""Vacuum of the counted tables after a hundredth of their rows: counts read indexes alone only where pages are visible.

By default a table waits until a fifth of its rows is dead or new: at a million orders a fortnight in which every count
reads the rows as well (docs/performance.md, 13 ms become 64). The lock of ALTER TABLE stops no reader and no writer.
"""

from django.db import migrations

TABLES = ("orders_order", "orders_orderline")
FACTORS = ("autovacuum_vacuum_scale_factor", "autovacuum_vacuum_insert_scale_factor")
SET = ", ".join(f"{name} = 0.01" for name in FACTORS)


class Migration(migrations.Migration):
    dependencies = [("orders", "0009_counting_indexes")]

    operations = [
        migrations.RunSQL(f"ALTER TABLE {table} SET ({SET})", f"ALTER TABLE {table} RESET ({', '.join(FACTORS)})")
        for table in TABLES
    ]
