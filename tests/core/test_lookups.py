"""Arrays as PostgreSQL reads them: every text and number arrives as it was sent."""

import pytest
from django.db import connection

from core.lookups import HoldsAny, id_array, text_array
from core.models.events import DeliveryState
from orders.models import Delivery
from orders.states import LineState
from tests.fixtures.orders import NOW


def arrived(literal: str, kind: str) -> list[object]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT %s::{kind}", [literal])
        return list(cursor.fetchone()[0])


@pytest.mark.parametrize(
    "texts",
    [
        [],
        [""],
        ["CJGLS", "688123456789"],
        ["김 수령", "NULL", "a,b", "{}", "a b\n", "null"],
        ['"', "'", "\\", '\\"', '","', "끝\\"],
        [None, "a", None],
        [None, '"', "\\n"],
    ],
)
def test_texts_arrive_as_they_were_sent(db: None, texts: list[str | None]) -> None:
    assert arrived(text_array(texts), "text[]") == texts
    assert arrived(text_array(iter(texts)), "text[]") == texts


def test_codes_of_states_arrive_as_their_values(db: None) -> None:
    assert arrived(text_array([LineState.READY, "", LineState.SHIPPING]), "text[]") == ["READY", "", "SHIPPING"]


@pytest.mark.parametrize("numbers", [[], [0], [3, 1, 2], [None], [1, None, -5], [2**62]])
def test_numbers_arrive_as_they_were_sent(db: None, numbers: list[int | None]) -> None:
    assert arrived(id_array(numbers), "bigint[]") == numbers
    assert arrived(id_array(iter(numbers)), "bigint[]") == numbers


def test_an_array_column_is_found_by_any_of_its_ids(db: None) -> None:
    rows = [
        Delivery.objects.create(subscriber="시험", event_ids=ids, state=DeliveryState.PENDING, due_at=NOW)
        for ids in ([1, 2], [3], [2, 4])
    ]
    for wanted in ([2], [3, 9], [9], []):
        found = Delivery.objects.filter(HoldsAny("event_ids", wanted)).order_by("pk")
        assert list(found) == [row for row in rows if set(row.event_ids) & set(wanted)]
