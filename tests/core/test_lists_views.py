"""Saved views and column settings: kept per person, shared when asked, never another person's to change."""

import pytest

from accounts.roles import Role
from core.exceptions import Conflict, NotFound
from core.jobs.exports import Heartbeat
from core.jobs.lease import Lease
from core.lists import lists, views
from core.lists.export import ListExport, open_job
from core.lists.presenter import present
from core.models import SavedView
from tests.fixtures.order_rows import NOW

PAGE = "preparing"


def save(owner, name="오늘 보낼 것", *, query="period=3d&mark=due-today", is_shared=False, columns=None) -> SavedView:
    return views.save_view(page=PAGE, name=name, query=query, columns=columns, owner=owner, is_shared=is_shared)


def test_a_view_is_its_owners_until_it_is_shared(make_staff):
    me, colleague = make_staff(Role.CS), make_staff(Role.CS)
    mine = save(me)
    assert list(views.visible(PAGE, me)) == [mine]
    assert not views.visible(PAGE, colleague).exists()
    assert save(me, is_shared=True).pk == mine.pk
    assert list(views.visible(PAGE, colleague)) == [mine]
    assert not views.visible("orders", me).exists()
    for act in (views.delete_view, lambda **who: views.rename_view(name="남의 것", **who)):
        with pytest.raises(NotFound):
            act(view_id=mine.pk, page=PAGE, owner=colleague)
    assert SavedView.objects.get().name == "오늘 보낼 것"


@pytest.mark.parametrize("name", ["가\ufffd", "\u200b", "a\x00b", " "])
def test_a_view_without_a_readable_name_is_refused_and_nothing_is_kept(make_staff, name):
    me = make_staff(Role.CS)
    with pytest.raises(views.ViewRefused):
        save(me, name)
    mine = save(me)
    with pytest.raises(views.ViewRefused):
        views.rename_view(view_id=mine.pk, page=PAGE, name=name, owner=me)
    assert [one.name for one in SavedView.objects.all()] == ["오늘 보낼 것"]


def test_two_shared_views_of_one_name_are_refused_and_nothing_is_kept(make_staff):
    save(make_staff(Role.CS), is_shared=True)
    with pytest.raises(Conflict):
        save(make_staff(Role.CS), is_shared=True)
    assert SavedView.objects.count() == 1


def test_a_saved_view_opens_with_its_conditions_and_says_when_it_was_changed(sign_in, make_staff, some_orders):
    me = make_staff(Role.OWNER)
    browser = sign_in(me)
    answer = browser.post(
        "/orders/preparing/views/", {"name": "급한 것", "query": "period=3d&tab=in-stock&page=2&after=", "shared": ""}
    )
    view = SavedView.objects.get()
    assert (view.query, view.is_shared, view.owner) == ("tab=in-stock&period=3d", False, me)
    assert answer.headers["Location"].endswith(f"view={view.pk}")
    shown = browser.get(answer.headers["Location"]).context["page"]
    assert [(one.label, one.current) for one in shown.views] == [("기본", False), ("급한 것", True)]
    assert not shown.view_changed
    assert browser.get(f"{answer.headers['Location']}&mark=memo").context["page"].view_changed


def test_saving_from_the_list_answers_with_the_list_alone(sign_in):
    answer = sign_in(Role.CS).post(
        "/orders/preparing/views/", {"name": "메모", "query": "mark=memo"}, headers={"HX-Request": "true"}
    )
    assert answer.status_code == 200
    assert "<html" not in answer.content.decode()
    assert answer.headers["HX-Push-Url"] == f"/orders/preparing/?mark=memo&view={SavedView.objects.get().pk}"


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"name": "", "query": ""}, 422),
        ({"name": "\x00", "query": ""}, 422),
        ({"name": "이름", "query": "nosuch=1"}, 400),
        ({"name": "이름", "query": "from=어제모레"}, 422),
    ],
)
def test_a_view_that_could_not_be_opened_is_not_kept(sign_in, fields, status):
    assert sign_in(Role.CS).post("/orders/preparing/views/", fields).status_code == status
    assert not SavedView.objects.exists()


def test_the_view_a_person_chose_opens_with_the_menu(sign_in, make_staff):
    me = make_staff(Role.CS)
    browser, view = sign_in(me), save(me)
    assert browser.post(f"/orders/preparing/views/{view.pk}/default/").status_code == 302
    opened = browser.get("/orders/preparing/")
    assert opened.headers["Location"] == f"/orders/preparing/?period=3d&mark=due-today&view={view.pk}"
    assert browser.get("/orders/preparing/?period=auto").status_code == 200
    assert browser.post(f"/orders/preparing/views/{view.pk}/delete/").status_code == 302
    assert browser.get("/orders/preparing/").status_code == 200
    assert browser.post("/orders/preparing/views/999/default/").status_code == 404
    assert browser.post("/orders/preparing/views/1/nosuch/").status_code == 404


def test_columns_of_a_removed_declaration_are_passed_over(make_staff):
    me = make_staff(Role.CS)
    views.set_columns(page=PAGE, columns=["gone", "tags", "number"], freeze=0, user=me)
    shown = present(lists.page(PAGE).query("", user=me, at=NOW))
    assert [head.key for head in shown.heads] == ["number", "tags"]
    assert not any(choice.frozen for choice in shown.columns_choice)


def test_other_choices_of_a_person_stay_when_columns_change(make_staff):
    me = make_staff(Role.CS, prefs={"theme": "dark", "lists": {"orders": {"columns": ["number"], "freeze": 1}}})
    views.set_columns(page=PAGE, columns=["number"], freeze=2, user=me)
    me.refresh_from_db()
    assert me.prefs["theme"] == "dark"
    assert set(me.prefs["lists"]) == {"orders", PAGE}


def test_the_fields_of_the_extra_filters_are_sent_when_they_are_opened(sign_in, some_orders):
    browser = sign_in(Role.OWNER)
    page = browser.get("/orders/preparing/?tab=in-stock")
    assert page.context["page"].filters is None
    assert 'id="filters" data-src="/orders/preparing/?tab=in-stock" hidden' in page.content.decode()
    asked = {"HX-Request": "true", "HX-Target": "filters"}
    fields = browser.get("/orders/preparing/?tab=in-stock", headers=asked).content.decode()
    assert "<html" not in fields
    names = ("channel", "payment", "delivery", "mark", "stock", "amount_min", "lines_max", "sku")
    assert [name for name in names if f'name="{name}"' not in fields] == []
    used = browser.get("/orders/preparing/?mark=memo").content.decode()
    assert 'value="memo" selected' in used
    assert "data-src=" not in used


def test_a_wrong_value_of_an_extra_filter_shows_the_fields_with_the_reason(sign_in):
    page = sign_in(Role.OWNER).get("/orders/preparing/?amount_min=abc")
    assert page.context["page"].filters_open
    assert not page.context["page"].rows
    assert "data-src=" not in page.content.decode()


def test_a_private_view_of_a_colleague_is_not_there(sign_in, make_staff, some_orders):
    me, colleague = make_staff(Role.CS), make_staff(Role.CS)
    private = save(colleague, query="mark=memo", columns=["buyer"])
    browser = sign_in(me)
    answer = browser.get(f"/orders/preparing/?view={private.pk}")
    assert answer.status_code == 404
    assert "공유하지 않은 보기입니다." in answer.content.decode()
    assert private.name not in answer.content.decode()
    assert browser.get(f"/orders/preparing/?view={2**40}").status_code == 200
    shared = save(colleague, name="함께 보기", is_shared=True)
    assert browser.get(f"/orders/preparing/?view={shared.pk}").status_code == 200
    assert browser.get(f"/orders/?view={shared.pk}").status_code == 404
    assert sign_in(colleague).get(f"/orders/preparing/?view={private.pk}").status_code == 200


def test_a_file_that_is_written_later_does_not_miss_a_view_that_was_deleted(make_staff, some_orders):
    me = make_staff(Role.OWNER)
    view = save(me, query="tab=in-stock", columns=["people"])
    asked = lists.page(PAGE).query(f"tab=in-stock&view={view.pk}", user=me, at=NOW)
    job = open_job(asked, reason="정산 확인", rows=1)
    views.delete_view(view_id=view.pk, page=PAGE, owner=me)
    assert job.params["query"] == "tab=in-stock"
    assert "people" in job.params["columns"]
    assert b"".join(
        ListExport(lists.page(PAGE)).pieces(job=job, at=NOW, progress=Heartbeat(Lease(job.pk, 1)))
    ).startswith(b"PK")
