"""주문 상세: what opening an order asks the database for."""

import json
import re
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext

from orders.services.changes import add_memo
from tests.fixtures.orders import NOW

SLIDE = {"HX-Request": "true", "HX-Target": "detail"}
QUERIES = json.loads((Path(settings.BASE_DIR) / "tests" / "query_counts.json").read_text())["detail"]
SESSION = re.compile("django_session|SAVEPOINT")


@pytest.mark.parametrize("lines", [1, 20])
def test_the_number_of_queries_does_not_depend_on_the_number_of_lines(make_order, make_variant, sign_in, staff, lines):
    client = sign_in(staff)
    order = make_order(lines=[(make_variant(on_hand=9), 1) for _ in range(lines)], paid=True)
    add_memo(order_id=order.pk, text="확인", is_pinned=False, actor=staff, at=NOW)
    for name, headers in (("page", {}), ("slide-over", SLIDE)):
        with CaptureQueriesContext(connection) as captured:
            client.get(f"/orders/{order.number}/", headers=headers)
        mine = [one["sql"] for one in captured.captured_queries if not SESSION.search(one["sql"])]
        assert len(mine) == QUERIES[name], [sql[:140] for sql in mine]
