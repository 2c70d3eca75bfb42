"""The pages of order files: upload, password, sheets, columns, preview, apply, error file; who may."""

import io
from typing import Any

import openpyxl
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from accounts.roles import Role
from channels.forms.files import FactorField
from channels.models import OrderProfile
from core.excel import encrypt
from core.models import Job, JobState
from orders.models import Order, SalesChannel
from tests.channels.files import plain, smartstore, smartstore_row
from tests.fixtures.files import saved

URL = "/orders/import/"
SHOP = [
    [
        "Order ID",
        "Order Date",
        "Customer Name",
        "City",
        "Postal Code",
        "Product ID",
        "Product Name",
        "Sales",
        "Quantity",
    ],
    ["CA-1", "11/8/2026", "Claire Gute", "Henderson", "42420", "FUR-1", "Bookcase", "261.96", 2],
    ["CA-1", "11/8/2026", "Claire Gute", "Henderson", "42420", "FUR-2", "Chair", "731.94", 3],
]


def send(client: Client, data: bytes, *, name: str = "주문.xlsx", **fields: Any):
    return client.post(URL, {"file": SimpleUploadedFile(name, data), **fields})


def columns_of(answer) -> dict[str, str]:
    """The posted form of the mapping page as it was offered."""
    form = answer.context["form"]
    return {bound.html_name: str(value) for bound in form if (value := bound.value()) not in (None, "", False)}


@pytest.fixture
def owner(sign_in) -> Client:
    return sign_in(Role.OWNER)


def test_upload_preview_apply_and_the_same_file_again(owner):
    data = smartstore([smartstore_row(1), smartstore_row(2, 주문상태="취소", 주문세부상태="취소완료")])
    answer = send(owner, data)
    job = Job.objects.get()
    assert answer.status_code == 302
    assert answer["Location"] == f"{URL}{job.uuid}/"
    page = owner.get(answer["Location"]).content.decode()
    assert "확인하기 전에는 주문이 등록되지 않습니다." in page
    assert "반영 가능한 1행 등록" in page
    assert "상품준비중 · 2개 30,000원 · 주문 33,000원 · 품목 연결 대기" in page
    assert not Order.objects.exists()
    done = owner.post(f"{answer['Location']}apply/", follow=True)
    assert "2행 가운데 1행을 등록했습니다." in done.content.decode()
    order = Order.objects.get()
    assert f'<a href="/orders/{order.number}/">{order.number}</a>' in done.content.decode()
    for kind, number in (("all", 2), ("done", 1), ("error", 1), ("same", 0)):
        assert f'data-count="rows-{kind}">{number}<' in done.content.decode(), kind
    assert Order.objects.count() == 1
    owner.post(f"{answer['Location']}apply/")
    assert Order.objects.count() == 1
    again = send(owner, data)
    assert again.status_code == 409
    assert "이미 반영했습니다" in again.content.decode()
    assert Job.objects.count() == 1


def test_a_locked_file_is_kept_until_its_password_comes(owner):
    data = smartstore([smartstore_row(1)], password="비밀 1")
    asked = send(owner, data)
    assert asked.status_code == 422
    assert "암호가 걸린 파일입니다. 암호를 입력하세요." in asked.content.decode()
    held = asked.context["form"].data["held"]
    wrong = owner.post(URL, {"held": held, "password": "아님"})
    assert wrong.status_code == 422
    assert "암호가 맞지 않아" in wrong.content.decode()
    right = owner.post(URL, {"held": wrong.context["form"].data["held"], "password": "비밀 1"})
    assert right.status_code == 302
    assert "비밀 1" not in str(Job.objects.get().params)


def test_a_file_that_another_person_holds_is_not_found(owner, sign_in):
    asked = send(owner, smartstore([smartstore_row(1)], password="1"))
    held = asked.context["form"].data["held"]
    stranger = sign_in(Role.CS).post(URL, {"held": held, "password": "1"})
    assert stranger.status_code == 404
    assert "파일을 다시 골라" in stranger.content.decode()
    assert not Job.objects.exists()


@pytest.mark.parametrize(("password", "sentence"), [("5678", "암호가 맞지 않아"), ("", "암호가 걸린 파일입니다.")])
def test_a_wrong_password_on_the_column_page_loses_nothing(password, sentence, owner, channel):
    locked = encrypt(plain(SHOP), "1234")
    asked = send(owner, locked, name="superstore.xlsx", password="1234")
    chosen = columns_of(asked) | {
        "label": list(asked.context["labels"]),
        "name": "해외 매장",
        "channel": str(channel.pk),
        "line_amount_factor": "1350.5",
        "address1_column": "City",
        "ordered_at_date_format": "%m/%d/%Y",
        "recipient_name_column": "Customer Name",
    }
    assert all(f'name="label" value="{label}"' in asked.content.decode() for label in chosen["label"])
    wrong = owner.post(f"{URL}columns/", chosen | {"password": password})
    page = wrong.content.decode()
    assert wrong.status_code == 422
    assert sentence in wrong.context["form"].errors["password"][0]
    assert 'id="id_password_error"' in page
    assert "Claire Gute" not in page
    assert list(wrong.context["form"].errors) == ["password"]
    assert not Job.objects.exists()
    assert not OrderProfile.objects.filter(name="해외 매장").exists()
    again = columns_of(wrong) | {"label": list(wrong.context["labels"]), "password": "1234"}
    assert again == chosen | {"password": "1234"}
    assert owner.post(f"{URL}columns/", again).status_code == 302
    assert Job.objects.get().total == 2


def test_the_sheet_is_asked_for_when_there_are_several(owner):
    book = openpyxl.load_workbook(io.BytesIO(smartstore([smartstore_row(1)])))
    book.create_sheet("메모", 0).append(["여기는 주문이 아닙니다"])
    asked = send(owner, saved(book))
    assert asked.status_code == 200
    assert "시트가 여러 개인 파일입니다." in asked.content.decode()
    held = asked.context["form"].data["held"]
    assert owner.post(URL, {"held": held, "sheet": "발주발송관리"}).status_code == 302
    assert Job.objects.get().total == 1


def test_an_unknown_layout_is_mapped_once_and_then_known(owner, channel):
    asked = send(owner, plain(SHOP), name="superstore.xlsx")
    assert asked.status_code == 200
    page = asked.content.decode()
    assert "처음 보는 양식입니다." in page
    assert "Claire Gute" in page
    chosen = columns_of(asked)
    assert chosen["order_number_column"] == "Order ID"
    assert chosen["line_amount_column"] == "Sales"
    chosen |= {
        "name": "해외 매장",
        "channel": str(channel.pk),
        "line_amount_factor": "1350.5",
        "ordered_at_date_format": "%m/%d/%Y",
        "recipient_name_column": "Customer Name",
        "address1_column": "City",
        "buyer_name_column": "",
    }
    mapped = owner.post(f"{URL}columns/", chosen)
    assert mapped.status_code == 302, mapped.context["form"].errors
    owner.post(f"{mapped['Location']}apply/")
    order = Order.objects.get()
    amounts = [(line.unit_price * line.quantity - line.discount_share) for line in order.lines.order_by("seq")]
    assert amounts == [353_777, 988_485]
    assert order.due_amount == 353_777 + 988_485
    assert (order.recipient_name, order.address1, order.zip_code) == ("Claire Gute", "Henderson", "42420")
    profile = OrderProfile.objects.get(name="해외 매장")
    assert profile.mapping["line_amount"] == {"column": "Sales", "factor": "1350.5"}
    second = send(owner, plain([SHOP[0], ["CA-2", *SHOP[1][1:]]]))
    assert second.status_code == 302
    assert Job.objects.latest("pk").params["options"]["profile_name"] == "해외 매장"


NEAR = [
    ["주문번호", "수령인", "수량", "물건이름", "배송지", "단가", "날짜", "연락처"],
    ["N-1", "김수령", 2, "양말", "서울 중구 세종대로 110", 5000, "2026-09-20", "010-2222-3333"],
]


def test_a_file_that_only_looks_like_a_known_layout_is_mapped_once_and_then_known(owner, channel):
    asked = send(owner, plain(NEAR))
    assert asked.status_code == 200
    page = asked.content.decode()
    assert "&#x27;카페24 주문&#x27; 양식과 비슷하지만 필요한 열이 없습니다: 상품명, " in page
    chosen = columns_of(asked) | {
        "name": "비슷한 양식",
        "channel": str(channel.pk),
        "product_name_column": "물건이름",
        "address1_column": "배송지",
        "ordered_at_column": "날짜",
    }
    assert owner.post(f"{URL}columns/", chosen).status_code == 302
    assert send(owner, plain([NEAR[0], ["N-2", *NEAR[1][1:]]])).status_code == 302
    assert Job.objects.latest("pk").params["options"]["profile_name"] == "비슷한 양식"
    profile = OrderProfile.objects.get(kind="CAFE24")
    wrong = send(owner, plain(NEAR), profile=profile.pk)
    assert wrong.status_code == 422
    assert "&#x27;자동으로 찾기&#x27;로 올려 열을 직접 맞춰 주세요." in wrong.content.decode()


def mapped(owner: Client, channel: SalesChannel, rows: list[list[Any]], *, password: str = "") -> str:
    """The preview of a file whose columns were mapped, with the buyer's city as the recipient."""
    data = encrypt(plain(rows), password) if password else plain(rows)
    asked = send(owner, data, name="superstore.xlsx", password=password)
    chosen = columns_of(asked) | {
        "name": "해외 매장",
        "channel": str(channel.pk),
        "line_amount_factor": "1350.5",
        "ordered_at_date_format": "%m/%d/%Y",
        "recipient_name_column": "City",
        "address1_column": "City",
        "password": password,
    }
    answer = owner.post(f"{URL}columns/", chosen)
    assert answer.status_code == 302, answer.context["form"].errors
    return str(answer["Location"])


def test_a_wrong_mapping_is_corrected_from_the_preview(owner, channel):
    place = mapped(owner, channel, SHOP)
    first = Job.objects.get()
    assert 'data-action="remap-columns"' in owner.get(place).content.decode()
    asked = owner.post(f"{place}columns/")
    assert asked.status_code == 200
    chosen = columns_of(asked)
    assert chosen["recipient_name_column"] == "City"
    assert (chosen["line_amount_factor"], chosen["ordered_at_date_format"]) == ("1350.5", "%m/%d/%Y")
    assert (chosen["name"], chosen["channel"]) == ("해외 매장", str(channel.pk))
    assert "Claire Gute" in asked.content.decode()
    again = owner.post(f"{URL}columns/", chosen | {"recipient_name_column": "Customer Name"})
    assert again.status_code == 302
    first.refresh_from_db()
    assert first.state == JobState.CANCELED
    assert OrderProfile.objects.filter(kind="CUSTOM").count() == 1
    owner.post(f"{again['Location']}apply/")
    assert Order.objects.get().recipient_name == "Claire Gute"
    second = send(owner, plain([SHOP[0], ["CA-2", *SHOP[1][1:]]]))
    owner.post(f"{second['Location']}apply/")
    assert set(Order.objects.values_list("recipient_name", flat=True)) == {"Claire Gute"}


def test_a_locked_file_is_mapped_again_with_its_password(owner, channel):
    place = mapped(owner, channel, SHOP, password="1234")
    asked = owner.post(f"{place}columns/")
    assert asked.status_code == 200
    assert 'name="password"' in asked.content.decode()
    assert "Claire Gute" not in asked.content.decode()
    chosen = columns_of(asked) | {"recipient_name_column": "Customer Name", "label": list(asked.context["labels"])}
    assert owner.post(f"{URL}columns/", chosen).status_code == 422
    assert OrderProfile.objects.get(kind="CUSTOM").mapping["recipient_name"] == {"column": "City"}
    assert owner.post(f"{URL}columns/", chosen | {"password": "1234"}).status_code == 302
    assert OrderProfile.objects.get(kind="CUSTOM").mapping["recipient_name"] == {"column": "Customer Name"}


def test_only_a_preview_of_mapped_columns_can_be_mapped_again(owner, channel, sign_in):
    place = send(owner, smartstore([smartstore_row(1)]))["Location"]
    assert 'data-action="remap-columns"' not in owner.get(place).content.decode()
    answer = owner.post(f"{place}columns/")
    assert answer.status_code == 409
    assert "열을 다시 맞출 수 없습니다." in answer.content.decode()
    own = mapped(owner, channel, SHOP)
    assert sign_in(Role.LOGISTICS).post(f"{own}columns/").status_code == 403
    owner.post(f"{own}apply/")
    assert owner.post(f"{own}columns/").status_code == 409


def test_a_mapping_without_needed_fields_is_refused_and_nothing_remembered(owner, channel):
    asked = send(owner, plain(SHOP))
    chosen = columns_of(asked) | {"name": "빠진 양식", "channel": str(channel.pk), "order_number_column": ""}
    answer = owner.post(f"{URL}columns/", chosen)
    assert answer.status_code == 422
    assert "필요한 항목의 열을 골라 주세요: 주문번호" in answer.content.decode()
    answer = owner.post(f"{URL}columns/", chosen | {"line_amount_factor": "0", "order_number_column": "없는 열"})
    assert answer.status_code == 422
    assert not OrderProfile.objects.filter(kind="CUSTOM").exists()
    assert not Job.objects.exists()


@pytest.mark.parametrize(
    "factor",
    ["1e-99999999", "1e-999999", "1e-400", "0.0000001", "0.123456789", "1e3", "-1", "0", "1000000.1", "NaN", "１"],
)
def test_a_factor_that_no_money_has_is_refused(factor, owner, channel):
    asked = send(owner, plain(SHOP))
    chosen = columns_of(asked) | {"name": "해외 매장", "channel": str(channel.pk), "unit_price_factor": factor}
    answer = owner.post(f"{URL}columns/", chosen)
    assert answer.status_code == 422
    assert "환산은 1350.5처럼 0.0001부터 1,000,000까지의 수로" in answer.content.decode()
    assert not OrderProfile.objects.filter(kind="CUSTOM").exists()
    assert not Job.objects.exists()


@pytest.mark.parametrize(
    ("typed", "kept"),
    [("0.0001", "0.0001"), ("1,350.50", "1350.5"), (".05", "0.05"), ("1000000", "1000000"), ("1.00", ""), ("", ""),
     ("0.12345678", "0.12345678")],
)  # fmt: skip
def test_a_factor_is_kept_as_a_plain_number(typed, kept):
    assert FactorField(label="판매가 환산").clean(typed) == kept


@pytest.mark.parametrize("role", [Role.LOGISTICS, Role.FINANCE, Role.VIEWER, Role.AUDITOR])
def test_only_the_owner_and_cs_may_import(role, sign_in, preview):
    job = preview(smartstore([smartstore_row(1)]))
    client = sign_in(role)
    assert client.get(URL).status_code == 403
    assert send(client, smartstore([smartstore_row(2)])).status_code == 403
    assert client.get(f"{URL}{job.uuid}/").status_code == 403
    assert client.post(f"{URL}{job.uuid}/apply/").status_code == 403
    assert not Order.objects.exists()
    assert Job.objects.count() == 1


def test_odd_addresses_and_empty_posts_are_answered_in_korean(owner, preview):
    job = preview(smartstore([smartstore_row(1)]))
    assert owner.get(f"{URL}{job.uuid}/?rows=x").status_code == 400
    assert owner.get(f"{URL}{job.uuid}/?after=-1").status_code == 400
    assert owner.get(f"{URL}00000000-0000-4000-8000-000000000000/").status_code == 404
    empty = owner.post(URL, {})
    assert empty.status_code == 422
    assert "올릴 파일을 고르세요." in empty.content.decode()
    assert owner.post(f"{URL}columns/", {}).status_code == 404
    assert owner.post(URL, {"held": "가짜"}).status_code == 404


def test_an_inactive_channel_takes_nothing(owner):
    place = send(owner, smartstore([smartstore_row(1)]))["Location"]
    SalesChannel.objects.filter(code="smartstore").update(is_active=False)
    page = owner.post(f"{place}apply/", follow=True).content.decode()
    assert "사용하지 않는 판매채널입니다." in page
    assert not Order.objects.exists()


def test_throwing_a_preview_away_leaves_nothing_to_apply(owner):
    place = send(owner, smartstore([smartstore_row(1)]))["Location"]
    owner.post(f"{place}cancel/")
    answer = owner.post(f"{place}apply/")
    assert answer.status_code == 409
    assert "님이 그만둔 미리보기라 반영하지 않았습니다. 파일을 다시 올려 주세요." in answer.content.decode()
    assert "1행 가운데 0행" not in answer.content.decode()
    assert owner.get(place).status_code == 404
    assert not Order.objects.exists()
