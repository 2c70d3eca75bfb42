"""주소와 안심번호 as channels tell them: by the API, by files and by hand, each form as it came."""

from datetime import date

import pytest

from accounts.roles import Role
from channels.models import OrderProfile
from channels.services.profiles import suggest_columns
from core.excel import find_header, read_table
from core.models import JobItem
from orders.models import Order, SalesChannel
from tests.channels.conftest import apply_job, order_body, verdicts
from tests.channels.files import plain
from tests.channels.test_manual_order import URL, typed

ROAD, JIBUN, SAFE = "서울 중구 세종대로 110", "서울 중구 태평로1가 31", "0507-1234-5678"
END = date(2026, 12, 31)


def recipient(**facts):
    return order_body()["recipient"] | facts


def kept():
    order = Order.objects.get()
    return order.address1, order.jibun_address, order.safe_number_end_date


def test_the_api_brings_both_forms_and_the_end_of_the_number(api):
    body = order_body(
        recipient=recipient(address1=ROAD, jibun_address=JIBUN, phone=SAFE, safe_number_end_date="2026-12-31")
    )
    assert api.post("/orders", body).status_code == 201
    assert kept() == (ROAD, JIBUN, END)
    assert api.post("/orders", body).status_code == 200
    for other in ({"jibun_address": ""}, {"safe_number_end_date": "2027-01-01"}):
        again = api.post("/orders", order_body(recipient=body["recipient"] | other))
        assert (again.status_code, again.json()["code"]) == (409, "order_differs")
    assert kept() == (ROAD, JIBUN, END)


def test_the_api_asks_for_neither(api):
    assert api.post("/orders", order_body()).status_code == 201
    assert kept()[1:] == ("", None)


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"safe_number_end_date": "2026-12-31"}, "안심번호(050)가 아닌 연락처에는 만료일이 없습니다."),
        ({"safe_number_end_date": "2026-12-31T00:00:00Z", "phone": SAFE}, "날짜여야 합니다. 예: 2026-12-31"),
        ({"safe_number_end_date": 1798675200, "phone": SAFE}, "날짜여야 합니다. 예: 2026-12-31"),
        ({"safe_number_end_date": "2026-02-30", "phone": SAFE}, ""),
        ({"safe_number_end_date": "1999-12-31", "phone": SAFE}, "안심번호 만료일을 확인하세요."),
        ({"jibun_address": "가" * 201}, ""),
    ],
)
def test_the_api_refuses_what_cannot_be_and_stores_nothing(api, facts, words):
    answer = api.post("/orders", order_body(recipient=recipient(**facts)))
    assert answer.status_code == 422
    assert words in answer.content.decode()
    assert not Order.objects.exists()


HEADER = [
    "주문번호", "수령인", "연락처", "안심번호", "안심번호 만료일", "도로명주소", "지번주소", "상세주소", "상품명",
    "수량", "단가", "주문일",
]  # fmt: skip
ROW = ["A-1", "김수령", "010-8765-4321", SAFE, "2026-12-31", ROAD, JIBUN, "3층", "양말", 1, 5000, "2026-09-20"]


def file_of(**cells):
    row = [cells.get(name, value) for name, value in zip(HEADER, ROW, strict=True)]
    return plain([HEADER, row])


@pytest.fixture
def profile(channel):
    names = suggest_columns(find_header(read_table(file_of(), filename="주문.xlsx")))
    return OrderProfile.objects.create(
        name="우리 양식",
        kind="CUSTOM",
        channel=SalesChannel.objects.get(pk=channel.pk),
        fingerprint="x" * 64,
        mapping={key: {"column": column} for key, column in names.items()},
        defaults={"is_prepaid": True},
    )


def test_the_columns_are_found_by_their_names(profile):
    wanted = {
        "recipient_phone": "연락처",
        "recipient_phone2": "안심번호",
        "safe_number_end": "안심번호 만료일",
        "address1": "도로명주소",
        "jibun_address": "지번주소",
        "address2": "상세주소",
    }
    assert {key: profile.mapping[key]["column"] for key in wanted} == wanted


@pytest.mark.parametrize(
    ("cells", "wanted"),
    [
        ({}, (ROAD, JIBUN, END)),
        ({"지번주소": ""}, (ROAD, "", END)),
        # The only form that came is the address; the other is not made of it.
        ({"도로명주소": ""}, (JIBUN, "", END)),
        # A channel that fills the column for everybody: an ordinary number has no end.
        ({"안심번호": ""}, (ROAD, JIBUN, None)),
        ({"안심번호": "02-123-4567"}, (ROAD, JIBUN, None)),
        ({"안심번호 만료일": ""}, (ROAD, JIBUN, None)),
        ({"안심번호 만료일": "2026-12-31 18:00"}, (ROAD, JIBUN, END)),
    ],
)
def test_a_file_brings_both_forms_and_the_end_of_the_number(preview, staff, profile, cells, wanted):
    job = preview(file_of(**cells), profile=profile)
    assert not Order.objects.exists()
    apply_job(job, staff)
    assert kept() == wanted
    assert Order.objects.get().address2 == "3층"
    assert not JobItem.objects.filter(data__has_key="order").exists(), "the drafts of a file are forgotten with it"


@pytest.mark.parametrize("cell", ["내년", "1999-12-31"])
def test_an_end_that_is_no_day_refuses_its_order(preview, profile, cell):
    [(_, result, reason)] = verdicts(preview(file_of(**{"안심번호 만료일": cell}), profile=profile))
    assert (result, "만료일" in reason) == ("REFUSED", True)
    assert not Order.objects.exists()


def test_a_typed_order_keeps_both_forms_and_the_end(sign_in, make_variant):
    client = sign_in(Role.CS)
    facts = {"recipient_phone": SAFE, "jibun_address": JIBUN, "safe_number_end_date": "2026-12-31"}
    assert client.post(URL, typed(make_variant(), address1=ROAD, **facts)).status_code == 302
    assert kept() == (ROAD, JIBUN, END)


def test_a_typed_order_drops_the_end_of_an_ordinary_number_and_refuses_what_is_no_day(sign_in, make_variant):
    client, variant = sign_in(Role.CS), make_variant()
    assert client.post(URL, typed(variant, safe_number_end_date="내년")).status_code == 422
    assert not Order.objects.exists()
    assert client.post(URL, typed(variant, safe_number_end_date="2026-12-31")).status_code == 302
    assert kept()[2] is None
