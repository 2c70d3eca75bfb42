"""Every kind of tracking account, opened as in production and asked by a lane, at the twin of its service."""

from datetime import timedelta

import pytest

from accounts.roles import Role
from shipping.models import Parcel, TrackingAccount, TrackingEvent, TrackingPoll
from shipping.services.polling import lanes, polls
from shipping.services.polling.sources import KIND_OF, KINDS, kind_of
from shipping.services.tracking import asking
from shipping.states import TrackingStage
from tests.fixtures.orders import NOW
from tests.infra.cj import BUSINESS, CUSTOMER
from tests.shipping.issuing_samples import HANJIN_KEYS

LATER = NOW + timedelta(days=1)
DONE = {"at": (NOW + timedelta(hours=6)).isoformat(), "code": "DELIVERED", "name": "배송완료", "place": "서울"}
TAKEN = {"at": (NOW + timedelta(hours=4)).isoformat(), "code": "AT_PICKUP", "name": "집화처리", "place": "서울"}
CASES = {
    "tracker_delivery": ("", {}, "CJGLS", "kr.cjlogistics", "680000000011", {}, {}),
    "sweettracker": (
        "/sweettracker", {"api_key": "sandbox-sweettracker-key"}, "CJGLS", "kr.cjlogistics", "680000000011", {}, {},
    ),
    "cj": (
        "/cj", {"customer": CUSTOMER, "business": BUSINESS}, "CJGLS", "kr.cjlogistics", "680000000011",
        {"cj": "11"}, {"cj": "91"},
    ),
    "hanjin": ("/hanjin", HANJIN_KEYS, "HANJIN", "kr.hanjin", "400000000013", {"hanjin": "11"}, {"hanjin": "66"}),
    "epost": (
        "/epost", {"api_key": "sandbox-epost-trace-key"}, "EPOST", "kr.epost", "6800000000001",
        {"name": "집하완료"}, {"name": "배달완료"},
    ),
    "epost_open": (
        "/epost", {"api_key": "sandbox-epost-open-key=="}, "EPOST", "kr.epost", "6800000000001",
        {"name": "집하완료"}, {"name": "배달완료"},
    ),
}  # fmt: skip


@pytest.fixture
def arranged(tracker):
    tracker.control("config", is_demo=False)
    tracker.control("clock", now=LATER.isoformat())
    return tracker


def test_every_kind_has_its_twin_here():
    assert CASES.keys() == KINDS.keys()


@pytest.mark.parametrize("kind", CASES)
def test_a_lane_asks_by_every_kind_and_its_rules_read_the_answer(kind, make_sent, arranged, db):
    path, options, courier, carrier, number, taken, done = CASES[kind]
    account = TrackingAccount(
        code=f"{kind}-7", kind=kind, name=kind, base_url=f"{arranged.base_url}{path}", is_sandbox=True
    )
    account.set_options(options)
    account.save()
    KIND_OF.forget()
    assert kind_of(account.code) == kind
    arranged.control("parcels", carrier=carrier, number=number, timeline=[TAKEN | taken, DONE | done])
    make_sent(1)
    Parcel.objects.update(courier=courier, waybill=number)
    TrackingPoll.objects.update(courier=courier, waybill=number, next_poll_at=LATER)
    assert asking.poll_due(at=LATER) == 1
    assert TrackingPoll.objects.get().last_error == ""
    assert Parcel.objects.get().stage == TrackingStage.DELIVERED
    stored = TrackingEvent.objects.order_by("at", "seq").values_list("source", "stage")
    assert set(stored) == {(account.code, "PICKED_UP"), (account.code, "DELIVERED")}


def test_a_refused_code_leaves_the_courier_to_its_own_api(db):
    """What a service does not know is no fault of the courier: the next kind of its route asks."""
    for kind in ("tracker_delivery", "hanjin"):
        TrackingAccount.objects.create(code=kind, kind=kind, name=kind, base_url="https://x.example")
    assert [one.kind for one in lanes.routes_now()["HANJIN"]] == ["tracker_delivery", "hanjin"]
    lanes.note_refused_code(slug="HANJIN", system="tracker_delivery", at=NOW)
    assert [one.kind for one in lanes.routes_now()["HANJIN"]] == ["hanjin"]
    assert "HANJIN" in polls.asked_couriers()


@pytest.mark.parametrize("kind", KINDS)
def test_the_form_of_a_new_account_asks_for_the_keys_of_its_kind(kind, sign_in):
    owner = sign_in(Role.OWNER)
    page = owner.get(f"/settings/tracking/new/?kind={kind}").content.decode()
    assert all(f'name="{name}"' in page for name, _ in KINDS[kind].keys)
    given = {
        "kind": kind, "name": "계정", "base_url": "https://x.example", "per_second": "", "per_day": "",
        "min_minutes": "", "concurrency": "4", "is_active": "on",
    }  # fmt: skip
    keys = {name: f"secret-{name}" for name, _ in KINDS[kind].keys}
    if KINDS[kind].needs_key:
        assert owner.post("/settings/tracking/new/", given).status_code == 422
        assert not TrackingAccount.objects.exists()
    assert owner.post("/settings/tracking/new/", given | keys).status_code == 302
    one = TrackingAccount.objects.get()
    assert (one.kind, one.options()) == (kind, keys)
    assert "secret-" not in owner.get(f"/settings/tracking/{one.pk}/").content.decode()
