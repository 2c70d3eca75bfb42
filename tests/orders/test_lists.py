"""Order lists: rows, counts, file and API agree, whatever is asked for; other people's moves; strangers' parameters."""

import io
import random
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.http import QueryDict
from django.utils import timezone
from openpyxl import load_workbook

from accounts.models import AccessAction, AccessLog, User
from accounts.roles import Role
from core.calendar import kst_date
from core.lists import BadParameter, ListQuery, ListRefused, lists
from core.lists.export import write_export
from core.lists.presenter import present
from core.models import Source
from core.paging import BadCursor, fetch
from orders.models import Order, OrderEvent, OrderLine, SalesChannel
from orders.pages import STATUS_TABS, STEP_PAGES
from orders.states import LineState
from tests.fixtures.order_rows import NOW

S = LineState
PAGES = ("orders", "preparing", "confirmed")


def query(page: str, params: str = "", *, user: User | None = None) -> ListQuery:
    return lists.page(page).query(params, user=user, at=NOW)


def walk(page: str, params: str, *, size: int = 200) -> Iterator[Any]:
    """All rows of a list, page after page, through the addresses of its pager."""
    url = f"?{params}&size={size}" if params else f"?size={size}"
    while url:
        asked = query(page, url.partition("?")[2])
        view = present(asked)
        yield from view.rows
        url = view.pager.next_url


def numbers(page: str, params: str) -> list[str]:
    return [row.number for row in walk(page, params)]


def file_of(asked: ListQuery) -> list[tuple[Any, ...]]:
    target = io.BytesIO()
    write_export(asked, target)
    return list(load_workbook(target, read_only=True).active.iter_rows(values_only=True))[1:]


def expected(page: str, tab: str, facts: dict[str, Any]) -> dict[str, int]:
    """The same list by plain Python: order number -> number of its lines that the list shows."""
    steps = {name: state for state, name in STEP_PAGES.items()}
    shown = {steps[page]} if page in steps else set(S) - {S.MOVED}
    wanted = {key: set(states) for key, _, states in STATUS_TABS}.get(tab)
    basis = {"ordered": "ordered_at", "paid": "paid_at", "confirmed": "confirmed_at"}[facts["basis"]]
    found, today = {}, kst_date(NOW)
    for order in Order.objects.prefetch_related("lines"):
        lines = [line for line in order.lines.all() if line.state in shown]
        at = getattr(order, basis)
        states = {line.state for line in order.lines.all()}
        days = facts["days"]
        if (
            lines
            and (days is None or (at is not None and today - timedelta(days - 1) <= kst_date(at) <= today))
            and (page != "orders" or wanted is None or states & wanted)
            and (not facts["channels"] or order.channel_id in facts["channels"])
            and (facts["amount"] is None or order.due_amount >= facts["amount"])
            and (not facts["memo"] or order.has_memo)
        ):
            found[order.number] = len(lines)
    return found


def test_rows_counts_file_and_api_agree_with_plain_python_for_thirty_random_conditions(some_orders, staff):
    dice = random.Random(7)
    channels = list(SalesChannel.objects.values_list("pk", flat=True))
    for _ in range(30):
        page = dice.choice(PAGES)
        facts: dict[str, Any] = {
            "basis": dice.choice(list(lists.page(page).bases)),
            "days": dice.choice([None, 1, 3, 7, 400]),
            "channels": dice.sample(channels, dice.randint(0, 2)),
            "amount": dice.choice([None, None, 50_000]),
            "memo": dice.random() < 0.2,
        }
        tab = dice.choice(["all", *(key for key, *_ in STATUS_TABS)]) if page == "orders" else ""
        params = QueryDict(mutable=True)
        params.update({"basis": facts["basis"], "tab": tab} if tab else {"basis": facts["basis"]})
        if facts["days"] == 400:
            params.update({"from": str(kst_date(NOW) - timedelta(399)), "to": str(kst_date(NOW))})
        else:
            params["period"] = {None: "all", 1: "today", 3: "3d", 7: "7d"}[facts["days"]]
        params.setlist("channel", [str(pk) for pk in facts["channels"]])
        params.update({"amount_min": "50000"} if facts["amount"] else {})
        params.update({"mark": "memo"} if facts["memo"] else {})
        text = params.urlencode()
        asked, wanted = query(page, text, user=staff), expected(page, tab, facts)

        found = numbers(page, text)
        assert sorted(found) == sorted(wanted), (page, text)
        counts = asked.count()
        assert counts.total.number == len(wanted)
        assert counts.lines == sum(wanted.values())
        if tab:
            assert counts.tabs[tab] == counts.total
        file = file_of(asked)
        assert len(file) == sum(wanted.values())
        assert list(dict.fromkeys(row[0] for row in file)) == found
        api = query(page, text + "&size=200", user=staff).api()
        assert [item["number"] for item in api["items"]] == found[:200]
        assert sum(len(item["lines"]) for item in api["items"]) == sum(wanted[number] for number in found[:200])
        assert len(lists.page(page).selection(text, NOW, staff)) == len(wanted)


def test_every_tab_counts_what_it_shows(some_orders):
    for page in ("orders", "preparing"):
        counts = query(page, "period=all").count()
        assert any(found.number for found in counts.tabs.values())
        for key, found in counts.tabs.items():
            opened = f"period=all&tab={key}"
            assert found.number == len(numbers(page, opened)) == query(page, opened).count().total.number


def test_sql_that_is_kept_finds_what_sql_of_its_own_finds(some_orders):
    for name in PAGES:
        page = lists.page(name)
        orders = Order.objects.order_by("pk").values_list("number", flat=True)[:2]
        words = ["", *(f"q={number}" for number in orders), "q=20010101-0000001"]
        for text in words:
            for period in ("period=all", "period=7d", "period=3d", "from=2020-01-01&to=2020-01-02", "from=2020-01-01"):
                for tab in page.all_tabs:
                    asked = query(name, f"{text}&{period}&tab={tab.key}")
                    own = fetch(asked.queryset(), asked.sort, size=asked.size, cursor=None)
                    assert asked.keyset() == own, asked.text_of_state
                    assert asked.count().total.number == asked.queryset().count(), asked.text_of_state


def test_menu_counts_are_the_totals_of_the_lists(some_orders):
    counts = lists.menu_counts()
    for state, name in STEP_PAGES.items():
        assert counts[name] >= 0
        if name in PAGES:
            assert counts[name] == Order.objects.in_step(state).count()
            assert counts[name] == query(name, "period=all").count().total.number


def test_orders_outside_the_period_are_counted_and_can_be_opened(some_orders):
    asked = query("preparing", "period=3d")
    counts, view = asked.count(), present(asked)
    everything = query("preparing", "period=all").count().total.number
    assert 0 < counts.outside < everything
    assert counts.total.number + counts.outside == everything
    assert view.outside.text == f"기간 밖에 처리하지 않은 주문 {counts.outside}건이 있습니다."
    assert query("preparing", view.outside.url.partition("?")[2]).count().total.number == everything


def test_a_step_list_shows_only_its_own_lines_and_links_the_others(some_orders):
    mixed = next(
        order
        for order in Order.objects.in_step(S.PREPARING).prefetch_related("lines").order_by("pk")
        if {line.state for line in order.lines.all()} - {S.PREPARING}
    )
    here = [line.number for line in mixed.lines.all() if line.state == S.PREPARING]
    row = next(row for row in walk("preparing", "period=all") if row.number == mixed.number)
    assert sorted(tr.line_number for tr in row.trs) == sorted(here)
    assert f"외 {mixed.lines.count() - len(here)}건" in row.html
    assert {tr.state for tr in row.trs} == {S.PREPARING}


def test_personal_data_is_masked_on_every_list_and_whole_in_the_file(some_orders, staff):
    order = Order.objects.in_step(S.PREPARING).order_by("pk").first()
    asked = query("preparing", f"q={order.number}", user=staff)
    html = present(asked).rows[0].html
    assert order.recipient_name not in html
    assert order.recipient_phone not in html
    assert order.recipient_name[0] + "*" in html
    assert order.recipient_name not in str(asked.api())
    assert order.recipient_name in str(file_of(asked))


def test_sorting_runs_both_ways_and_ends_with_the_key(some_orders):
    for page, keys in (("orders", ("-ordered_at", "ordered_at")), ("preparing", ("next_due_at", "-next_due_at"))):
        one, other = (numbers(page, f"period=all&sort={key}") for key in keys)
        assert len(one) > 50
        assert one == other[::-1]


def test_a_cursor_of_another_order_or_of_nobody_is_refused(some_orders):
    good = query("orders", "period=all&size=20").keyset().after
    assert query("orders", f"period=all&size=20&after={good}").keyset().ids
    for page, params in (
        ("orders", "after=x"),
        ("orders", f"after={good[:-3]}"),
        ("orders", "after=WzEsMl0"),
        ("preparing", f"sort=due_amount&after={good}"),
        ("orders", "before=" + "A" * 3000),
        ("orders", "after=%00"),
    ):
        with pytest.raises((BadCursor, BadParameter)):
            query(page, params)


HOSTILE = (
    "nosuch=1",
    "ordered_at__gte=2026-01-01",
    "number__startswith=2026",
    "tab=nosuch",
    "sort=buyer_phone",
    "sort=-pk",
    "basis=password",
    "period=5y",
    "size=7",
    "size=1e9",
    "kind=nosuch",
    "page=0",
    "page=-1",
    "page=١",
    "exact=yes",
    "view=abc",
    "channel=%00",
    "sku=" + "x" * 5000,
    "'=1",
    "%FF%FE=1",
    "[]=1",
)


def test_unknown_and_hostile_parameters_are_bad_requests(sign_in, some_orders):
    browser = sign_in(Role.OWNER)
    for params in HOSTILE:
        for page in ("", "preparing/", "confirmed/"):
            response = browser.get(f"/orders/{page}?{params}")
            assert response.status_code == 400, params
            assert "조건을 지우고 다시 조회하세요." in response.content.decode()


WRONG = (
    ("from=2026-11-20&to=2026-11-01", "시작일이 종료일보다 늦습니다."),
    ("from=어느날", "날짜는 2025-11-21처럼 입력하세요."),
    ("from=13월", "날짜는 2025-11-21처럼 입력하세요."),
    ("from=9999-12-31", "날짜는 2025-11-21처럼 입력하세요."),
    ("to=0001-01-01", "날짜는 2025-11-21처럼 입력하세요."),
    ("q=가", "검색어를 두 글자 이상 입력하세요."),
    ("q=%00홍길동", "검색어에 쓸 수 없는 글자가 있습니다."),
    ("q=12", "숫자는 연락처 뒤 4자리부터 찾을 수 있습니다."),
    ("q=%00", "검색어에 쓸 수 없는 글자가 있습니다."),
    ("amount_min=-5", ""),
    ("amount_min=x", ""),
    ("amount_min=1e99", ""),
    ("amount_max=NaN", ""),
    ("lines_min=abc", ""),
    ("channel=999999", ""),
    ("channel=1' OR 1=1--", ""),
    ("mark=nosuch", ""),
)


def test_wrong_values_give_a_sentence_and_no_rows(sign_in, some_orders):
    browser = sign_in(Role.OWNER)
    for params, sentence in WRONG:
        response = browser.get(f"/orders/?{params}")
        assert response.status_code == 400
        view = response.context["page"]
        assert view.errors, params
        part = browser.get(f"/orders/?{params}", headers={"HX-Request": "true", "HX-Target": "list"})
        assert (part.status_code, "<html" in part.content.decode()) == (400, False)
        assert (view.rows, view.total.count) == ([], 0)
        assert sentence in response.content.decode()
        with pytest.raises(ListRefused):
            lists.page("orders").selection(params, NOW, None)
        assert browser.post(f"/orders/excel/?{params}", {"reason": "확인"}).status_code == 422


def test_the_list_alone_is_sent_to_htmx_and_caches_keep_the_two_apart(sign_in, some_orders):
    browser = sign_in(Role.CS)
    whole = browser.get("/orders/preparing/?period=all")
    part = browser.get("/orders/preparing/?period=all", headers={"HX-Request": "true", "HX-Target": "list"})
    assert "<html" in whole.content.decode()
    assert "<html" not in part.content.decode()
    assert part.content.decode().count("<tbody") == whole.content.decode().count("<tbody") == 50
    assert "HX-Request" in whole.headers["Vary"]
    assert "HX-Request" in part.headers["Vary"]


def test_a_file_asks_for_the_reason_and_is_logged_before_it_leaves(sign_in, some_orders):
    browser = sign_in(Role.CS)
    url = "/orders/excel/?period=all&tab=ready"
    assert browser.get(url).status_code == 200
    assert browser.post(url, {"reason": " "}).status_code == 422
    assert not AccessLog.objects.filter(action=AccessAction.EXPORT).exists()

    response = browser.post(url, {"reason": "출고 명단 확인"})
    rows = list(load_workbook(io.BytesIO(b"".join(response.streaming_content))).active.iter_rows(values_only=True))
    log = AccessLog.objects.get(action=AccessAction.EXPORT)
    assert response.status_code == 200
    assert rows[0][:3] == ("주문번호", "주문일시", "판매처")
    assert log.purpose == "출고 명단 확인"
    assert log.row_count == len(rows) - 1 == query("orders", "period=all&tab=ready").count().lines


def test_only_those_with_the_right_take_files_away(sign_in, some_orders):
    for role in (Role.LOGISTICS, Role.FINANCE, Role.VIEWER, Role.AUDITOR):
        browser = sign_in(role)
        assert browser.post("/orders/excel/?period=all", {"reason": "확인"}).status_code == 403
        tools = [tool.name for tool in browser.get("/orders/?period=all").context["page"].tools]
        assert tools == ["columns"]
    assert not AccessLog.objects.filter(action=AccessAction.EXPORT).exists()


def test_the_file_follows_the_chosen_columns_and_their_order(sign_in, some_orders, make_staff):
    user = make_staff(Role.OWNER)
    browser = sign_in(user)
    saved = browser.post("/orders/columns/", {"columns": ["number", "tags", "quantity"], "freeze": "2"})
    assert saved.status_code == 204
    user.refresh_from_db()
    view = present(query("orders", "period=all", user=user))
    assert [head.key for head in view.heads] == ["number", "tags", "quantity"]
    assert [choice.key for choice in view.columns_choice if choice.frozen] == ["number", "tags"]
    target = io.BytesIO()
    write_export(query("orders", "period=all", user=user), target)
    head = next(load_workbook(target).active.iter_rows(values_only=True))
    assert head == ("주문번호", "주문일시", "판매처", "품목별 주문번호", "표시", "수량")
    assert browser.post("/orders/columns/", {"columns": ["password"]}).status_code == 400
    assert browser.post("/orders/columns/", {"columns": ["number"], "freeze": "99"}).status_code == 422


def test_amounts_of_an_order_stand_in_the_file_once(some_orders, staff):
    file = file_of(query("orders", "period=all", user=staff))
    columns = query("orders", "period=all", user=staff).columns()
    place = [part.key for column in columns for part in (column, *column.more)].index("amount")
    assert sum(row[place] or 0 for row in file) == sum(Order.objects.values_list("due_amount", flat=True))


def test_the_poll_tells_what_others_did_and_nothing_else(sign_in, some_orders, make_staff):
    me, colleague = make_staff(Role.CS), make_staff(Role.CS, display_name="이도윤")
    mine, theirs, quiet = Order.objects.in_step(S.PREPARING).order_by("pk")[:3]
    browser = sign_in(me)
    view = browser.get("/orders/preparing/?period=all").context["page"]
    for order, actor, source in ((mine, me, Source.SCREEN), (theirs, colleague, Source.SCREEN)):
        line = OrderLine.objects.filter(order=order).first()
        OrderEvent.objects.create(
            at=timezone.now(), kind="line.ready", order=order, subject="line", subject_id=line.pk, actor=actor,
            version=line.version + 1, from_state="PREPARING", to_state="READY", source=source,
        )  # fmt: skip
    url = f"/orders/preparing/poll/?since={view.since}&ids={mine.pk},{theirs.pk},{quiet.pk}"
    response = browser.get(url)
    body = response.content.decode()
    assert response.status_code == 200
    assert f'data-id="{theirs.pk}"' in body
    assert "방금 이도윤 님이 처리" in body
    assert f'data-id="{mine.pk}"' not in body
    assert f'data-id="{quiet.pk}"' not in body
    assert 'class="moved"' in body
    # In the place of the smaller line, so that the row keeps its height.
    row = body[body.index(f'data-id="{theirs.pk}"') :]
    first = row[row.index('<td class="no') : row.index("</td>", row.index('<td class="no'))]
    assert first.count('<span class="sub') == 1
    assert 'class="sub said"' in first
    assert "disabled" in body
    assert browser.get(f"/orders/preparing/poll/?since={view.since}&ids={quiet.pk}").status_code == 204
    for wrong in ("since=x&ids=1", "since=1&ids=a", "since=1&ids=1&more=1", "since=99999999999999999&ids=1", "ids=1"):
        assert browser.get(f"/orders/preparing/poll/?{wrong}").status_code == 400


def test_rows_created_after_the_screen_are_not_selected(some_orders):
    page = lists.page("orders")
    newest = Order.objects.order_by("-created_at").first()
    before = page.selection("period=all", newest.created_at - timedelta(seconds=1), None)
    after = page.selection("period=all", newest.created_at, None)
    assert newest.pk in dict(after)
    assert newest.pk not in dict(before)
    assert dict(after)[newest.pk] == newest.version


def test_empty_by_nature_and_empty_by_filter_say_different_things(db, staff):
    nature = present(query("preparing", user=staff))
    narrowed = present(query("preparing", "mark=memo", user=staff))
    assert (nature.empty, narrowed.empty) == ("nature", "filter")
    assert nature.empty_text.startswith("상품준비중인 주문이 없습니다.")
    assert narrowed.empty_text == "조건에 맞는 주문이 없습니다. 기간을 넓히거나 조건을 지워 보세요."
    tab = present(query("refunds", "tab=failed&period=all", user=staff))
    assert (tab.empty, tab.empty_text) == ("filter", "'실패' 탭에 환불이 없습니다.")


def test_links_keep_the_state_of_the_address_and_drop_what_passes(some_orders, staff):
    view = present(query("orders", "tab=ready&period=3d&mark=memo&page=3&exact=1&open=1&size=50", user=staff))
    assert view.full_query == "tab=ready&period=3d&mark=memo"
    assert [chip.label for chip in view.chips] == ["주문일: 3일", "표시: 메모 있음"]
    assert view.chips[1].remove_url == "/orders/?tab=ready&period=3d"
    assert next(tab.url for tab in view.tabs if tab.key == "all") == "/orders/?tab=all&period=3d&mark=memo"
    again = present(query("orders", view.full_query, user=staff))
    assert [row.number for row in again.rows] == [row.number for row in view.rows]
