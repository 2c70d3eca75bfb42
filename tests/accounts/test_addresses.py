"""Every address and every act of the shop against the six roles (reliability.md 4.3).

A new address or act without its line fails; so does a line whose address is gone.
"""

import pytest
from django.test import Client

from accounts.access import permission_of
from accounts.roles import Role, permission
from core.actions import ACTIONS
from core.jobs.exports import EXPORTS
from core.jobs.uploads import UPLOADS
from core.lists import lists
from tests.accounts.test_roles import LETTERS
from tests.test_rules import KEYED, PUBLIC, addresses, filled

LISTS = """
    /audit/                    OA     OA
    /orders/                   OCLFVA OC
    /orders/awaiting-payment/  OCLFVA OC
    /orders/confirmed/         OCLFVA OC
    /orders/delivered/         OCLFVA OC
    /orders/preparing/         OCLFVA OC
    /orders/ready/             OCLFVA OC
    /orders/shipping/          OCLFVA OC
    /payments/deposits/        OCF    OF
    /payments/notices/         OCFA   OF
    /payments/notices/refused/ OCFA   OF
    /payments/problems/        OCFA   OF
    /payments/receipts/        OCFA   OF
    /payments/reconciliations/ OFA    OF
    /payments/refunds/         OCFA   OF
    /products/                 OCLFVA OCLFVA
    /shipping/exceptions/      OCLVA  OCL
"""
"""Address of a list, roles that look (and poll, count, set columns, keep views), roles that take its file away."""

ADDRESSES = """
    /                                                             OCLFVA
    /access-log/                                                  OA
    /acts/<slug:name>/                                            OCLFVA
    /acts/<uuid:uuid>/apply/                                      OCLFVA
    /dead-letters/                                                OCLFA
    /dead-letters/retry/                                          O
    /excel/templates/                                             OL
    /excel/templates/<int:pk>/                                    OL
    /excel/templates/<int:pk>/<slug:act>/                         OL
    /jobs/                                                        OCLFA
    /jobs/<uuid:uuid>/                                            OCLFVA
    /jobs/<uuid:uuid>/cancel/                                     OCLFVA
    /jobs/<uuid:uuid>/confirm/                                    OCLFVA
    /jobs/<uuid:uuid>/failed.xlsx                                 OCLFVA
    /jobs/<uuid:uuid>/file/                                       OCLFVA
    /jobs/<uuid:uuid>/resume/                                     OCLFVA
    /jobs/<uuid:uuid>/strip/                                      OCLFVA
    /jobs/<uuid:uuid>/undo/                                       OCLFVA
    /jobs/<uuid:uuid>/undo/apply/                                 OCLFVA
    /jobs/undo/                                                   OCLFVA
    /me/                                                          OCLFVA
    /me/password/                                                 OCLFVA
    /me/preferences/                                              OCLFVA
    /menu/counts/                                                 OCLFVA
    /orders/<slug:number>/                                        OCLFVA
    /orders/<slug:number>/memos/                                  OCLF
    /orders/<slug:number>/memos/<int:pk>/delete/                  OCLF
    /orders/<slug:number>/poll/                                   OCLFVA
    /orders/<slug:number>/recipient/                              OC
    /orders/<slug:number>/reveal/                                 OC
    /orders/import/                                               OC
    /orders/import/<uuid:uuid>/                                   OC
    /orders/import/<uuid:uuid>/apply/                             OC
    /orders/import/<uuid:uuid>/cancel/                            OC
    /orders/import/<uuid:uuid>/columns/                           OC
    /orders/import/columns/                                       OC
    /orders/new/                                                  OC
    /pack/                                                        OL
    /pack/<slug:number>/                                          OL
    /pack/commands/                                               OL
    /pack/scan/                                                   OL
    /pack/test/                                                   OL
    /payments/<int:pk>/sync/                                      OCF
    /payments/<int:pk>/virtual/                                   OC
    /payments/deposits/<int:pk>/                                  OCF
    /payments/deposits/<int:pk>/allocate/                         OF
    /payments/deposits/<int:pk>/names/                            OF
    /payments/deposits/<int:pk>/rematch/                          OF
    /payments/deposits/<int:pk>/return/                           OF
    /payments/deposits/upload/                                    OF
    /payments/deposits/upload/<uuid:uuid>/                        OF
    /payments/notices/<int:pk>/                                   OCFA
    /payments/notices/refused/<int:pk>/                           OCFA
    /payments/notices/requests/<int:pk>/body/                     OC
    /payments/problems/<int:pk>/                                  OCFA
    /payments/problems/<int:pk>/refund/                           OF
    /payments/refunds/<int:pk>/account/                           OCF
    /picking/                                                     OL
    /picking/<slug:number>/print/                                 OL
    /products/<str:code>/                                         OCLFVA
    /products/<str:code>/edit/                                    OC
    /products/<str:code>/stock/                                   OL
    /products/mapping/                                            OC
    /products/mapping/<int:pk>/                                   OC
    /products/mapping/connect/                                    OC
    /products/new/                                                OC
    /products/stock/upload/                                       OL
    /products/stock/upload/<uuid:uuid>/                           OL
    /products/stock/upload/<uuid:uuid>/errors.xlsx                OL
    /settings/                                                    OA
    /settings/bank-accounts/                                      OA
    /settings/bank-accounts/<int:pk>/                             O
    /settings/bank-accounts/new/                                  O
    /settings/channels/                                           OA
    /settings/channels/<int:pk>/                                  O
    /settings/channels/<int:pk>/keys/                             O
    /settings/channels/<int:pk>/keys/<int:key_id>/revoke/         O
    /settings/channels/<int:pk>/profiles/<int:profile_id>/delete/ O
    /settings/channels/new/                                       O
    /settings/couriers/                                           OA O
    /settings/couriers/list/                                      OA O
    /settings/couriers/list/<slug:slug>/                          OA O
    /settings/couriers/new/                                       O
    /settings/deadlines/                                          OA O
    /settings/exceptions/                                         OA O
    /settings/holidays/                                           OA O
    /settings/messages/                                           OA O
    /settings/money/                                              OA O
    /settings/packing/                                            OA O
    /settings/pg/                                                 OA
    /settings/pg/<int:pk>/                                        O
    /settings/pg/new/                                             O
    /settings/printers/                                           OA O
    /settings/remote-areas/                                       OA O
    /settings/remote-areas/<int:pk>/                              O
    /settings/shop/                                               OA O
    /settings/shortcuts/                                          OCLFVA
    /settings/tracking/                                           OA O
    /settings/tracking/<int:pk>/                                  O
    /settings/tracking/new/                                       O
    /settings/tracking/rules/                                     OA O
    /settings/tracking/rules/<int:pk>/                            O
    /settings/tracking/rules/<int:pk>/change/                     O
    /settings/tracking/unknown/                                   OA O
    /settings/tracking/unknown/<int:pk>/                          O
    /settings/waybills/                                           OA O
    /settings/waybills/<int:pk>/                                  OA O
    /settings/waybills/new/                                       O
    /settings/waybills/numbers/<int:pk>/                          O
    /shipping/exceptions/<int:pk>/                                OCLVA
    /shipping/exceptions/claims/                                  OCL
    /shipping/print/<slug:number>/                                OL
    /shipping/print/<slug:number>/file/                           OL
    /shipping/waybills/                                           OL
    /shipping/waybills/batches/                                   OL
    /shipping/waybills/batches/<slug:key>/                        OL
    /shipping/waybills/draft/                                     OL
    /shipping/waybills/file/                                      OL
    /shipping/waybills/merges/                                    OCL
    /shipping/waybills/merges/count/                              OCL
    /shipping/waybills/paste/                                     OL
    /shipping/waybills/upload/                                    OL
    /shipping/waybills/upload/<uuid:uuid>/                        OL
    /staff/                                                       OA
    /staff/<int:pk>/                                              OA
    /staff/<int:pk>/disable/                                      O
    /staff/<int:pk>/enable/                                       O
    /staff/<int:pk>/end-sessions/                                 O
    /staff/<int:pk>/link/                                         O
    /staff/<int:pk>/role/                                         O
    /staff/<int:pk>/unlock/                                       O
    /staff/invite/                                                O
"""
"""The other addresses: roles that look, and those that post where they are others. Jobs and acts let everybody come:
the act that they are of decides (below, and tests/core/test_job_pages.py)."""
OF_LIST = ("", "poll/", "counts/", "columns/", "views/", "views/<int:view_id>/<slug:act>/")

ACTS = """
    accept-difference   O
    acknowledge         OCL
    approve-refund      OF
    ask-courier-again   OCL
    ask-couriers        OCL
    ask-difference      OF
    assign-exception    OCL
    attach-notice       OF
    cancel-refund       OC
    cancel-unpaid       OC
    change-method       OCL
    close-exception     OCL
    close-problem       OF
    come-back           OCL
    confirm-payment     OCF
    confirm-payout      OF
    confirm-purchase    OC
    correct-case        OL
    correct-waybill     OL
    deliver             OCL
    force-waybill       O
    hand-over           OCL
    hold                OCL
    hold-refund         OF
    ignore-deposit      OF
    inquire-exception   OCL
    issue-waybills      OL
    lose-parcel         OCL
    make-ready          OCL
    mark-test           OF
    merge-shipments     OCL
    note-exception      OCL
    notify-delay        OC
    pay-refund          OF
    pickup-again        OCL
    pickup-ready        OL
    print-labels        OL
    print-packing       OL
    print-picking       OL
    receive             OCL
    register-rider      OL
    register-waybill    OL
    reissue-account     OCF
    release-hold        OCL
    release-refund      OF
    reopen-deposit      OF
    reopen-exception    OCL
    reopen-problem      OF
    replay-notice       O
    report-bounce       OF
    reprint-labels      OL
    resend              OL
    resend-account      OCF
    resume-parcel       OCL
    retry-refund        OCF
    return-to-preparing OCL
    revert-payment      OF
    revive              OC
    revive-order        OF
    revoke-confirmation OC
    ship                OL
    unallocate-deposit  OF
    tell-buyers         OCL
    tell-case           OCL
    undeliver           OCL
    unmerge-shipments   OCL
    unship              O
    void-waybill        OL
    withdraw-refund     OCF
"""

UPLOADED = """
    list-audit               OA
    list-awaiting-payment    OC
    list-confirmed           OC
    list-delivered           OC
    list-deposits            OF
    list-exceptions          OCL
    list-notices             OF
    list-orders              OC
    list-preparing           OC
    list-problems            OF
    list-ready               OC
    list-receipts            OF
    list-reconciliations     OF
    list-refunds             OF
    list-refused-requests    OF
    list-shipping            OC
    order-file               OC
    statement-upload         OF
    stock-upload             OL
    waybill-upload           OL
"""


def every_address() -> dict[str, tuple[set[Role], set[Role]]]:
    """{route: (roles that look, roles that post)} as the resolver writes routes."""
    found = {route.removeprefix("/"): roles for route, roles in table(ADDRESSES).items()}
    for route, (look, file) in table(LISTS).items():
        found |= {f"{route.removeprefix('/')}{end}": (look, look) for end in OF_LIST}
        found[f"{route.removeprefix('/')}excel/"] = (file, file)
    return found


def table(text: str) -> dict[str, tuple[set[Role], set[Role]]]:
    """{name: (roles that look, roles that post)} of the lines of a table."""
    rows = [line.split() for line in text.strip().splitlines()]
    assert len({row[0] for row in rows}) == len(rows)
    found = {}
    for name, look, *post in rows:
        roles = [{LETTERS[one] for one in letters} for letters in (look, *post)]
        found[name] = (roles[0], roles[-1])
    return found


def ours(register):
    """What the shop registers, without what other tests add."""
    return {name: one for name, one in register.items() if not type(one).__module__.startswith("tests.")}


def pages():
    return [one for one in lists.pages() if not type(one).__module__.startswith("tests.")]


def test_every_address_has_its_line():
    known = {route for route, _ in addresses() if route not in PUBLIC and not route.startswith(KEYED)}
    assert known == every_address().keys()


def test_the_gate_of_a_list_asks_for_the_right_of_its_line():
    """One gate for all addresses of a list, tried over HTTP by the tests of each list: here only what it asks for."""
    views = dict(addresses())
    for route, (look, _) in every_address().items():
        if f"/{route}" not in table(ADDRESSES):
            assert set(permission(permission_of(views[route])).roles) == look, route


@pytest.mark.parametrize("role", Role)
def test_each_role_gets_where_its_line_says_and_nowhere_else(role, make_staff):
    client = Client()
    client.force_login(make_staff(role))
    wrong = []
    for route, allowed in table(ADDRESSES).items():
        for method, roles in zip(("get", "post"), allowed, strict=True):
            status = getattr(client, method)(filled(route.removeprefix("/"))).status_code
            if (status == 403) == (role in roles):
                wrong.append((method, route, status))
    assert wrong == []


def test_every_act_has_its_line():
    assert ours(ACTIONS).keys() == table(ACTS).keys()


@pytest.mark.parametrize("role", Role)
def test_each_role_presses_the_acts_of_its_line_and_no_others(role, make_staff):
    client = Client()
    client.force_login(make_staff(role))
    wrong = []
    for name, (roles, _) in table(ACTS).items():
        page = next((one.name for one in pages() if one.offers(ACTIONS[name])), "orders")
        posted = {"page": page, "mode": "ids", "rows": "1:1"}
        answer = client.post(f"/acts/{name}/", posted, headers={"HX-Request": "true"})
        if (answer.status_code == 403) == (role in roles):
            wrong.append((name, page, answer.status_code))
    assert wrong == []


@pytest.mark.parametrize("role", Role)
def test_a_list_offers_a_role_the_acts_that_it_may_press(role, make_staff):
    user, allowed = make_staff(role), table(ACTS)
    for page in pages():
        shown = {button.name for button in page.buttons(user)}
        assert shown == {name for name, (roles, _) in allowed.items() if role in roles and page.offers(ACTIONS[name])}


def test_every_upload_and_file_asks_for_a_right_of_its_line():
    found = {one.name: set(permission(one.permission).roles) for one in ours(UPLOADS).values()}
    files = {page.name: page.export_permission for page in pages() if page.export_permission}
    found |= {f"list-{name}": set(permission(code).roles) for name, code in files.items()}
    found |= {name: set(permission(one.permission).roles) for name, one in ours(EXPORTS).items() if name not in found}
    assert found == {name: look for name, (look, _) in table(UPLOADED).items()}
