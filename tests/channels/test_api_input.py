"""What the storefront API refuses or cleans as every other door does, and the shape of its refusals."""

import http.client
import json
from urllib.parse import urlsplit

import pytest

from channels.models import IdempotencyKey
from orders.models import Order
from tests.channels.conftest import order_body
from tests.channels.test_api_orders import error


def nothing_is_stored() -> bool:
    """Neither an order nor a used-up key."""
    return not Order.objects.exists() and not IdempotencyKey.objects.exists()


def deposit(**facts):
    """A body whose payment waits for its deposit."""
    return order_body(payment={"method": "BANK_TRANSFER"} | facts)


@pytest.mark.parametrize("person", ["buyer", "recipient"])
@pytest.mark.parametrize("phone", ["abc", "12", "010-****-5678", "02-312-1111/2222", "０１０"])
def test_a_number_that_nobody_can_dial_is_refused(api, person, phone):
    body = order_body()
    body[person]["phone"] = phone
    answer = api.post("/orders", body)
    assert error(answer) == (422, "invalid")
    assert answer.json()["message"].startswith(f"{person}.phone: 전화번호는 010-1234-5678처럼 보내세요.")
    assert nothing_is_stored()


@pytest.mark.parametrize("phone", ["", " ", "-", "--", "+82 10-8765-4321"])
def test_no_number_and_a_foreign_spelling_are_taken(api, phone):
    body = order_body()
    body["recipient"]["phone"] = phone
    assert api.post("/orders", body).status_code == 201
    assert Order.objects.get().recipient_phone == ("01087654321" if "8765" in phone else "")


def test_texts_are_cleaned_as_in_the_forms_of_staff(api):
    body = order_body("M\u200b-1", delivery_note="문 앞\r\n경비실")
    body["buyer"]["name"] = "홍\u202e길\u202c동"
    body["recipient"] |= {"name": "이\u200b영\x07희\ufeff", "address1": "a\tb\nc\u2028d"}
    body["lines"][0] |= {"product_name": "\u2066티셔츠\u2069", "channel_number": "L\u200d1"}
    assert api.post("/orders", body).status_code == 201
    order = Order.objects.get()
    assert (order.channel_number, order.buyer_name, order.recipient_name) == ("M-1", "홍길동", "이영희")
    assert (order.address1, order.delivery_note) == ("a b c d", "문 앞 경비실")
    line = order.lines.get(seq=1)
    assert (line.product_name, line.channel_number) == ("티셔츠", "L1")


@pytest.mark.parametrize(
    ("place", "name"), [("recipient", "name"), ("recipient", "address1"), ("buyer", "name"), (None, "channel_number")]
)
@pytest.mark.parametrize("text", ["\u200b", "\u202e\u2066", "\x07", " \ufeff "])
def test_what_nobody_can_see_is_no_text(api, place, name, text):
    body = order_body()
    (body[place] if place else body)[name] = text
    answer = api.post("/orders", body)
    assert error(answer) == (422, "invalid")
    assert answer.json()["message"].endswith(f"{name}: 1자 이상이어야 합니다.")
    assert nothing_is_stored()


def test_letters_that_were_lost_before_are_refused(api):
    body = order_body()
    body["recipient"]["name"] = "김\ufffd\ufffd"
    answer = api.post("/orders", body)
    assert error(answer) == (400, "broken_text")
    assert "UTF-8로 고쳐 다시 보내세요." in answer.json()["message"]
    assert nothing_is_stored()


@pytest.mark.parametrize("said", ["1700000000", "1700000000.5", "-1", "2026-09-21", "20260921T100000Z", 1700000000])
def test_only_iso_text_is_an_instant(api, said):
    answer = api.post("/orders", order_body(ordered_at=said))
    assert error(answer) == (422, "invalid")
    assert "예: 2026-09-21T10:00:00+09:00" in answer.json()["message"]
    assert nothing_is_stored()


@pytest.mark.parametrize("said", ["2026-09-21T10:00+09:00", "2026-09-21T01:00:00Z", "2026-09-21 10:00:00.000+09:00"])
def test_iso_text_of_any_precision_is_an_instant(api, said):
    assert api.post("/orders", order_body(ordered_at=said)).json()["ordered_at"] == "2026-09-21T10:00:00+09:00"


def test_a_deposit_is_never_due_before_its_order(api):
    answer = api.post("/orders", deposit(deposit_by="2026-09-21T09:59:59+09:00"))
    assert error(answer) == (422, "order_refused")
    assert answer.json()["message"] == "입금기한이 주문일시보다 빠릅니다. 입금기한과 주문일시를 확인하세요."
    assert nothing_is_stored()
    assert api.post("/orders", deposit(deposit_by="2026-09-21T10:00:00+09:00")).status_code == 201


def test_allowed_values_are_listed_in_korean(api):
    answer = api.post("/orders", order_body(payment={"method": "COIN"}))
    assert error(answer) == (422, "invalid")
    assert answer.json()["message"] == (
        "payment.method: 정해진 값 가운데 하나여야 합니다: BANK_TRANSFER, VIRTUAL_ACCOUNT, CARD, EASY_PAY, MARKET"
    )
    assert nothing_is_stored()


def test_an_empty_body_is_told_what_to_send(api):
    headers = api.headers | {"Idempotency-Key": "k"}
    answer = api.client.post("/api/v1/orders", b"", content_type="application/json", headers=headers)
    assert error(answer) == (422, "invalid")
    assert answer.json()["message"] == (
        "요청 본문이 비어 있습니다. /api/v1/openapi.json의 형식에 맞는 JSON 객체를 본문에 넣어 다시 보내세요."
    )
    body = order_body()
    del body["recipient"]
    answer = api.post("/orders", body)
    assert answer.json()["message"] == "recipient: 값이 없습니다. 이 항목을 넣어 다시 보내세요."
    assert nothing_is_stored()


def test_a_body_that_is_too_large_is_told_to_shrink(api):
    answer = api.post("/orders", order_body(delivery_note="가" * (1 << 19)))
    assert error(answer) == (413, "too_large")
    assert answer.json()["message"] == "요청 본문은 1MB까지 보낼 수 있습니다. 내용을 줄여 다시 보내세요."
    assert nothing_is_stored()


@pytest.mark.django_db(transaction=True)
def test_a_body_without_a_length_is_refused_over_a_socket(api, live_server):
    place = urlsplit(live_server.url)
    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=20)
    headers = api.headers | {"Content-Type": "application/json", "Idempotency-Key": "k"}
    pieces = iter([json.dumps(order_body()).encode()])
    connection.request("POST", "/api/v1/orders", pieces, headers, encode_chunked=True)
    answer = connection.getresponse()
    body = json.loads(answer.read())
    connection.close()
    assert (answer.status, body["code"]) == (411, "length_required")
    assert "Content-Length 머리글과 함께 다시 보내세요." in body["message"]
    assert nothing_is_stored()


@pytest.mark.parametrize("address", ["/api", "/api/", "/api/v1", "/api/v1/", "/api/v2/orders", "/api/v1/orders/"])
@pytest.mark.parametrize("method", ["get", "post"])
def test_every_address_below_api_answers_in_json(client, db, address, method):
    assert error(getattr(client, method)(address)) == (404, "not_found")


def test_the_description_is_only_read(client, db):
    assert client.get("/api/v1/openapi.json").status_code == 200
    answer = client.post("/api/v1/openapi.json")
    assert error(answer) == (405, "method_not_allowed")
    assert answer["Allow"] == "GET, HEAD"


def test_a_wrong_host_is_answered_in_json(client, db, settings):
    settings.ALLOWED_HOSTS = ["shop.example"]
    answer = client.get("/api/v1/orders", headers={"Host": "evil.example"})
    assert error(answer) == (400, "bad_request")
    assert answer.json()["message"].startswith("이 서버에서 쓰지 않는 주소입니다.")


def test_an_unknown_condition_is_refused_everywhere(api):
    number = api.post("/orders", order_body()).json()["number"]
    before = Order.objects.values().get()
    for path in ("/events", f"/orders/{number}"):
        assert error(api.get(path, x="1")) == (400, "bad_parameter")
    told = api.get("/events", x="1").json()["message"]
    assert told == "이 주소에 없는 조건입니다: x. 쓸 수 있는 조건은 after, limit입니다. 조건을 지우고 다시 보내세요."
    assert error(api.post("/orders?x=1", order_body("M-2"))) == (400, "bad_parameter")
    assert error(api.post(f"/orders/{number}/confirm-purchase?x=1", {})) == (400, "bad_parameter")
    assert Order.objects.values().get() == before
