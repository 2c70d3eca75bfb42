"""Every page of the shop: no violation of axe by day and by night, no sideways scroll, no small target, Korean only.

Comments name the checks of ux.md 5.2.
"""

import re

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from accounts.models import User
from orders.models import Order, SalesChannel
from orders.states import LineState
from products.models import Product
from shipping.models import ExcelTemplate, Shipment, ShipmentStep
from tests.channels.files import smartstore, smartstore_row
from tests.fixtures.axe import violations
from tests.fixtures.files import xlsx
from tests.fixtures.shipments import waybill_number
from tests.flows.working_day import Clerk

pytestmark = pytest.mark.browser

RULES = {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}
COLOURS = {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}
LISTS = {
    "orders": "/orders/?period=all&size=20",
    "awaiting-payment": "/orders/awaiting-payment/?period=all&size=20",
    "preparing": "/orders/preparing/?period=all&size=20",
    "ready": "/orders/ready/?period=all&size=20",
    "shipping": "/orders/shipping/?period=all&size=20",
    "delivered": "/orders/delivered/?period=all&size=20",
    "confirmed": "/orders/confirmed/?period=all&size=20",
    "products": "/products/?size=20",
}
PAGES = {
    "dashboard": "/",
    **LISTS,
    "empty by filter": "/orders/ready/?q=20200101-0000001",
    "a wrong date": "/orders/ready/?from=13월",
    "a chip and details": "/orders/preparing/?period=all&stock=all",
    "reason of a file": "/orders/excel/?period=all",
    "order": "/orders/{order}/",
    "address": "/orders/{order}/recipient/",
    "courier file": "/shipping/waybills/file/?period=all",
    "waybill upload": "/shipping/waybills/upload/",
    "waybill preview": "{waybill_preview}",
    "templates": "/excel/templates/",
    "template": "/excel/templates/{template}/",
    "order file": "/orders/import/",
    "order file preview": "{import_preview}",
    "new order": "/orders/new/",
    "mapping": "/products/mapping/",
    "remembered": "/products/mapping/?tab=listings",
    "new product": "/products/new/",
    "product": "/products/{product}/",
    "product form": "/products/{product}/edit/",
    "stock form": "/products/{product}/stock/",
    "stock upload": "/products/stock/upload/",
    "jobs": "/jobs/",
    "job": "/jobs/{job}/",
    "dead letters": "/dead-letters/",
    "audit": "/audit/",
    "access log": "/access-log/",
    "staff": "/staff/",
    "a member": "/staff/{member}/",
    "me": "/me/",
    "settings": "/settings/",
    "shop": "/settings/shop/",
    "deadlines": "/settings/deadlines/",
    "holidays": "/settings/holidays/",
    "couriers": "/settings/couriers/",
    "rules of exceptions": "/settings/exceptions/",
    "tracking": "/settings/tracking/",
    "new tracking account": "/settings/tracking/new/",
    "keys": "/settings/shortcuts/",
    "notices": "/payments/notices/?period=all",
    "refused requests": "/payments/notices/refused/?period=all",
    "receipts": "/payments/receipts/?period=all",
    "reconciliations": "/payments/reconciliations/?period=all",
    "deposits": "/payments/deposits/?tab=all",
    "refunds": "/payments/refunds/?tab=all",
    "statement upload": "/payments/deposits/upload/",
    "problems": "/payments/problems/?period=all",
    "exceptions": "/shipping/exceptions/?period=all",
    "pg accounts": "/settings/pg/",
    "choice of a pg": "/settings/pg/new/",
    "new pg account": "/settings/pg/new/?provider=inicis",
    "bank accounts": "/settings/bank-accounts/",
    "new bank account": "/settings/bank-accounts/new/",
    "channels": "/settings/channels/",
    "new channel": "/settings/channels/new/",
    "channel": "/settings/channels/{channel}/",
    "not found": "/orders/20200101-0000001/",
}
SMALL = """() => [...document.querySelectorAll('a, button, select, summary, input')].filter(e => {
  const own = e.closest('label') || e, r = own.getBoundingClientRect();
  const inText = e.closest('p, .skip, .strip, td, th, dd, dl, li, .line-note, .alert, .sub, .help');
  return e.checkVisibility() && !e.ariaHidden && e.type !== 'hidden' && r.width && !inText
    && (r.width < 24 || r.height < 24);
}).map(e => e.outerHTML.slice(0, 100))"""
WORDS = (
    r"Traceback|Exception|Error\b|DoesNotExist|undefined|None\b|null\b|을\(를\)|이\(가\)|은\(는\)|\(으\)로|NaN|\{\{|\{%"
)
AMOUNT = re.compile(r"^-?[0-9]{1,3}(,[0-9]{3})*원$")
EDGES = """() => { const found = {};
  for (const b of document.querySelectorAll('.scroller td.num b')) { if (!b.textContent.trim().endsWith('원')) continue;
    const cell = b.closest('td'), range = document.createRange(); range.selectNodeContents(b);
    const column = Math.round(cell.getBoundingClientRect().left);
    (found[column] ||= []).push([b.textContent.trim(), range.getBoundingClientRect().right]);
  } return found; }"""

# Words of letters and digits, Korean ones too, that stand on two lines inside a table cell.
BROKEN = """() => { const found = [];
  for (const cell of document.querySelectorAll('td:not(.free), th')) {
    if (!cell.checkVisibility()) continue;
    const texts = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT);
    while (texts.nextNode())
     for (const { 0: word, index } of texts.currentNode.data.matchAll(/[\\w가-힣][\\w가-힣.,:-]+/g)) {
      const range = document.createRange();
      range.setStart(texts.currentNode, index);
      range.setEnd(texts.currentNode, index + word.length);
      if (new Set([...range.getClientRects()].map(one => Math.round(one.top))).size > 1) found.push(word);
    }
  } return found; }"""


@pytest.fixture(scope="module")
def names(seeded):
    """What the addresses of single things are made of; two files that wait for their confirmation."""
    owner = seeded.client()
    line = Order.objects.filter(stage=LineState.PREPARING).order_by("pk").first()
    file = SimpleUploadedFile("주문.xlsx", smartstore([smartstore_row(1), smartstore_row(2, 수량="0")]))
    taken = owner.post("/orders/import/", {"file": file})["Location"]
    ready = Shipment.objects.filter(step=ShipmentStep.READY, waybill="", is_held=False).order_by("pk").first()
    rows = [["배송번호", "택배사", "송장번호"], [ready.number, "CJ대한통운", waybill_number(1)], ["D-1", "CJ", "12"]]
    file = SimpleUploadedFile("송장.xlsx", xlsx(rows))
    read = owner.post("/shipping/waybills/upload/", {"file": file, "courier": "CJGLS"})["Location"]
    held = Order.objects.filter(stage=LineState.PREPARING).order_by("-pk").values_list("pk", "version").first()
    clerk = Clerk(owner, None)
    clerk.press("hold", "orders", [held], reason="고객 부재")
    return {
        "order": line.number,
        "unnumbered": ready.number,
        "import_preview": taken,
        "waybill_preview": read,
        "template": ExcelTemplate.objects.first().pk,
        "product": Product.objects.first().code,
        "job": clerk.pressed[0].uuid,
        "member": User.objects.get(username="cs").pk,
        "channel": SalesChannel.objects.first().pk,
    }


# A list whose last columns lie outside its frame.
HIDDEN = "[...document.querySelectorAll('#list .scroller')].some(one => one.scrollWidth > one.clientWidth)"


def by_day_and_night(page):
    """What axe finds by day, and of what depends on colours by night."""
    found = []
    for theme, rules in (("light", RULES), ("dark", COLOURS)):
        page.evaluate("theme => { document.documentElement.dataset.theme = theme; }", theme)
        found += [(theme, *one) for one in violations(page, rules)]
    page.evaluate("document.documentElement.dataset.theme = 'light'")
    return found


def misfits(page):
    """Widths at which the page or its list scrolls sideways, and words that are broken within a table."""
    found = []
    for width, height in ((1280, 800), (1440, 900)):
        page.set_viewport_size({"width": width, "height": height})
        if page.evaluate(f"document.documentElement.scrollWidth > {width} || {HIDDEN}"):
            found.append(width)
        found += page.evaluate(BROKEN)
    return found


def check(page):
    """What every page must be, whatever it shows."""
    assert misfits(page) == []
    assert page.evaluate(SMALL) == []
    assert re.findall(WORDS, page.locator("body").inner_text()) == []
    for column in page.evaluate(EDGES).values():
        assert all(AMOUNT.match(text) for text, _ in column), column
        assert max(edge for _, edge in column) - min(edge for _, edge in column) <= 1
    assert by_day_and_night(page) == []


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_accessible_fits_and_speaks_korean(seeded, names, page, console_errors, name):  # check 25, 26, 38, 40
    seeded.open(seeded.enter(page), PAGES[name].format(**names))
    check(page)
    if name in {"not found", "a wrong date"}:
        console_errors.clear()


def send(page, path, rows):
    """A file through the upload form of a page."""
    page.locator("input[type=file]").set_input_files({"name": "모르는.xlsx", "mimeType": "", "buffer": xlsx(rows)})
    page.locator(f"form[action='{path}'] [type=submit], main form .btn.primary").first.click()


def wrong_password(page, names):
    page.locator("[name=password]").fill("짧음")
    page.locator("form[action='/me/password/'] [type=submit]").click()
    page.locator(".field-error").first.wait_for()


def unknown_waybills(page, names):
    send(page, "/shipping/waybills/upload/", [["우리 번호", "택배 번호", "비고"], [names["unnumbered"], "1", "가"]])
    page.locator("[name=sender]").wait_for()


def remembered_waybills(page, names):
    send(page, "/shipping/waybills/upload/", [["우리 키", "택배 키"], [names["unnumbered"], waybill_number(2)]])
    page.locator("[name=shipment]").select_option("우리 키")
    page.locator("[name=waybill]").select_option("택배 키")
    page.locator("main form .btn.primary").click()
    page.locator("[data-layout]").wait_for()


def unknown_orders(page, names):
    send(page, "/orders/import/", [["가", "나", "다"], ["1", "2", "3"]])
    page.locator("[name=order_number_column]").wait_for()


FORMS = {
    "a refused password": ("/me/", wrong_password),
    "columns of waybills": ("/shipping/waybills/upload/", unknown_waybills),
    "remembered columns": ("/shipping/waybills/upload/", remembered_waybills),
    "columns of orders": ("/orders/import/", unknown_orders),
}


@pytest.mark.parametrize("name", FORMS)
def test_the_answer_to_a_form_is_accessible_fits_and_speaks_korean(seeded, names, page, console_errors, name):
    path, fill = FORMS[name]
    fill(seeded.open(seeded.enter(page), path), names)
    check(page)
    console_errors.clear()


@pytest.mark.parametrize("name", [name for name in LISTS if name != "products"])
def test_a_list_is_accessible_with_slide_over_selection_and_dialog(seeded, page, console_errors, name):  # check 25
    seeded.open(seeded.enter(page), LISTS[name])
    page.keyboard.press("j")
    page.keyboard.press("o")
    page.wait_for_selector("#detail .detail-head")
    page.wait_for_load_state("networkidle")
    assert by_day_and_night(page) == []
    page.keyboard.press("Escape")
    page.locator("tbody[data-id] td.check input").first.check()
    acts = page.locator(".bar .acts > [data-action]")
    if acts.count():
        acts.first.click()
        page.wait_for_selector("#dialog[open], #strip [data-result]")
        # The first row may be one that cannot be moved: then the dialog comes with a 409.
        console_errors[:] = [one for one in console_errors if "409" not in one]
    assert by_day_and_night(page) == []


@pytest.mark.parametrize("role", ["cs", "logistics", "finance", "viewer", "auditor"])
def test_every_menu_entry_of_a_role_opens_and_is_current(seeded, page, role):
    seeded.open(seeded.enter(page, role), "/me/")
    entries = page.locator(".sidebar a").evaluate_all("all => all.map(a => [a.pathname, a.title])")
    assert len(entries) >= 8
    client = seeded.client(role)
    for path, title in entries:
        answer = client.get(path)
        assert answer.status_code == 200, (path, answer.status_code)
        html = answer.content.decode()
        if path == "/pack/":  # the bench fills the screen and has no menu
            continue
        assert re.search(rf'href="{re.escape(path)}"[^>]*aria-current="page"', html), (path, title)
