"""The page 입금하기 in a real browser: pay, pay another sum, take it back, without script, light and dark."""

import pytest

from tests.fixtures.axe import violations

ORDER = "20261121-0000001-1"


def opened(pgs, pg="inicis", order_ref=ORDER, **values):
    given = {"amount": 33_000, "buyer": "홍길동", "title": "면 티셔츠 <b>", **values}
    return pgs.control("payments", pg=pg, order_ref=order_ref, **given)


def form(pgs, **values):
    fields = "&".join(f"{name}={value}" for name, value in values.items()).encode()
    return pgs.request("POST", "/", fields, {"Content-Type": "application/x-www-form-urlencoded"})


def test_the_page_lists_accounts_of_every_pg_and_finds_one(pgs):
    opened(pgs)
    opened(pgs, "toss", "20261121-0000002-1")
    status, body = pgs.request("GET", "/")
    page = body.decode()
    assert status == 200
    assert page.count("<li data-order=") == 2
    assert "면 티셔츠 &lt;b&gt;" in page
    assert "<script" not in page
    found = pgs.request("GET", "/?q=0000002")[1].decode()
    assert ORDER not in found
    assert "20261121-0000002-1" in found


@pytest.mark.parametrize("amount", ["", "x", "-1", "0", "3.5"])
def test_a_sum_that_is_none_moves_nothing(pgs, amount):
    payment = opened(pgs)
    assert form(pgs, id=payment["id"], act="pay-other", amount=amount, name="x")[0] == 303
    assert pgs.payment("inicis", ORDER)["movements"] == []


def test_an_unknown_payment_or_act_is_refused(pgs):
    payment = opened(pgs)
    assert form(pgs, id=99, act="pay", amount=1)[0] == 303
    assert form(pgs, id=payment["id"], act="explode")[0] == 303
    assert form(pgs, act="pay")[0] == 303
    assert pgs.payment("inicis", ORDER)["movements"] == []


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1440])
def test_axe_finds_nothing_and_nothing_is_wider_than_the_window(pgs, browser, scheme, width):
    payment = opened(pgs)
    opened(pgs, "toss", "20261121-0000002-1")
    pgs.control("payments/deposit", id=payment["id"])
    pgs.control("payments/refund", id=payment["id"], account={"bank": "88", "number": "110", "holder": "홍"})
    context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 800}, locale="ko-KR")
    page = context.new_page()
    page.goto(f"{pgs.base_url}/?done=됐습니다")
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    context.close()


@pytest.mark.browser
def test_a_person_pays_pays_too_much_and_the_bank_takes_it_back(pgs, browser):
    pgs.shop("inicis", options={**pgs.read("shops", pg="inicis")[0]["options"], "is_exact_amount": False})
    opened(pgs, "toss", "20261121-0000002-1")
    opened(pgs)
    context = browser.new_context(java_script_enabled=False, locale="ko-KR")
    page = context.new_page()
    page.goto(f"{pgs.base_url}/")
    box = page.locator(f'[data-order="{ORDER}"]')
    box.get_by_role("button", name="입금하기").click()
    assert page.get_by_role("status").inner_text() == f"{ORDER}: 33,000원을 홍길동 이름으로 입금했습니다."
    box.get_by_text("다른 금액", exact=True).click()
    box.get_by_label("금액(원)").fill("1,000")
    box.get_by_role("button", name="다른 금액 입금").click()
    page.get_by_text("1,000원을 홍길동 이름으로").wait_for()
    assert [one["amount"] for one in pgs.payment("inicis", ORDER)["movements"]] == [33_000, 1_000]
    box.get_by_role("button", name="은행 취소").click()
    page.get_by_text("은행이 입금을 취소했습니다").wait_for()
    assert pgs.payment("inicis", ORDER)["paid_amount"] == 33_000
    other = page.locator('[data-order="20261121-0000002-1"]')
    other.get_by_text("다른 금액", exact=True).click()
    other.locator("details").get_by_label("금액(원)").fill("1000")
    other.get_by_role("button", name="다른 금액 입금").click()
    page.get_by_text("입금할 금액이 청구 금액과 다릅니다.").wait_for()
    assert pgs.payment("toss", "20261121-0000002-1")["movements"] == []
    context.close()


def test_a_person_pays_by_card_and_cancels_it(pgs):
    given = {"act": "pay-card", "pg": "toss", "order_ref": "MALL-0001", "amount": "33,000", "name": "HONG"}
    assert form(pgs, **given)[0] == 303
    payment = pgs.payment("toss", "MALL-0001")
    assert (payment["method"], payment["state"], payment["paid_amount"]) == ("CARD", "PAID", 33_000)
    page = pgs.request("GET", "/?q=MALL-0001")[1].decode()
    assert payment["payment_ref"] in page
    assert 'data-action="cancel-card"' in page
    assert 'data-action="pay"' not in page
    assert 'data-action="reverse"' not in page
    assert form(pgs, id=payment["id"], act="cancel-card")[0] == 303
    payment = pgs.payment("toss", "MALL-0001")
    assert (payment["state"], payment["refunded_amount"]) == ("CANCELED", 33_000)
    assert form(pgs, id=payment["id"], act="cancel-card")[0] == 303
    assert pgs.payment("toss", "MALL-0001")["refunded_amount"] == 33_000


@pytest.mark.parametrize(
    "wrong", [{"order_ref": "x"}, {"order_ref": "a b c d e f"}, {"amount": "0"}, {"amount": "x"}, {"pg": "nobody"}]
)
def test_a_card_payment_that_no_pg_takes_opens_nothing(pgs, wrong):
    given = {"act": "pay-card", "pg": "toss", "order_ref": "MALL-0001", "amount": "33000", "name": "HONG"} | wrong
    assert form(pgs, **given)[0] == 303
    assert pgs.read("payments") == []


def test_an_account_cannot_be_canceled_as_a_card(pgs):
    payment = opened(pgs)
    pgs.control("payments/deposit", id=payment["id"])
    assert form(pgs, id=payment["id"], act="cancel-card")[0] == 303
    assert pgs.payment("inicis", ORDER)["refunded_amount"] == 0


@pytest.mark.browser
@pytest.mark.parametrize("width", [360, 900])
def test_a_card_is_charged_on_the_page_itself(pgs, browser, width):
    page = browser.new_context(viewport={"width": width, "height": 800}, locale="ko-KR").new_page()
    page.goto(pgs.base_url)
    page.get_by_text("카드로 결제하기").click()
    form = page.locator("[data-card]")
    form.get_by_label("PG").select_option(label="나이스페이")
    form.get_by_label("주문번호").fill("MALL-0001")
    form.get_by_label("입금자명").fill("홍길동")
    form.get_by_label("금액(원)").fill("33,000")
    form.get_by_role("button", name="카드 결제").click()
    page.get_by_text("카드로 33,000원을 결제했습니다.").wait_for()
    row = page.locator('[data-order="MALL-0001"]')
    assert "입금완료" in row.inner_text()
    assert pgs.payment("nicepay", "MALL-0001")["payment_ref"] in row.inner_text()
    page.get_by_text("카드로 결제하기").click()
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    row.get_by_role("button", name="카드 취소").click()
    page.get_by_text("카드 결제 33,000원을 취소했습니다.").wait_for()
    assert pgs.payment("nicepay", "MALL-0001")["refunded_amount"] == 33_000
