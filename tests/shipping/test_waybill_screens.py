"""송장 엑셀 올리기 and the input cells of 배송준비중, through the web."""

import io

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from accounts.roles import Role
from core.excel import Column, Kind, encrypt, write_xlsx
from core.models import Job, JobState
from orders.states import DeliveryMethod
from shipping.models import Parcel, Shipment, WaybillDraft, WaybillLayout
from shipping.services.numbers import waybills
from shipping.services.numbers.waybills import WaybillEntry
from tests.fixtures.orders import NOW, reloaded
from tests.fixtures.shipments import again, waybill_number

CJ = "CJ대한통운"
UPLOAD = "/shipping/waybills/upload/"
DRAFT = "/shipping/waybills/draft/"
PASTE = "/shipping/waybills/paste/"
FORBIDDEN = (Role.CS, Role.FINANCE, Role.VIEWER, Role.AUDITOR)


def book(rows, *, headers=("배송번호", "택배사", "송장번호")):
    target = io.BytesIO()
    write_xlsx(target, [Column(str(i), name, Kind.ANY) for i, name in enumerate(headers)], rows)
    return target.getvalue()


def send(client, content, *, name="결과.xlsx", **fields):
    return client.post(UPLOAD, {"file": SimpleUploadedFile(name, content), "courier": "CJGLS", **fields})


def test_a_file_is_looked_at_and_then_applied(make_shipments, logistics):
    made = make_shipments(3)
    rows = [[one.number, CJ, waybill_number(i)] for i, one in enumerate(made)] + [["D-20200101-0000001-00", CJ, "1"]]
    content = book(rows)
    answer = send(logistics, content)
    job = Job.objects.get(kind="UPLOAD")
    assert answer.headers["Location"] == f"{UPLOAD}{job.uuid}/"
    html = logistics.get(answer.headers["Location"]).content.decode()
    assert "확인하기 전에는 주문이 바뀌지 않습니다." in html
    assert "반영 가능한 3건 송장 등록" in html
    assert "주문번호를 찾을 수 없습니다." in html
    assert not Parcel.objects.exists()
    logistics.post(answer.headers["Location"])
    assert reloaded(job).state == JobState.PARTIAL
    assert all(one.has_waybill for one in again(made))
    errors = logistics.get(f"/jobs/{job.uuid}/failed.xlsx")
    assert b"".join(errors.streaming_content)[:2] == b"PK"
    refused = send(logistics, content)
    assert refused.status_code == 409
    assert "이미 반영했습니다." in refused.content.decode()


def test_a_file_that_must_be_whole_says_so_and_is_not_applied_with_an_error(make_shipments, logistics):
    [one] = make_shipments(1)
    content = book([[one.number, CJ, waybill_number(0)], ["D-20200101-0000001-00", CJ, "1"]])
    assert "하나라도 오류면 전체 취소" in logistics.get(UPLOAD).content.decode()
    address = send(logistics, content, whole="on")["Location"]
    html = logistics.get(address).content.decode()
    assert "오류가 있는 행이 1건 있어 이 파일은 반영할 수 없습니다." in html
    assert 'data-action="apply" disabled' in html
    answer = logistics.post(address)
    assert answer.status_code == 409
    assert "아무 행도 반영하지 않았습니다." in answer.content.decode()
    assert not Parcel.objects.exists()
    assert Job.objects.get(kind="UPLOAD").state == JobState.PREVIEW


def test_a_pasted_range_without_a_header_is_a_file_too(make_shipments, logistics):
    made = make_shipments(2)
    text = "\n".join(f"{one.number}\t{waybill_number(i)}" for i, one in enumerate(made))
    answer = logistics.post(UPLOAD, {"text": text, "courier": "CJGLS", "ship": "on"})
    html = logistics.get(answer.headers["Location"]).content.decode()
    assert "반영 가능한 2건 배송중 처리" in html
    assert "발송 알림 2건을 보냅니다." in html
    logistics.post(answer.headers["Location"])
    assert {one.step for one in again(made)} == {"SHIPPING"}


def test_columns_that_nobody_can_tell_are_asked_for(make_shipments, logistics):
    [shipment] = make_shipments(1)
    content = book([[shipment.number, waybill_number(0), "x"]], headers=("우리 번호", "택배 번호", "비고"))
    answer = send(logistics, content, name="택배.xlsx")
    assert answer.status_code == 422
    html = answer.content.decode()
    assert "주문번호와 송장번호 열을 골라 주세요." in html
    assert waybill_number(0) in html
    token = answer.context["token"]
    missing = logistics.post(UPLOAD, {"stored": token, "waybill": "택배 번호"})
    assert "가운데 하나는 열을 골라야 합니다." in missing.content.decode()
    answer = logistics.post(UPLOAD, {"stored": token, "shipment": "우리 번호", "waybill": "택배 번호"})
    assert answer.status_code == 302
    logistics.post(answer.headers["Location"])
    assert reloaded(shipment).waybill == waybill_number(0)


UNKNOWN = ("우리 번호", "택배 번호", "비고")


def mapped(client, content, **fields):
    """An unknown file sent and its columns pointed out; the address of its preview."""
    token = send(client, content).context["token"]
    answer = client.post(UPLOAD, {"stored": token, "shipment": "우리 번호", "waybill": "택배 번호", **fields})
    return answer.headers["Location"]


def test_the_next_file_of_a_sender_goes_straight_to_its_preview(make_shipments, logistics, sign_in):
    made = make_shipments(3)
    rows = [[one.number, waybill_number(i), "x"] for i, one in enumerate(made)]
    mapped(logistics, book(rows[:1], headers=UNKNOWN), sender="가나물류")
    shuffled = book([["x", number, key] for key, number, _ in rows[1:]], headers=("비고", "택배번호", "우리 번호"))
    colleague = sign_in(Role.LOGISTICS)
    answer = send(colleague, shuffled)
    assert answer.status_code == 302
    html = colleague.get(answer.headers["Location"]).content.decode()
    assert "'가나물류' 양식으로 기억한 열을 썼습니다." in html
    assert "배송번호 = 우리 번호 · 송장번호 = 택배번호" in html
    assert "반영 가능한 2건 송장 등록" in html
    colleague.post(answer.headers["Location"])
    assert [one.waybill for one in again(made)] == ["", waybill_number(1), waybill_number(2)]


def test_a_remembered_file_can_be_mapped_anew_and_the_first_preview_is_gone(make_shipments, logistics):
    [shipment] = make_shipments(1)
    content = book([[shipment.number, waybill_number(0), waybill_number(1)]], headers=UNKNOWN)
    first = mapped(logistics, content)
    asked = logistics.post(first, {"columns": "1"})
    assert 'value="CJ대한통운"' in asked.content.decode()
    assert asked.context["form"]["waybill"].initial == "택배 번호"
    chosen = {"stored": asked.context["token"], "shipment": "우리 번호", "waybill": "비고", "sender": "새 이름"}
    second = logistics.post(UPLOAD, chosen).headers["Location"]
    assert list(Job.objects.order_by("pk").values_list("state", flat=True)) == [JobState.CANCELED, JobState.PREVIEW]
    assert "'새 이름' 양식" in logistics.get(second).content.decode()
    assert WaybillLayout.objects.get().mapping == {"shipment": "우리 번호", "waybill": "비고"}
    logistics.post(second)
    assert reloaded(shipment).waybill == waybill_number(1)
    closed = logistics.post(second, {"columns": "1"})
    assert (closed.status_code, "님이 이미 반영한 파일입니다." in closed.content.decode()) == (409, True)


def test_a_forgotten_sender_is_asked_again_while_its_preview_stays(make_shipments, logistics):
    first, second = make_shipments(2)
    url = mapped(logistics, book([[first.number, waybill_number(0), ""]], headers=UNKNOWN))
    assert logistics.post(url, {"forget": "1"}).status_code == 302
    assert not WaybillLayout.objects.exists()
    html = logistics.get(url).content.decode()
    assert "기억하고 있지 않아 다음 파일은 다시 묻습니다." in html
    assert "forget-columns" not in html
    assert send(logistics, book([[second.number, waybill_number(1), ""]], headers=UNKNOWN)).status_code == 422
    logistics.post(url)
    assert [one.waybill for one in again([first, second])] == [waybill_number(0), ""]


def test_two_senders_with_the_same_column_names_are_told_apart_by_their_courier(make_shipments, logistics):
    first, second = make_shipments(2)
    mapped(logistics, book([[first.number, waybill_number(0), "1"]], headers=UNKNOWN), sender="가")
    content = book([["2", waybill_number(1), second.number]], headers=UNKNOWN)
    guessed = send(logistics, content, courier="HANJIN").headers["Location"]
    asked = logistics.post(guessed, {"columns": "1"})
    chosen = {"stored": asked.context["token"], "shipment": "비고", "waybill": "택배 번호", "sender": "나"}
    logistics.post(UPLOAD, chosen)
    kept = dict(WaybillLayout.objects.values_list("courier", "name"))
    assert kept == {"CJGLS": "가", "HANJIN": "나"}
    url = send(logistics, book([[first.number, waybill_number(2), "1"]], headers=UNKNOWN)).headers["Location"]
    assert "'가' 양식" in logistics.get(url).content.decode()


def test_columns_that_do_not_read_the_file_are_not_remembered(make_shipments, logistics):
    [shipment] = make_shipments(1)
    token = send(logistics, book([[shipment.number, waybill_number(0), "1"]], headers=UNKNOWN)).context["token"]
    for chosen in ({"waybill": "택배 번호"}, {"waybill": "없는 열", "shipment": "비고"}):
        assert logistics.post(UPLOAD, {"stored": token, **chosen}).status_code == 422
    assert not WaybillLayout.objects.exists()
    assert not Job.objects.exists()


def test_a_locked_file_with_remembered_columns_needs_only_its_password(make_shipments, logistics):
    first, second = make_shipments(2)
    mapped(logistics, book([[first.number, waybill_number(0), ""]], headers=UNKNOWN))
    locked = encrypt(book([[second.number, waybill_number(1), ""]], headers=UNKNOWN), "1234")
    url = send(logistics, locked, password="1234").headers["Location"]
    again_asked = logistics.post(url, {"columns": "1"})
    assert again_asked.context["labels"] == list(UNKNOWN)
    assert again_asked.context["form"]["waybill"].initial == "택배 번호"
    chosen = {"stored": again_asked.context["token"], "label": list(UNKNOWN), "shipment": "우리 번호",
              "waybill": "택배 번호", "password": "1234"}  # fmt: skip
    url = logistics.post(UPLOAD, chosen).headers["Location"]
    logistics.post(url)
    assert [one.waybill for one in again([first, second])] == ["", waybill_number(1)]


def test_a_wrong_password_on_the_column_page_loses_nothing(make_shipments, logistics):
    [shipment] = make_shipments(1)
    locked = encrypt(book([[shipment.number, waybill_number(0), "메모"]], headers=UNKNOWN), "1234")
    asked = send(logistics, locked, password="1234")
    chosen = {"stored": asked.context["token"], "label": list(UNKNOWN), "shipment": "우리 번호",
              "waybill": "택배 번호", "sender": "새 물류"}  # fmt: skip
    assert all(f'name="label" value="{label}"' in asked.content.decode() for label in UNKNOWN)
    for password, sentence in (("5678", "암호가 맞지 않아"), ("", "암호가 걸린 파일입니다.")):
        wrong = logistics.post(UPLOAD, chosen | {"password": password})
        form = wrong.context["form"]
        assert wrong.status_code == 422
        assert (list(form.errors), sentence in form.errors["password"][0]) == (["password"], True)
        assert 'id="id_password_error"' in wrong.content.decode()
        assert {name: form[name].value() for name in ("shipment", "waybill", "sender")} | {
            "stored": wrong.context["token"], "label": wrong.context["labels"]
        } == chosen  # fmt: skip
        assert not Job.objects.exists()
        assert not WaybillLayout.objects.exists()
    assert logistics.post(UPLOAD, chosen | {"password": "1234"}).status_code == 302
    assert Job.objects.get(kind="UPLOAD").total == 1


def test_a_kept_file_is_for_its_owner_and_its_token_alone(make_shipments, logistics, sign_in):
    [shipment] = make_shipments(1)
    answer = send(logistics, book([[shipment.number, "1"]], headers=("가", "나")))
    token = answer.context["token"]
    assert sign_in(Role.LOGISTICS).post(UPLOAD, {"stored": token, "shipment": "가", "waybill": "나"}).status_code == 404
    assert logistics.post(UPLOAD, {"stored": token + "x"}).status_code == 404


def test_a_locked_file_asks_for_its_password(make_shipments, logistics):
    [shipment] = make_shipments(1)
    content = encrypt(book([[shipment.number, CJ, waybill_number(0)]]), "1234")
    refused = send(logistics, content)
    assert "암호가 걸린 파일입니다. 암호를 입력하세요." in refused.content.decode()
    answer = send(logistics, content, password="1234")
    assert answer.status_code == 302
    assert "1234" not in str(Job.objects.get(kind="UPLOAD").params)
    logistics.post(answer.headers["Location"])
    assert reloaded(shipment).has_waybill


@pytest.mark.parametrize(
    ("content", "status"),
    [(b"", 422), (b"%PDF-1.4 x", 422), (b"PK\x03\x04broken", 422)],
)
def test_files_that_are_none_are_refused_with_a_sentence(content, status, logistics):
    answer = send(logistics, content)
    assert answer.status_code == status
    assert "field-error" in answer.content.decode() or "form-errors" in answer.content.decode()
    assert not Job.objects.exists()


@pytest.mark.parametrize("name", ["a.exe", "e.txt"])
def test_a_text_that_is_no_table_is_refused_before_anybody_looks_for_its_columns(name, logistics):
    answer = send(logistics, b"echo hello", name=name)
    assert answer.status_code == 422
    html = answer.content.decode()
    assert f"xlsx, xls, csv 파일만 올릴 수 있습니다. 지금 올린 파일은 .{name[2:]} 파일입니다." in html
    assert "열 이름을 찾지 못했습니다" not in html
    assert not Job.objects.exists()


def test_nothing_chosen_is_said_in_words(logistics):
    answer = logistics.post(UPLOAD, {"courier": "CJGLS"})
    assert "파일을 고르거나 엑셀에서 복사한 내용을 붙여 넣으세요." in answer.content.decode()


def test_a_row_can_be_left_out_and_a_question_ticked(make_numbered, make_shipments, logistics):
    known, fresh = make_numbered(1), make_shipments(1)
    rows = [[known[0].number, CJ, waybill_number(7)], [fresh[0].number, CJ, waybill_number(8)]]
    url = send(logistics, book(rows)).headers["Location"]
    html = logistics.get(url).content.decode()
    assert 'name="tick" value="2"' in html
    logistics.post(url, {"exclude": "3"})
    assert "직접 제외했습니다." in logistics.get(url).content.decode()
    logistics.post(url, {"tick": ["2"]})
    assert reloaded(known[0]).waybill == waybill_number(7)
    assert not reloaded(fresh[0]).has_waybill


def test_a_draft_is_kept_seen_and_registered_by_the_button(make_shipments, logistics):
    first, second = make_shipments(2)
    answer = logistics.post(DRAFT, {"id": first.pk, "version": 1, "courier": "CJGLS", "waybill": "6800-0000-0011"})
    assert answer.json() == {
        "waybill": "680000000011", "version": first.version, "error": "", "draft": True,
    }  # fmt: skip
    html = logistics.get("/orders/ready/?period=all").content.decode()
    assert 'value="680000000011"' in html
    assert "임시" in html
    assert not Parcel.objects.exists()
    answer = logistics.post(
        "/acts/register-waybill/",
        {"page": "ready", "mode": "ids", "rows": f"{first.pk}:{first.version},{second.pk}:{second.version}"},
        headers={"HX-Request": "true"},
    )
    assert "송장번호가 없습니다." in answer.content.decode()
    job = Job.objects.get(kind="ACT")
    logistics.post(f"/acts/{job.uuid}/apply/", headers={"HX-Request": "true"})
    assert [one.waybill for one in again([first, second])] == ["680000000011", ""]
    assert not WaybillDraft.objects.exists()


def test_a_number_typed_over_a_registered_one_replaces_it(make_numbered, logistics):
    [shipment] = make_numbered(1, at=NOW)
    logistics.post(DRAFT, {"id": shipment.pk, "courier": "CJGLS", "waybill": waybill_number(5)})
    logistics.post(
        "/acts/register-waybill/",
        {"page": "ready", "mode": "ids", "rows": f"{shipment.pk}:{shipment.version}"},
        headers={"HX-Request": "true"},
    )
    job = Job.objects.get(kind="ACT")
    assert (job.state, job.done) == (JobState.DONE, 1)
    assert reloaded(shipment).waybill == waybill_number(5)


def test_a_draft_older_than_the_registered_number_does_not_replace_it(make_shipments, logistics, staff):
    [shipment] = make_shipments(1)
    logistics.post(DRAFT, {"id": shipment.pk, "courier": "CJGLS", "waybill": waybill_number(5)})
    draft = WaybillDraft.objects.get()
    entries = {shipment.pk: WaybillEntry("CJGLS", waybill_number(6))}
    waybills.register_waybills(entries=entries, actor=staff, at=timezone.now())
    draft.save(force_insert=True)
    shipment = reloaded(shipment)
    logistics.post(
        "/acts/register-waybill/",
        {"page": "ready", "mode": "ids", "rows": f"{shipment.pk}:{shipment.version}"},
        headers={"HX-Request": "true"},
    )
    assert reloaded(shipment).waybill == waybill_number(6)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("6.8E+11", "송장번호가 지수 형식입니다."),
        ("12345", "송장번호는 숫자 10 또는 12자리여야 합니다."),
        ("680000000012", "CJ대한통운 송장번호 규칙에 맞지 않습니다."),
    ],
)
def test_a_wrong_cell_is_told_and_not_kept(text, message, make_shipments, logistics):
    [shipment] = make_shipments(1)
    answer = logistics.post(DRAFT, {"id": shipment.pk, "courier": "CJGLS", "waybill": text})
    assert answer.status_code == 422
    assert answer.json()["error"].startswith(message)
    assert not WaybillDraft.objects.exists()


def test_a_number_of_another_order_is_told_below_the_cell(make_shipments, make_numbered, logistics):
    [known], [shipment] = make_numbered(1), make_shipments(1)
    answer = logistics.post(DRAFT, {"id": shipment.pk, "courier": "CJGLS", "waybill": known.waybill})
    assert answer.json()["error"] == f"다른 주문 {known.order.number}에서 쓰고 있는 송장번호입니다."


def test_a_pasted_range_is_matched_by_key(make_shipments, logistics):
    made = make_shipments(3)
    lines = [f"{one.order.number}\tCJ대한통운\t{waybill_number(i)}" for i, one in enumerate(reversed(made))]
    lines += ["D-20200101-0000001-00\t" + waybill_number(9), f"{made[0].number}\t12"]
    answer = logistics.post(PASTE, {"text": "\n".join(lines), "page": "ready", "query": "period=all"})
    html = answer.content.decode()
    assert "3건을 채웠습니다." in html
    assert "형식 오류 1건" in html
    assert "이 목록에 없는 주문 1건" in html
    kept = dict(WaybillDraft.objects.values_list("shipment_id", "text"))
    assert kept == {one.pk: waybill_number(2 - i) for i, one in enumerate(made)}
    assert {one.step for one in again(made)} == {"READY"}
    assert not Parcel.objects.exists()


def test_a_pasted_number_of_registered_mail_is_one_unless_the_line_says_otherwise(make_shipments, logistics):
    first, second = make_shipments(2, method=DeliveryMethod.REGISTERED)
    text = f"{first.number}\t6892058349240\n{second.number}\tEPOST\t6892058349241"
    logistics.post(PASTE, {"text": text, "page": "ready", "query": "period=all"})
    assert dict(WaybillDraft.objects.values_list("pk", "courier")) == {first.pk: "REGISTPOST", second.pk: "EPOST"}


def test_rows_outside_the_list_are_not_filled(make_shipments, make_numbered, logistics):
    [plain] = make_shipments(1)
    text = f"{plain.number}\t{waybill_number(0)}"
    answer = logistics.post(PASTE, {"text": text, "page": "ready", "query": "period=all&tab=standby"})
    assert "이 목록에 없는 주문 1건" in answer.content.decode()
    assert not WaybillDraft.objects.exists()


@pytest.mark.parametrize("role", FORBIDDEN)
def test_others_may_not_register(role, make_shipments, sign_in):
    [shipment] = make_shipments(1)
    client = sign_in(role)
    assert client.get(UPLOAD).status_code == 403
    assert send(client, book([[shipment.number, CJ, waybill_number(0)]])).status_code == 403
    assert client.post(DRAFT, {"id": shipment.pk, "waybill": waybill_number(0)}).status_code == 403
    assert client.post(PASTE, {"text": f"{shipment.number}\t{waybill_number(0)}"}).status_code == 403
    assert not WaybillDraft.objects.exists()
    assert not Job.objects.exists()


@pytest.mark.parametrize("fields", [{}, {"id": "x"}, {"id": "9" * 30}, {"id": "1", "waybill": "\x00"}])
def test_a_draft_without_sense_is_refused(fields, logistics):
    assert logistics.post(DRAFT, fields).status_code == 400
    assert Shipment.objects.count() == 0
