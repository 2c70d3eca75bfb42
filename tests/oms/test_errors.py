"""Error pages: Korean, with what to do; a sentence alone for fragments; nothing of the inside is told."""

import re

import pytest
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.http import Http404, HttpResponse
from django.urls import path

from core.exceptions import Conflict, DomainError
from oms import urls as shop_urls
from orders.models import StaffMemo

WORDS = {
    "domain": DomainError("재고가 3개 부족합니다."),
    "conflict": Conflict("이도윤 님이 먼저 수정했습니다."),
    "late": Conflict("30분이 지나 되돌릴 수 없습니다."),
    "missing": Http404("상품을 찾을 수 없습니다."),
    "foreign": Http404("No Order matches the given query."),
    "denied": PermissionDenied("no"),
    "strange": SuspiciousOperation("bad host"),
    "bug": RuntimeError("secret inside"),
}


def fail(request, name):
    raise WORDS[name]


urlpatterns = [
    path("fail/<slug:name>/", fail),
    path("form/", lambda request: HttpResponse("ok")),
    *shop_urls.urlpatterns,
]
handler400, handler403 = shop_urls.handler400, shop_urls.handler403
handler404, handler500 = shop_urls.handler404, shop_urls.handler500


@pytest.fixture
def client(sign_in, staff, settings):
    settings.ROOT_URLCONF = "tests.oms.test_errors"
    client = sign_in(staff, enforce_csrf_checks=True)
    client.raise_request_exception = False
    return client


@pytest.mark.parametrize(
    ("name", "status", "sentence"),
    [
        ("domain", 400, "재고가 3개 부족합니다."),
        ("conflict", 409, "이도윤 님이 먼저 수정했습니다."),
        ("missing", 404, "상품을 찾을 수 없습니다."),
        ("foreign", 404, "주소가 바뀌었거나 번호를 잘못 입력했습니다."),
        ("denied", 403, "이 작업에 필요한 권한이 없습니다."),
        ("strange", 400, "주소나 입력값이 이 화면에서 쓰는 형식이 아닙니다."),
        ("bug", 500, "잠시 뒤 다시 시도하고, 계속되면 관리자에게 알려 주세요. (번호 "),
    ],
)
def test_a_page_says_what_happened_and_what_to_do(client, name, status, sentence):
    answer = client.get(f"/fail/{name}/")
    assert answer.status_code == status
    shown = answer.content.decode()
    assert sentence in shown
    assert "<html" in shown
    assert 'href="/"' in shown
    for inside in ("secret", "matches the given", "Traceback", "bad host"):
        assert inside not in shown


def test_a_fragment_gets_the_sentence_alone(client):
    answer = client.get("/fail/conflict/", headers={"HX-Request": "true"})
    assert (answer.status_code, answer.content.decode()) == (409, "이도윤 님이 먼저 수정했습니다.")
    assert answer["Content-Type"].startswith("text/plain")


def test_an_address_that_does_not_exist_offers_a_search(client):
    answer = client.get("/없는-주소/")
    assert answer.status_code == 404
    assert 'name="q"' in answer.content.decode()


def test_a_form_without_its_token_is_refused_in_korean(client):
    answer = client.post("/form/")
    assert answer.status_code == 403
    shown = answer.content.decode()
    assert "화면을 연 지 오래되었습니다." in shown
    assert "화면을 새로 고친 뒤 다시 시도하세요" in shown
    assert "권한" not in re.sub(r"<nav.*?</nav>", "", shown, flags=re.DOTALL)
    fragment = client.post("/form/", headers={"HX-Request": "true"})
    assert fragment.content.decode().endswith("화면을 새로 고친 뒤 다시 시도하세요.")


def test_a_refusal_says_its_own_reason_and_blames_nobody(client):
    shown = client.get("/fail/late/").content.decode()
    assert "30분이 지나 되돌릴 수 없습니다." in shown
    assert "먼저 수정" not in shown


@pytest.mark.parametrize("tokens", [True, False])
def test_what_is_too_large_is_named_so(sign_in, staff, make_order, tokens):
    order = make_order()
    client = sign_in(staff, enforce_csrf_checks=tokens)
    client.cookies["csrftoken"] = "a" * 32
    answer = client.post(f"/orders/{order.number}/memos/", {"text": "가" * (5 << 20)})
    assert answer.status_code == 413
    assert "한 번에 12MB까지 보낼 수 있어" in answer.content.decode()
    assert not StaffMemo.objects.exists()


@pytest.mark.parametrize(
    ("method", "address", "allowed"),
    [("get", "/acts/ship/", "POST, OPTIONS"), ("post", "/", "GET"), ("put", "/orders/", "GET"),
     ("delete", "/orders/", "GET"), ("patch", "/", "GET")],
)  # fmt: skip
def test_a_wrong_method_is_answered_with_a_sentence(sign_in, staff, method, address, allowed):
    client = sign_in(staff)
    answer = getattr(client, method)(address)
    assert (answer.status_code, answer["Allow"][: len(allowed)]) == (405, allowed)
    shown = answer.content.decode()
    assert "화면의 단추를 눌러 처리하세요." in shown
    assert "<html" in shown
    fragment = getattr(client, method)(address, headers={"HX-Request": "true"})
    assert fragment.content.decode().startswith("주소를 직접 열거나")


def test_a_wrong_method_of_the_api_is_answered_in_json(sign_in, staff):
    answer = sign_in(staff).put("/api/v1/orders")
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")


def test_a_failure_is_logged_under_the_number_that_is_shown(client, caplog):
    caplog.set_level("ERROR", logger="oms.errors")
    shown = client.get("/fail/bug/").content.decode()
    number = next(record.data["error_id"] for record in caplog.records if record.name == "oms.errors")
    assert f"(번호 {number})" in shown
