"""One parcel behind every courier service, numbers that are given once, and books that outlive a kill."""

import threading
from datetime import timedelta

from shipping.adapters.epost_issue import EpostIssuer
from shipping.adapters.epost_tracking import EpostOpen, EpostTrace
from shipping.adapters.hanjin_issue import HanjinIssuer
from shipping.adapters.hanjin_tracking import HanjinTracking
from shipping.adapters.hanjin_wire import HanjinHost
from shipping.adapters.issuing import IssueOutcome
from shipping.adapters.sweettracker import SweetTracker
from shipping.adapters.tracker_delivery import TrackerDelivery
from tests.infra.tracker import RunningTracker
from tests.shipping.issuing_samples import START, VirtualClock, a_box, client_of

BOX = a_box()


def epost_issuer(tracker, clock):
    return EpostIssuer(
        client_of(tracker, "epost"),
        key="sandbox-epost-key-000000000000",
        security_key="sandbox-epost-security-key",
        cust_no="0000000001",
        appr_no="0000000001",
        office_ser="260000001",
        content_code="029",
        now=clock.now,
    )


def hanjin_host(tracker, clock):
    return HanjinHost(
        client_of(tracker, "hanjin"),
        client_id="SANDBOX",
        api_key="sandbox-hanjin-api-key",
        secret_key="sandbox-hanjin-secret-key",
        now=clock.now,
    )


def told(source, carrier, number):
    """When the parcel was delivered, and how many scans the source tells."""
    result = source.track(carrier=carrier, number=number)
    return result.events[-1].at, len(result.events)


def test_a_parcel_of_the_post_office_is_the_same_in_every_service(tracker):
    tracker.control("config", is_demo=False)
    clock = VirtualClock(tracker)
    number = epost_issuer(tracker, clock).register(box=BOX, number="").number
    clock.set(START + timedelta(days=2))
    delivered = START + timedelta(hours=29)
    # Trace services tell minutes, without seconds.
    assert told(TrackerDelivery(client_of(tracker, "")), "kr.epost", number) == (delivered, 6)
    assert told(SweetTracker(client_of(tracker, "sweettracker"), key="sandbox-sweettracker-key"), "01", number) == (
        delivered,
        6,
    )
    trace = EpostTrace(client_of(tracker, "epost"), key="sandbox-epost-trace-key")
    assert told(trace, "trace", number) == (delivered, 6)
    portal = EpostOpen(client_of(tracker, "epost"), key="sandbox-epost-open-key==")
    assert told(portal, "trace", number) == (delivered, 6)


def test_a_parcel_of_hanjin_is_the_same_in_every_service(tracker):
    tracker.control("config", is_demo=False)
    clock = VirtualClock(tracker)
    host = hanjin_host(tracker, clock)
    issuer = HanjinIssuer(host, host, contract_no="9000001")
    number = issuer.allocate(boxes=[BOX])[0].number
    assert issuer.register(box=BOX, number=number).outcome == IssueOutcome.OK
    clock.set(START + timedelta(days=2))
    delivered = START + timedelta(hours=29)
    assert told(TrackerDelivery(client_of(tracker, "")), "kr.hanjin", number)[0] == delivered
    assert told(HanjinTracking(host), "hanjin", number)[0] == delivered
    sweet = SweetTracker(client_of(tracker, "sweettracker"), key="sandbox-sweettracker-key")
    assert told(sweet, "05", number)[0] == delivered


def test_eight_at_once_get_different_numbers(tracker):
    clock = VirtualClock(tracker)
    host = hanjin_host(tracker, clock)
    numbers, lock = [], threading.Lock()

    def work(part):
        issuer = HanjinIssuer(host, host, contract_no="9000001")
        issued = issuer.allocate(boxes=[a_box(f"S-{part}-{index}") for index in range(50)])
        with lock:
            numbers.extend(one.number for one in issued)

    threads = [threading.Thread(target=work, args=(part,)) for part in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(numbers) == len(set(numbers)) == 400
    assert all(numbers)


def test_bookings_outlive_a_kill_and_numbers_go_on_after_it(tmp_path):
    state = tmp_path / "books.sqlite3"
    first = RunningTracker(state, "--speed", "1", "--no-demo")
    clock = VirtualClock(first)
    booked = epost_issuer(first, clock).register(box=BOX, number="").number
    host = hanjin_host(first, clock)
    printed = HanjinIssuer(host, host, contract_no="9000001").allocate(boxes=[BOX])[0].number
    first.kill()
    with RunningTracker.running(state, "--speed", "1", "--no-demo") as second:
        again = epost_issuer(second, clock)
        assert again.look_up(box=BOX, number=booked).outcome == IssueOutcome.OK
        assert again.register(box=a_box("S-2"), number="").number not in {"", booked}
        host = hanjin_host(second, clock)
        issuer = HanjinIssuer(host, host, contract_no="9000001")
        assert issuer.allocate(boxes=[a_box("S-2")])[0].number not in {"", printed}
        assert issuer.register(box=BOX, number=printed).outcome == IssueOutcome.OK
