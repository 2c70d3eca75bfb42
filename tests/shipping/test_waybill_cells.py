"""Two members of staff on one waybill cell of 배송준비중: one wins, the other reads who and when."""

import pytest
from django.utils import timezone

from accounts.roles import Role
from core.calendar import short
from core.models import Job, JobState
from shipping.models import Parcel, WaybillDraft
from shipping.services import waybills
from shipping.services.waybills import WaybillEntry
from tests.fixtures.orders import reloaded
from tests.fixtures.shipments import again, waybill_number

DRAFT = "/shipping/waybills/draft/"
PASTE = "/shipping/waybills/paste/"
MINE, OTHER = waybill_number(5), waybill_number(6)


@pytest.fixture
def people(make_staff):
    return make_staff(Role.OWNER), make_staff(Role.LOGISTICS)


@pytest.fixture
def owner(people, sign_in):
    return sign_in(people[0])


@pytest.fixture
def logistics(people, sign_in):
    return sign_in(people[1])


def type_in(client, shipment, number, **shown):
    return client.post(DRAFT, {"id": shipment.pk, "courier": "CJGLS", "waybill": number, **shown})


def press(client, shipment, **more):
    answer = client.post(
        "/acts/register-waybill/",
        {"page": "ready", "mode": "ids", "rows": f"{shipment.pk}:{reloaded(shipment).version}", **more},
        headers={"HX-Request": "true"},
    )
    return answer.content.decode()


def kept():
    return list(WaybillDraft.objects.values_list("text", "author__role"))


def test_the_second_number_of_a_cell_is_refused_with_who_and_when(make_shipments, people, owner, logistics):
    [shipment] = make_shipments(1)
    assert type_in(owner, shipment, MINE, shown="").status_code == 200
    said = short(WaybillDraft.objects.get().saved_at)
    for shown in ({}, {"shown": "", "shown_courier": "CJGLS"}):
        answer = type_in(logistics, shipment, OTHER, **shown)
        assert answer.status_code == 409
        assert answer.json()["now"] == {"waybill": MINE, "courier": "CJGLS", "draft": True}
        assert answer.json()["error"].startswith(f"{said}에 {people[0].display_name} 님이 먼저 ")
        assert MINE in answer.json()["error"]
        assert OTHER in answer.json()["error"]
        assert kept() == [(MINE, Role.OWNER)]
    press(owner, shipment)
    assert reloaded(shipment).waybill == MINE


def test_a_number_that_was_on_the_screen_may_be_typed_over_and_the_first_person_does_not_register_it(
    make_shipments, people, owner, logistics
):
    [shipment] = make_shipments(1)
    type_in(owner, shipment, MINE, shown="")
    opened = timezone.now().isoformat()
    assert type_in(logistics, shipment, OTHER, shown=MINE, shown_courier="CJGLS").status_code == 200
    said = short(WaybillDraft.objects.get().saved_at)
    for seen in ({}, {"as_of": opened}):
        html = press(owner, shipment, **seen)
        assert f"{said}에 {people[1].display_name} 님이 먼저 " in html
        assert OTHER in html
        assert not Parcel.objects.exists()
        assert reloaded(shipment).waybill == ""
        assert kept() == [(OTHER, Role.LOGISTICS)]
    press(owner, shipment, as_of=timezone.now().isoformat())
    assert reloaded(shipment).waybill == OTHER


def test_a_draft_that_changes_behind_an_open_dialog_is_not_registered(make_shipments, owner, logistics):
    first, second = make_shipments(2)
    type_in(owner, first, MINE, shown="")
    rows = ",".join(f"{one.pk}:{one.version}" for one in (first, second))
    data = {"page": "ready", "mode": "ids", "rows": rows, "as_of": timezone.now().isoformat()}
    assert (
        "송장번호가 없습니다."
        in owner.post("/acts/register-waybill/", data, headers={"HX-Request": "true"}).content.decode()
    )
    assert type_in(logistics, first, OTHER, shown=MINE, shown_courier="CJGLS").status_code == 200
    job = Job.objects.get(kind="ACT")
    owner.post(f"/acts/{job.uuid}/apply/", headers={"HX-Request": "true"})
    assert (reloaded(job).state, reloaded(job).done) == (JobState.PARTIAL, 0)
    assert [one.waybill for one in again([first, second])] == ["", ""]
    assert not Parcel.objects.exists()


def test_a_colleagues_draft_is_not_emptied_unseen_and_an_emptied_one_is_told(make_shipments, people, owner, logistics):
    [shipment] = make_shipments(1)
    type_in(owner, shipment, MINE, shown="")
    refused = type_in(logistics, shipment, "", shown="")
    assert refused.status_code == 409
    assert "지우지 않았습니다." in refused.json()["error"]
    assert kept() == [(MINE, Role.OWNER)]
    opened = timezone.now().isoformat()
    assert type_in(logistics, shipment, "", shown=MINE, shown_courier="CJGLS").status_code == 200
    refused = type_in(owner, shipment, waybill_number(7), shown=MINE, shown_courier="CJGLS")
    assert refused.status_code == 409
    assert f"{people[1].display_name} 님이 먼저 송장번호를 지웠습니다." in refused.json()["error"]
    assert "송장번호를 지웠습니다." in press(owner, shipment, as_of=opened)
    assert kept() == [("", Role.LOGISTICS)]
    assert not Parcel.objects.exists()


def test_a_number_registered_meanwhile_is_told_with_who_and_not_typed_over(make_shipments, people, owner, logistics):
    [shipment] = make_shipments(1)
    entries = {shipment.pk: WaybillEntry("CJGLS", OTHER)}
    waybills.register_waybills(entries=entries, actor=people[1], at=timezone.now())
    answer = type_in(owner, shipment, MINE, shown="", shown_courier="CJGLS")
    assert answer.status_code == 409
    assert f"에 {people[1].display_name} 님이" in answer.json()["error"]
    assert answer.json()["now"] == {"waybill": OTHER, "courier": "CJGLS", "draft": False}
    assert not WaybillDraft.objects.exists()
    assert reloaded(shipment).waybill == OTHER


def test_one_types_over_ones_own_number(make_shipments, owner):
    [shipment] = make_shipments(1)
    type_in(owner, shipment, MINE, shown="")
    assert type_in(owner, shipment, OTHER, shown="").status_code == 200
    assert kept() == [(OTHER, Role.OWNER)]


def test_a_pasted_range_leaves_what_colleagues_typed_or_registered_since(make_shipments, people, owner, logistics):
    seen, typed, registered, free = make_shipments(4)
    type_in(logistics, seen, waybill_number(1), shown="")
    opened = timezone.now()
    type_in(logistics, typed, waybill_number(2), shown="")
    entries = {registered.pk: WaybillEntry("CJGLS", waybill_number(3))}
    waybills.register_waybills(entries=entries, actor=people[1], at=timezone.now())
    lines = [f"{one.number}\t{waybill_number(10 + i)}" for i, one in enumerate((seen, typed, registered, free))]
    data = {"text": "\n".join(lines), "page": "ready", "query": "period=all", "as_of": opened.isoformat()}
    answer = owner.post(PASTE, data)
    html = answer.content.decode()
    assert "2건을 채웠습니다." in html
    assert "2건은 채우지 못했습니다." in html
    assert f"{people[1].display_name} 님이 먼저 입력한 칸" in html
    drafts = dict(WaybillDraft.objects.values_list("shipment_id", "text"))
    assert drafts == {seen.pk: waybill_number(10), typed.pk: waybill_number(2), free.pk: waybill_number(13)}
    assert reloaded(registered).waybill == waybill_number(3)
    assert answer["HX-Trigger"] == "oms:changed"


def test_a_paste_that_does_not_say_what_was_seen_leaves_what_colleagues_typed(make_shipments, owner, logistics):
    [shipment] = make_shipments(1)
    type_in(logistics, shipment, OTHER, shown="")
    owner.post(PASTE, {"text": f"{shipment.number}\t{MINE}"})
    assert kept() == [(OTHER, Role.LOGISTICS)]


@pytest.mark.parametrize("as_of", ["yesterday", "2026-11-22T03:00:00", "9999-12-31T00:00:00+00:00"])
def test_an_instant_without_sense_is_refused(as_of, make_shipments, owner):
    [shipment] = make_shipments(1)
    type_in(owner, shipment, MINE, shown="")
    assert "목록을 연 시각을 알 수 없습니다." in press(owner, shipment, as_of=as_of)
    assert not Job.objects.exists()
    assert not Parcel.objects.exists()


def test_the_poll_of_the_list_shows_what_a_colleague_typed(make_shipments, people, owner, logistics):
    mine, theirs = make_shipments(2)
    view = owner.get("/orders/ready/?period=all").context["page"]
    type_in(owner, mine, MINE, shown="")
    type_in(logistics, theirs, OTHER, shown="")
    html = owner.get(f"/orders/ready/poll/?since={view.since}&ids={mine.pk},{theirs.pk}").content.decode()
    assert f"방금 {people[1].display_name} 님이 송장번호 입력" in html
    assert f'value="{OTHER}"' in html
    assert f'data-id="{mine.pk}"' not in html
    assert owner.get(f"/orders/ready/poll/?since={view.since}&ids={mine.pk}").status_code == 204
