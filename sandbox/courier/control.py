"""The control API of the courier sandbox under /__control/: what tests and the demo shop arrange behind its back."""

import threading
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sandbox.courier.books import Books, Parcel
from sandbox.courier.carriers import CARRIERS
from sandbox.courier.faults import Faults
from sandbox.courier.service import Service
from sandbox.courier.timeline import KST, SCENARIOS, parse_time

LOG_SIZE = 20_000


class Journal:
    """What was asked: the newest requests, and counts since the last reset."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        with self._lock:
            self._log: deque[dict[str, Any]] = deque(maxlen=LOG_SIZE)
            self._counts: Counter[str] = Counter()
            self._open, self._most_open = 0, 0

    def enter(self) -> None:
        """A request begins."""
        with self._lock:
            self._open += 1
            self._most_open = max(self._most_open, self._open)

    def leave(self, entry: dict[str, Any]) -> None:
        """A request ends; `entry` says what it was."""
        with self._lock:
            self._open = max(0, self._open - 1)
            self._log.append(entry)
            for key in ("service", "operation", "carrier", "answer", "fault"):
                if entry.get(key):
                    self._counts[f"{key}:{entry[key]}"] += 1
            self._counts["requests"] += 1

    def counts(self) -> dict[str, int]:
        """requests, most_open, and service:, operation:, carrier:, answer:, fault: counts."""
        with self._lock:
            return {"requests": 0, **self._counts, "most_open": self._most_open}

    def newest(self, *, number: str | None, limit: int) -> list[dict[str, Any]]:
        """Entries, oldest first, of one number or of all."""
        with self._lock:
            entries = [entry for entry in self._log if number is None or entry["number"] == number]
        return entries[-limit:]


class Control:
    """Answers /__control/<name>; every method takes the JSON body (or the query) and returns JSON."""

    def __init__(self, books: Books, faults: Faults, journal: Journal, services: Iterable[Service]) -> None:
        self._books, self._faults, self._journal = books, faults, journal
        self._services = {service.name: service for service in services}
        self._routes: Mapping[tuple[str, str], Callable[[dict[str, Any]], Any]] = {
            ("POST", "reset"): self._reset,
            ("POST", "parcels"): self._add_parcels,
            ("POST", "scenario"): self._load_scenario,
            ("GET", "clock"): self._clock,
            ("POST", "clock"): self._set_clock,
            ("POST", "config"): self._configure,
            ("GET", "service"): self._service,
            ("POST", "service"): self._set_service,
            ("GET", "faults"): lambda query: self._faults.listed(),
            ("POST", "faults"): self._faults.add,
            ("DELETE", "faults"): self._lift_faults,
            ("GET", "log"): self._log,
            ("GET", "counters"): lambda query: self._journal.counts(),
        }

    def answer(self, method: str, name: str, values: Any) -> tuple[int, Any]:
        """Status and JSON of one control request; a wrong request is 400 and changes nothing."""
        route = self._routes.get((method, name))
        if route is None:
            return 404, {"error": f"no control {method} {name}"}
        try:
            if not isinstance(values, dict):
                raise ValueError("the body must be a JSON object")
            return 200, route(values)
        except (ValueError, TypeError, KeyError, OverflowError) as problem:
            return 400, {"error": f"{type(problem).__name__}: {problem}"}

    def _reset(self, values: dict[str, Any]) -> dict[str, Any]:
        self._faults.remove()
        self._books.reset()
        self._journal.reset()
        return {"ok": True}

    def _add_parcels(self, values: dict[str, Any]) -> dict[str, Any]:
        rows = values.get("parcels", [values])
        return {"added": self._books.add([self._parcel(row) for row in rows])}

    def _parcel(self, row: dict[str, Any]) -> Parcel:
        timeline, scenario = row.get("timeline"), row.get("scenario", "happy")
        if row["carrier"] not in CARRIERS:
            raise ValueError(f"unknown carrier {row['carrier']!r}")
        if scenario not in SCENARIOS:
            raise ValueError(f"unknown scenario; one of {', '.join(SCENARIOS)}")
        for item in timeline or ():
            if item.get("at") is not None:
                parse_time(item["at"])
            float(item.get("after", 0))
        started = parse_time(row["started_at"]) if "started_at" in row else self._books.now()
        return Parcel(
            row["carrier"], str(row["number"]), scenario, None if timeline is None else tuple(timeline), started
        )

    def _load_scenario(self, values: dict[str, Any]) -> dict[str, Any]:
        return self._add_parcels({"parcels": [{**values, "number": number} for number in values["numbers"]]})

    def _clock(self, values: dict[str, Any]) -> dict[str, Any]:
        settings = self._books.settings
        now = datetime.fromtimestamp(self._books.now(), KST).isoformat(timespec="milliseconds")
        return {"now": now, "is_frozen": settings.frozen_at is not None, "speed": settings.speed}

    def _set_clock(self, values: dict[str, Any]) -> dict[str, Any]:
        """now: freeze there; advance: move by seconds; real: true goes back to the true time."""
        if values.get("real"):
            self._books.change(frozen_at=None, offset=0.0)
        if "now" in values:
            self._books.change(frozen_at=parse_time(values["now"]), offset=0.0)
        if "advance" in values:
            self._books.advance(float(values["advance"]))
        return self._clock({})

    def _configure(self, values: dict[str, Any]) -> dict[str, Any]:
        """speed, is_demo, api_key (null: no key needed), scenario of new parcels (null: by digits), million (bool)."""
        unknown = values.keys() - {"speed", "is_demo", "api_key", "scenario", "million"}
        if unknown or float(values.get("speed", 1)) <= 0:
            raise ValueError("speed must be above 0; known are speed, is_demo, api_key, scenario, million")
        if values.get("scenario") not in {None, *SCENARIOS}:
            raise ValueError(f"unknown scenario; one of {', '.join(SCENARIOS)}")
        if "million" in values:
            values = {**values, "million_since": self._books.now() if values["million"] else None}
        self._books.change(**{name: value for name, value in values.items() if name != "million"})
        return {name: value for name, value in asdict(self._books.settings).items() if name != "api_key"}

    def _service(self, values: dict[str, Any]) -> dict[str, Any]:
        """The options of one service (`name`) as they are."""
        service = self._services[values["name"]]
        return {name: service.option(name) for name in service.options}

    def _set_service(self, values: dict[str, Any]) -> dict[str, Any]:
        """Change options of the service `name`."""
        service = self._services[values["name"]]
        given = {name: value for name, value in values.items() if name != "name"}
        if given.keys() - service.options.keys():
            raise ValueError(f"unknown option; known are {', '.join(service.options)}")
        self._books.put(service.name, "option", {name: {"value": value} for name, value in given.items()})
        return self._service(values)

    def _lift_faults(self, values: dict[str, Any]) -> dict[str, Any]:
        return {"removed": self._faults.remove(int(values["id"]) if "id" in values else None)}

    def _log(self, values: dict[str, Any]) -> list[dict[str, Any]]:
        return self._journal.newest(number=values.get("number"), limit=int(values.get("limit", 200)))
