"""SQL that is made once: the values of each run are bound, never kept."""

import pytest
from django.db import connection
from django.db.models import CharField
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from core.lists import OneOf
from core.prepared import Given, Prepared, bound

pytestmark = pytest.mark.django_db


def people(*names):
    return [User.objects.create_user(name, "a long enough word", prefs={"theme": name}) for name in names]


def test_each_run_has_values_of_its_own():
    people("first", "second")
    made = Prepared(User.objects.filter(username=Given("name", CharField())).values_list("username", "prefs"))
    for name in ("first", "second", "first"):
        with CaptureQueriesContext(connection) as asked:
            assert made.rows(name=name) == [(name, {"theme": name})]
        assert len(asked) == 1
    assert made.rows(name="' OR true --") == []


def test_a_value_that_is_not_given_is_an_error():
    made = Prepared(User.objects.filter(username=Given("name", CharField())).values_list("pk"))
    with pytest.raises(KeyError):
        made.rows(other="first")


def test_constants_stay_in_their_places():
    place = Given("ids", CharField())
    assert bound(("a", place, 3), {"ids": "{1}", "more": 2}) == ["a", "{1}", 3]


def test_one_of_takes_ids_a_queryset_or_a_place():
    one, two, _ = people("first", "second", "third")
    wanted = User.objects.filter(username__in=["first", "second"]).values("pk")
    for ids in ([one.pk, two.pk], wanted):
        assert set(User.objects.filter(OneOf("pk", ids))) == {one, two}
    made = Prepared(User.objects.filter(OneOf("pk", Given("ids", CharField()))).values_list("username"))
    assert made.rows(ids=f"{{{one.pk}}}") == [("first",)]
    assert made.rows(ids="{}") == []
