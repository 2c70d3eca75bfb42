"""The table of rights, spelt out: one letter per role, as reliability.md 4.1 has it."""

import pytest

from accounts.roles import PERMISSIONS, Role, may, permission

LETTERS = dict(
    zip("OCLFVA", [Role.OWNER, Role.CS, Role.LOGISTICS, Role.FINANCE, Role.VIEWER, Role.AUDITOR], strict=True)
)
MATRIX = """
    orders.view                 OCLFVA
    orders.create               OC
    orders.import               OC
    orders.confirm_payment      OCF
    orders.cancel_unpaid        OC
    payments.resend_account     OCF
    payments.reissue_account    OCF
    payments.confirm_virtual    OF
    orders.acknowledge          OCL
    orders.prepare              OCL
    orders.hold                 OCL
    orders.change_address       OC
    orders.split                OCL
    orders.memo                 OCLF
    orders.delay                OC
    orders.find_people          OCA
    orders.find_depositor       F
    orders.reveal               OC
    orders.export               OC
    orders.confirm_purchase     OC
    orders.revoke_confirmation  OC
    orders.cancel               OC
    payments.view_refund        OCFA
    payments.reveal_account     OCF
    payments.request_refund     OCF
    payments.approve_refund     OF
    payments.approve_own_refund O
    payments.pay_refund         OF
    payments.revert             OF
    payments.view_deposits      OCF
    payments.match_deposits     OF
    payments.view_notices       OCFA
    payments.replay_event       O
    payments.sync               OCF
    payments.view_problems      OCFA
    payments.resolve_problem    OF
    payments.accept_difference  O
    payments.view_receipts      OCFA
    payments.view_reconciliations OFA
    payments.export             OF
    shipping.register_waybill   OL
    shipping.export_waybill     OL
    shipping.abandon_number     O
    shipping.force_waybill      O
    shipping.pack               OL
    shipping.print              OL
    shipping.view_recipient     L
    shipping.ship               OL
    shipping.unship             O
    shipping.deliver            OCL
    shipping.tell_buyer         OCL
    shipping.view_exceptions    OCLVA
    shipping.resolve_exception  OCL
    shipping.resend             OL
    shipping.abandon_number     O
    products.view               OCLFVA
    products.edit               OC
    products.adjust_stock       OL
    channels.map                OC
    channels.edit               O
    templates.edit              OL
    jobs.view                   OCLFA
    deadletters.view            OCLFA
    deadletters.retry           O
    settings.view               OA
    settings.edit               O
    accounts.view               OA
    accounts.manage             O
    audit.view                  OA
"""
EXPECTED = {code: {LETTERS[one] for one in letters} for code, letters in map(str.split, MATRIX.strip().splitlines())}


def test_every_role_has_exactly_the_rights_of_the_matrix():
    assert {code: set(row.roles) for code, row in PERMISSIONS.items()} == EXPECTED


def test_every_right_has_a_korean_name_of_its_own():
    labels = [row.label for row in PERMISSIONS.values()]
    assert len(set(labels)) == len(labels)
    assert all(any("가" <= char <= "힣" for char in label) for label in labels)


def test_an_unknown_right_is_a_mistake_and_no_refusal():
    with pytest.raises(LookupError):
        may(Role.OWNER, "orders.everything")
    with pytest.raises(LookupError):
        permission("")


@pytest.mark.parametrize("role", Role)
def test_a_person_answers_from_the_table(make_staff, role):
    user = make_staff(role)
    assert {code for code in PERMISSIONS if user.has_perm(code)} == {
        code for code, roles in EXPECTED.items() if role in roles
    }
    assert user.has_perms(["orders.view", "products.view"])
    assert user.has_module_perms("deadletters") == (role != Role.VIEWER)


def test_a_disabled_person_has_no_right(make_staff):
    user = make_staff(Role.OWNER, is_active=False)
    assert not any(user.has_perm(code) for code in PERMISSIONS)
    assert not user.has_module_perms("orders")
