"""The life of a parcel, whichever service is asked about it."""

from sandbox.courier.books import Books, Parcel
from sandbox.courier.carriers import is_demo_number
from sandbox.courier.timeline import BY_HASH, Scan, demo_scenario, hashed_life, scans


def life(books: Books, carrier: str, number: str) -> Parcel | None:
    """The parcel, or None; a demo number begins to live when it is first asked about."""
    parcel = books.find(carrier, number)
    if parcel is not None:
        return parcel
    settings = books.settings
    if settings.million_since is not None:
        return Parcel(carrier, number, BY_HASH, None, settings.million_since)
    if settings.is_demo and is_demo_number(carrier, number):
        return books.first_sight(carrier, number, demo_scenario(number))
    return None


def begin(books: Books, carrier: str, number: str) -> Parcel:
    """A service was told of this parcel: its life begins now, by the scenario that the control API or its digits chose.

    A number that lives already keeps its life.
    """
    with books.lock:
        known = books.find(carrier, number)
        if known is None:
            by_digits = demo_scenario(number) if books.settings.is_demo else "happy"
            known = Parcel(carrier, number, books.settings.scenario or by_digits, None, books.now())
            books.add([known])
        return known


def happened(books: Books, parcel: Parcel, *, until: float | None = None) -> list[Scan]:
    """What has happened to it until now, or will have until another moment (epoch seconds), oldest first."""
    scenario, seen_at = parcel.scenario, parcel.seen_at
    if scenario == BY_HASH:
        scenario, hours = hashed_life(parcel.number)
        seen_at -= hours * 3600 / books.settings.speed
    return scans(
        scenario=scenario,
        timeline=parcel.timeline,
        seen_at=seen_at,
        now=books.now() if until is None else until,
        speed=books.settings.speed,
    )
