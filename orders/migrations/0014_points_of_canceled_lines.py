from django.db import migrations

# Points of lines that were canceled while others of their order lived on: until now they waited for the last line.
GIVE_BACK = """
INSERT INTO orders_benefitentry (order_id, kind, act, seq, amount, at, reason)
SELECT g.order_id, 'POINTS', 'RESTORED', 1 + b.times, b.net - h.held, g.at, '주문취소'
FROM (SELECT order_id, max(canceled_at) AS at FROM orders_orderline
      WHERE state = 'CANCELED' AND points_share > 0 GROUP BY order_id) g
CROSS JOIN LATERAL (
    SELECT COALESCE(sum(l.points_share) FILTER (
        WHERE l.state NOT IN ('CANCELED_UNPAID', 'CANCELED', 'MOVED')), 0) AS held
    FROM orders_orderline l WHERE l.order_id = g.order_id) h
CROSS JOIN LATERAL (
    SELECT COALESCE(sum(CASE e.act WHEN 'USED' THEN e.amount ELSE -e.amount END), 0) AS net,
           count(*) FILTER (WHERE e.act = 'RESTORED') AS times
    FROM orders_benefitentry e WHERE e.order_id = g.order_id AND e.kind = 'POINTS') b
WHERE b.net > h.held
ORDER BY g.order_id
"""


class Migration(migrations.Migration):
    dependencies = [("orders", "0013_points_by_line")]

    operations = [migrations.RunSQL(GIVE_BACK, migrations.RunSQL.noop)]
