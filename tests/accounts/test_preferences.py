"""Display choices: stored per person, by form or JSON."""

import json

import pytest

from accounts.roles import Role

HTML = {"accept": "text/html"}


@pytest.fixture
def person(make_staff):
    return make_staff(Role.VIEWER)


def test_choices_add_up_and_come_back_on_the_page(person, sign_in):
    client = sign_in(person)
    assert client.post("/me/preferences/", {"theme": "dark"}).status_code == 204
    assert client.post("/me/preferences/", {"density": "compact", "page_size": "100"}).status_code == 204
    person.refresh_from_db()
    assert (person.prefs, person.page_size) == ({"theme": "dark", "density": "compact"}, 100)
    page = client.get("/me/").content.decode()
    assert '<option value="dark" selected>' in page
    assert '<option value="100" selected>' in page


def test_json_is_understood(person, sign_in):
    body = json.dumps({"shortcuts": "off", "sidebar": "narrow", "page_size": 20})
    answer = sign_in(person).post("/me/preferences/", body, content_type="application/json")
    assert answer.status_code == 204
    person.refresh_from_db()
    assert (person.prefs, person.page_size) == ({"shortcuts": "off", "sidebar": "narrow"}, 20)


def test_the_form_of_the_page_returns_to_it(person, sign_in):
    form = {"theme": "light", "density": "roomy", "shortcuts": "on", "page_size": "50"}
    answer = sign_in(person).post("/me/preferences/", form, headers=HTML)
    assert (answer.status_code, answer["Location"]) == (302, "/me/")


@pytest.mark.parametrize(
    "form",
    [
        {"theme": "pink"},
        {"theme": "dark", "colour": "red"},
        {"theme": "dark", "page_size": "51"},
        {"page_size": "many"},
        {"page_size": "9" * 5000},
        {"page_size": "٥٠"},
        {"theme": ""},
    ],
)
@pytest.mark.parametrize("headers", [{}, HTML])
def test_a_choice_that_does_not_exist_is_refused_and_changes_nothing(person, sign_in, form, headers):
    assert sign_in(person).post("/me/preferences/", form, headers=headers).status_code == 400
    person.refresh_from_db()
    assert (person.prefs, person.page_size) == ({}, 50)


@pytest.mark.parametrize("body", ["[]", "{", "null", '{"theme": ["dark"]}', '{"theme": null}', "[" * 100_000, "\xff"])
def test_json_that_is_none_is_refused_and_changes_nothing(person, sign_in, body):
    answer = sign_in(person).post("/me/preferences/", body, content_type="application/json")
    assert answer.status_code == 400
    person.refresh_from_db()
    assert person.prefs == {}
