"""Two members of staff on one waybill cell of 배송준비중: one wins, the other reads who and when."""

import json
import re
from html import unescape

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.roles import Role
from core.calendar import short
from core.models import Job, JobState
from core.state import previewing
from shipping.models import Parcel, WaybillDraft
from shipping.services import shipments
from shipping.services.numbers import waybills
from shipping.services.numbers.waybills import WaybillEntry
from tests.fixtures.orders import NOW, reloaded
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


def press(client, shipment, act="register-waybill", **more):
    answer = client.post(
        f"/acts/{act}/",
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


WRONG = {
    "": ("6800000", "송장번호는 숫자 10 또는 12자리여야 합니다."),
    "CJGLS": ("6.8E+11", "송장번호가 지수 형식입니다."),
    "NONE": (waybill_number(6), "택배사를 먼저 고르세요."),
}


@pytest.mark.parametrize("courier", WRONG)
def test_a_refused_text_takes_the_older_draft_away_and_nothing_is_registered(courier, make_shipments, owner):
    [shipment] = make_shipments(1)
    text, message = WRONG[courier]
    type_in(owner, shipment, MINE, shown="")
    answer = type_in(owner, shipment, text, shown=MINE, **({"courier": courier} if courier else {}))
    assert answer.status_code == 422
    assert answer.json()["error"].startswith(message)
    assert answer.json()["waybill"] == ""
    assert kept() == [("", Role.OWNER)]
    assert "송장번호가 없습니다." in press(owner, shipment)
    assert not Parcel.objects.exists()
    assert reloaded(shipment).waybill == ""
    assert type_in(owner, shipment, MINE, shown="").status_code == 200
    press(owner, shipment)
    assert reloaded(shipment).waybill == MINE


def test_a_refused_text_leaves_a_draft_that_was_not_on_the_screen(make_shipments, people, owner, logistics):
    [shipment] = make_shipments(1)
    type_in(owner, shipment, MINE, shown="")
    answer = type_in(logistics, shipment, "6800000", shown="")
    assert answer.status_code == 409
    assert answer.json()["now"] == {"waybill": MINE, "courier": "CJGLS", "draft": True}
    assert "입력한 번호(6800000)는 저장하지 않았습니다" in answer.json()["error"]
    assert kept() == [(MINE, Role.OWNER)]
    assert not Parcel.objects.exists()


def test_a_refused_text_over_a_registered_number_says_which_one_is_left(make_numbered, owner):
    [shipment] = make_numbered(1)
    type_in(owner, shipment, MINE, shown=shipment.waybill)
    assert type_in(owner, shipment, "12", shown=MINE).json()["waybill"] == shipment.waybill
    assert kept() == [("", Role.OWNER)]
    emptied = type_in(owner, shipment, "", shown=shipment.waybill).json()
    assert (emptied["waybill"], emptied["draft"]) == (shipment.waybill, False)
    assert reloaded(shipment).waybill == shipment.waybill


def test_a_text_for_a_shipment_that_has_left_changes_no_draft(make_numbered, staff, owner):
    [shipment] = make_numbered(1)
    shipments.ship(line_ids=shipments.lines_of([shipment.pk]), actor=staff, at=timezone.now())
    WaybillDraft.objects.create(shipment=shipment, courier="CJGLS", text=MINE, author=staff, saved_at=timezone.now())
    answer = type_in(owner, shipment, "12", shown=shipment.waybill)
    assert answer.status_code == 422
    assert "배송준비중 주문이 아닙니다." in answer.json()["error"]
    assert "waybill" not in answer.json()
    assert [text for text, _ in kept()] == [MINE]


def test_a_shipment_does_not_leave_under_a_number_that_was_typed_over(make_numbered, owner):
    typed, plain = make_numbered(2, lines=2)
    type_in(owner, typed, MINE, shown=typed.waybill)
    for at in (timezone.now(), NOW):
        with previewing():
            outcome = ship([typed, plain], at=at)
        assert len(outcome.possible) == 2
        assert set(outcome.refused) == set(shipments.lines_of([typed.pk]))
    assert "송장 등록을 먼저" in press(owner, typed, "ship")
    assert (reloaded(typed).step, reloaded(typed).waybill) == ("READY", typed.waybill)
    assert kept() == [(MINE, Role.OWNER)]
    outcome = ship([typed, plain], at=timezone.now())
    assert set(outcome.refused.values()) == {shipments.TYPED_OVER}
    assert [one.step for one in again([typed, plain])] == ["READY", "SHIPPING"]
    press(owner, typed)
    assert "송장 등록을 먼저" not in press(owner, typed, "ship")
    assert ship([typed], at=timezone.now()).refused == {}
    assert (reloaded(typed).step, reloaded(typed).waybill) == ("SHIPPING", MINE)


def ship(made, *, at):
    return shipments.ship(line_ids=shipments.lines_of([one.pk for one in made]), actor=None, at=at)


def test_a_draft_that_was_taken_back_or_says_what_is_registered_does_not_stop_a_shipment(make_numbered, staff, owner):
    taken, same = make_numbered(2)
    type_in(owner, taken, MINE, shown=taken.waybill)
    type_in(owner, taken, "", shown=MINE)
    facts = {"courier": same.courier, "text": same.waybill, "author": staff, "saved_at": timezone.now()}
    WaybillDraft.objects.create(shipment=same, **facts)
    assert ship([taken, same], at=timezone.now()).refused == {}
    assert {one.step for one in again([taken, same])} == {"SHIPPING"}


def test_typed_numbers_cost_a_single_question_whatever_ships(make_numbered, owner):
    made = make_numbered(6)
    asked = []
    for chunk in (made[:1], made[1:]):
        with CaptureQueriesContext(connection) as queries:
            ship(chunk, at=timezone.now())
        asked.append(sum("shipping_waybilldraft" in query["sql"] for query in queries))
    assert asked == [1, 1]


def unkept(html):
    """What the answer to a paste says about the cells that could not be filled."""
    [found] = re.findall(r'data-unkept="([^"]*)"', html)
    return json.loads(unescape(found))


def test_what_could_not_be_kept_of_a_pasted_range_comes_back_for_its_cells(make_shipments, make_numbered, owner):
    [used] = make_numbered(1, first=90)
    made = make_shipments(7)
    type_in(owner, made[0], MINE, shown="")
    texts = ["12345", waybill_number(20), "6.8E+11", waybill_number(20), used.waybill, "777", waybill_number(21)]
    lines = [f"{one.number}\t{text}" for one, text in zip(made, texts, strict=True)]
    data = {"text": "\n".join(lines), "page": "ready", "query": "period=all", "as_of": timezone.now().isoformat()}
    html = owner.post(PASTE, data).content.decode()
    assert "1건을 채웠습니다." in html
    assert "형식 오류 3건" in html
    assert "여러 주문에 같은 번호 2건" in html
    cells = unkept(html)
    assert {int(pk): (cell["text"], cell["waybill"]) for pk, cell in cells.items()} == {
        one.pk: (text, "") for i, (one, text) in enumerate(zip(made, texts, strict=True)) if i != 6
    }
    said = [cells[str(made[i].pk)]["error"] for i in (0, 2, 1, 3, 4)]
    assert said == [
        "송장번호는 숫자 10 또는 12자리여야 합니다. 지금은 5자리입니다.",
        "송장번호가 지수 형식입니다. 엑셀에서 셀 서식을 텍스트로 바꿔 주세요.",
        *["같은 송장번호를 여러 주문에 붙여 넣었습니다. 번호를 확인하세요. 한 상자로 보내면 먼저 합포장하세요."] * 2,
        f"다른 주문 {used.order.number}에서 쓰고 있는 송장번호입니다.",
    ]
    drafts = dict(WaybillDraft.objects.exclude(text="").values_list("shipment_id", "text"))
    assert drafts == {made[6].pk: waybill_number(21)}
    assert Parcel.objects.count() == 1


def test_of_two_pasted_numbers_for_one_shipment_the_second_is_not_taken_unseen(make_shipments, owner):
    first, second = make_shipments(2)
    rows = [(first.number, 20), (first.order.number, 21), (second.number, 22), (second.order.number, 22)]
    data = {"text": "\n".join(f"{key}\t{waybill_number(n)}" for key, n in rows), "page": "ready", "query": "period=all"}
    html = owner.post(PASTE, data).content.decode()
    assert "2건을 채웠습니다." in html
    assert "같은 주문의 다른 송장번호 1건" in html
    drafts = dict(WaybillDraft.objects.values_list("shipment_id", "text"))
    assert drafts == {first.pk: waybill_number(20), second.pk: waybill_number(22)}


def test_a_wrong_pasted_number_leaves_what_a_colleague_typed_since(make_shipments, owner, logistics):
    [shipment] = make_shipments(1)
    opened = timezone.now().isoformat()
    type_in(logistics, shipment, OTHER, shown="")
    html = owner.post(PASTE, {"text": f"{shipment.number}\t12", "as_of": opened}).content.decode()
    assert "님이 먼저 입력한 칸 1건" in html
    assert "data-unkept" not in html
    assert kept() == [(OTHER, Role.LOGISTICS)]


def test_an_unknown_courier_in_a_pasted_line_is_named_below_the_cell(make_shipments, owner):
    [shipment] = make_shipments(1)
    html = owner.post(PASTE, {"text": f"{shipment.number}\t없는택배\t{MINE}"}).content.decode()
    assert "알 수 없는 택배사 1건" in html
    [cell] = unkept(html).values()
    assert cell["error"].startswith("택배사 '없는택배'를 찾을 수 없습니다.")
    assert not WaybillDraft.objects.exists()
