"""The books of the courier sandbox: parcels, clock, faults and settings, kept in a SQLite file through any kill."""

import json
import sqlite3
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

_TABLES = """
CREATE TABLE IF NOT EXISTS parcel (
    carrier TEXT, number TEXT, scenario TEXT, timeline TEXT, seen_at REAL, PRIMARY KEY (carrier, number)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS record (
    service TEXT, kind TEXT, key TEXT, value TEXT, PRIMARY KEY (service, kind, key)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS setting (name TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
"""


@dataclass(frozen=True)
class Parcel:
    """One known number: a scenario, or a timeline of its own."""

    carrier: str
    number: str
    scenario: str
    timeline: tuple[dict[str, Any], ...] | None
    seen_at: float


@dataclass
class Settings:
    """What the control API may change; the clock is real while `frozen_at` is None and `offset` is 0."""

    frozen_at: float | None = None
    offset: float = 0.0
    speed: float = 1.0
    is_demo: bool = True
    api_key: str | None = None
    scenario: str | None = None
    """The life of parcels that a service registers from now on; None: by the digits of a demo number, else happy."""
    million_since: float | None = None
    """Since this moment every number that nobody registered lives by its own hash (scenario `million`)."""


class Books:
    """Everything that must outlive the process; reads come from memory, writes go to the file first."""

    def __init__(self, path: Path, *, settings: Settings) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.lock = self._lock = threading.RLock()
        """For what a service reads, decides and writes in one go."""
        self._file = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        # The operating system keeps what was written when this process is killed; only a power cut could lose it.
        self._file.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF;" + _TABLES)
        self._defaults = asdict(settings)
        self.generation = 0
        """Counts the resets: what a service keeps in memory of an older one is worth nothing."""
        self._parcels = {
            (row[0], row[1]): Parcel(row[0], row[1], row[2], _loaded(row[3]), row[4])
            for row in self._file.execute("SELECT carrier, number, scenario, timeline, seen_at FROM parcel")
        }
        self._records: dict[tuple[str, str], dict[str, Any]] = {}
        for service, kind, key, value in self._file.execute("SELECT service, kind, key, value FROM record"):
            self._records.setdefault((service, kind), {})[key] = json.loads(value)
        kept = self.read("settings") or {}
        # The command line decides speed, demo and key; the clock continues where it stood.
        clock = {name: kept[name] for name in ("frozen_at", "offset", "million_since") if name in kept}
        self.settings = Settings(**{**self._defaults, **clock})

    def read(self, name: str) -> Any:
        """A value from the file, or None."""
        with self._lock:
            row = self._file.execute("SELECT value FROM setting WHERE name = ?", (name,)).fetchone()
        return json.loads(row[0]) if row else None

    def write(self, name: str, value: Any) -> None:
        """Put a value into the file."""
        with self._lock:
            self._file.execute("REPLACE INTO setting VALUES (?, ?)", (name, json.dumps(value)))

    def now(self) -> float:
        """Epoch seconds of the virtual clock."""
        settings = self.settings
        return settings.frozen_at if settings.frozen_at is not None else time.time() + settings.offset

    def change(self, **values: Any) -> None:
        """Change settings and keep them."""
        with self._lock:
            self.settings = Settings(**{**asdict(self.settings), **values})
            self.write("settings", asdict(self.settings))

    def advance(self, seconds: float) -> None:
        """Move the clock, frozen or running."""
        with self._lock:
            if self.settings.frozen_at is not None:
                self.change(frozen_at=self.settings.frozen_at + seconds)
            else:
                self.change(offset=self.settings.offset + seconds)

    def find(self, carrier: str, number: str) -> Parcel | None:
        """The parcel, or None."""
        return self._parcels.get((carrier, number))

    def add(self, parcels: Iterable[Parcel]) -> int:
        """Store parcels in one transaction, replacing those of the same number; returns how many."""
        rows = list(parcels)
        with self._lock:
            self._file.execute("BEGIN")
            self._file.executemany("REPLACE INTO parcel VALUES (?, ?, ?, ?, ?)", map(_row, rows))
            self._file.execute("COMMIT")
            self._parcels.update({(parcel.carrier, parcel.number): parcel for parcel in rows})
        return len(rows)

    def of_carrier(self, carrier: str) -> list[Parcel]:
        """Every known parcel of a carrier, oldest first since the start."""
        with self._lock:
            return [parcel for (owner, _), parcel in self._parcels.items() if owner == carrier]

    def newest(self) -> list[Parcel]:
        """Every known parcel, the one that changed last first."""
        with self._lock:
            return sorted(self._parcels.values(), key=lambda parcel: parcel.seen_at, reverse=True)

    def first_sight(self, carrier: str, number: str, scenario: str) -> Parcel:
        """Open the life of a demo parcel now, unless another request was faster."""
        with self._lock:
            known = self._parcels.get((carrier, number))
            if known is None:
                known = Parcel(carrier, number, scenario, None, self.now())
                self.add([known])
            return known

    def record(self, service: str, kind: str, key: str) -> Any:
        """What a service put there, or None; never change it in place."""
        return self._records.get((service, kind), {}).get(key)

    def records(self, service: str, kind: str) -> dict[str, Any]:
        """All of a kind by key, oldest first since the start; a copy."""
        with self._lock:
            return dict(self._records.get((service, kind), {}))

    def put(self, service: str, kind: str, values: Mapping[str, Any]) -> None:
        """Keep JSON under keys, in one transaction; None forgets a key."""
        with self._lock:
            kept = self._records.setdefault((service, kind), {})
            self._file.execute("BEGIN")
            for key, value in values.items():
                if value is None:
                    self._file.execute("DELETE FROM record WHERE service=? AND kind=? AND key=?", (service, kind, key))
                    kept.pop(key, None)
                else:
                    text = json.dumps(value)
                    self._file.execute("REPLACE INTO record VALUES (?, ?, ?, ?)", (service, kind, key, text))
                    kept[key] = json.loads(text)
            self._file.execute("COMMIT")

    def option(self, service: str, name: str, default: Any) -> Any:
        """An option of a service that the control API set, or its value at the start."""
        found = self.record(service, "option", name)
        return default if found is None else found["value"]

    def count(self) -> int:
        """How many parcels are known."""
        return len(self._parcels)

    def reset(self) -> None:
        """Empty books, and the settings of the command line."""
        with self._lock:
            self._file.execute("DELETE FROM parcel")
            self._file.execute("DELETE FROM record")
            self._file.execute("DELETE FROM setting")
            self._parcels.clear()
            self._records.clear()
            self.generation += 1
            self.settings = Settings(**self._defaults)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._file.close()


def _loaded(text: str | None) -> tuple[dict[str, Any], ...] | None:
    return tuple(json.loads(text)) if text else None


def _row(parcel: Parcel) -> tuple[Any, ...]:
    timeline = None if parcel.timeline is None else json.dumps(parcel.timeline)
    return (parcel.carrier, parcel.number, parcel.scenario, timeline, parcel.seen_at)
