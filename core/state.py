"""State machines: the only place that writes a state.

A model that has a state inherits `StateGuard` and declares one `StateField` named ``state``. Its legal moves are
`@transition` methods of one to three lines. `move()` runs such a method on every row in memory, then writes states,
the method's own timestamps and versions with one guarded UPDATE per pair of states, and calls the model's
`after_move` hook. Why not the mixins of django_fsm: docs/adr/0005-own-state-guard.md.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from itertools import compress
from operator import attrgetter, is_not
from typing import Any, ClassVar, Self

from django.db import connection, models, transaction
from django_fsm import ConcurrentTransition, FSMField, FSMFieldDescriptor, transition

from core.lookups import id_array
from core.rows import QuickRow
from core.summaries import follow, sum_up, summing_up_once

__all__ = [
    "Change",
    "Condition",
    "Outcome",
    "StateField",
    "StateGuard",
    "condition",
    "explain",
    "follow",
    "is_preview",
    "move",
    "one_preview",
    "preview_notes",
    "previewing",
    "summing_up_once",
    "transition",
]

_UNLOCKED = "_state_writable"
_SNAPSHOT = "_state_snapshot"


class _StateDescriptor(FSMFieldDescriptor):
    """Refuses assignment unless this one instance is being refreshed (a flag on the instance, never on the field)."""

    def __get__(self, instance: Any, instance_type: type | None = None) -> Any:
        # Bulk acts ask each row for its state a dozen times.
        known: dict[str, Any] = {} if instance is None else instance.__dict__
        return known[self.field.name] if self.field.name in known else super().__get__(instance, instance_type)

    def __set__(self, instance: Any, value: Any) -> None:
        if self.field.name in instance.__dict__ and not instance.__dict__.get(_UNLOCKED):
            raise AttributeError(f"Direct {self.field.name} modification is not allowed")
        self.field.set_state(instance, value)


class StateField(FSMField):
    """A protected state column: text code, written by `move()` only."""

    descriptor_class = _StateDescriptor

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["protected"] = True
        kwargs.setdefault("max_length", 24)
        super().__init__(*args, **kwargs)

    def get_state(self, instance: Any) -> Any:
        known = instance.__dict__
        return known[self.name] if self.name in known else super().get_state(instance)


class StateGuard(QuickRow):
    """Abstract row with a state and a version; a stale or hand-made state never reaches the database."""

    version = models.PositiveIntegerField("버전", default=0, db_default=0)

    # Bulk acts ask for keys by the hundred thousand; what Django does to find one of any name takes its time.
    pk = property(attrgetter("id"), models.Model._set_pk_val)  # type: ignore[attr-defined]

    event_subject: ClassVar[str] = ""
    """Short name of the machine in the event table ("line", "parcel", "job")."""

    class Meta:
        abstract = True

    @classmethod
    def from_db(cls, db: str | None, field_names: Any, values: Any, **options: Any) -> Self:
        row = super().from_db(db, field_names, values, **options)
        row._remember()
        return row

    def refresh_from_db(self, *args: Any, **kwargs: Any) -> None:
        self.__dict__[_UNLOCKED] = True
        try:
            super().refresh_from_db(*args, **kwargs)
        finally:
            self.__dict__.pop(_UNLOCKED, None)
        self._remember()

    def save(self, *args: Any, **kwargs: Any) -> None:
        super().save(*args, **kwargs)
        self._remember()

    @property
    def event_order_id(self) -> int | None:
        """Order whose history shows this row's events; None for rows without an order."""
        return getattr(self, "order_id", None)

    @classmethod
    def after_move(cls, rows: Sequence[Self], *, at: datetime) -> None:
        """Hook: bring stored summaries of the moved rows up to date, in the same transaction."""

    def wrong_state_reason(self, sources: Sequence[str]) -> str:
        """Korean sentence for a transition that starts in other states than the present one."""
        labels = dict(self._meta.get_field("state").flatchoices)  # type: ignore[union-attr]
        names = "·".join(str(labels[source]) for source in sources)
        return f"{names} 상태가 아닙니다. 지금 상태: {self.state_label}"

    @property
    def state_label(self) -> str:
        return str(self.get_state_display())  # type: ignore[attr-defined]

    def _remember(self) -> None:
        self.__dict__[_SNAPSHOT] = {name: self.__dict__[name] for name in ("state", "version") if name in self.__dict__}

    def _do_update(self, *args: Any, **kwargs: Any) -> Any:
        base_qs, using, pk_val, *rest = args
        snapshot = self.__dict__.get(_SNAPSHOT, {})
        for name, stored in snapshot.items():
            if self.__dict__.get(name, stored) != stored:
                raise ConcurrentTransition(f"{name} of {self._meta.label} {pk_val} is written by core.state.move only")
        updated = super()._do_update(base_qs.filter(**snapshot), using, pk_val, *rest, **kwargs)
        if not updated and base_qs.filter(pk=pk_val).using(using).exists():
            raise ConcurrentTransition(f"{self._meta.label} {pk_val} was changed since it was read")
        return updated


class Condition:
    """A guard of a transition that can say in Korean why it refuses; reads only loaded fields of the row."""

    def __init__(self, text: str, check: Callable[[Any], bool]) -> None:
        self.text = text
        self.check = check
        self.__name__ = check.__name__
        self.__doc__ = check.__doc__

    def __call__(self, row: Any) -> bool:
        return self.check(row)

    def reason(self, row: Any) -> str:
        return self.text.format(self=row)


def condition(text: str) -> Callable[[Callable[[Any], bool]], Condition]:
    """Make a guard out of a predicate; `text` is its Korean refusal, which may name facts as ``{self.fact}``."""

    def make(check: Callable[[Any], bool]) -> Condition:
        return Condition(text, check)

    return make


@dataclass(frozen=True, slots=True)
class Change:
    """One row that moved: from which state to which, and the version the move gave it."""

    row: Any
    from_state: str
    to_state: str
    version: int


@dataclass(slots=True)
class Outcome:
    """What a service did to a set of rows.

    `moved` are the rows that changed (empty in a preview), `possible` those that changed or would change,
    `refused` maps each other id to its Korean reason. Ids that were not found are refused as well. `sums` are totals
    that the preview tells, by names that the act knows.
    """

    possible: list[Any] = field(default_factory=list)
    refused: dict[int, str] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)
    sums: Counter[str] = field(default_factory=Counter)

    @property
    def moved(self) -> list[Any]:
        return [change.row for change in self.changes]

    @property
    def moved_ids(self) -> list[int]:
        return [change.row.pk for change in self.changes]

    def merge(self, other: Outcome) -> Outcome:
        """Add another outcome to this one, for services that act on several groups."""
        self.possible += other.possible
        self.refused.update(other.refused)
        self.changes += other.changes
        self.sums.update(other.sums)
        return self


_preview: ContextVar[bool] = ContextVar("oms_preview", default=False)


def is_preview() -> bool:
    """Whether writes are left out just now."""
    return _preview.get()


_notes: ContextVar[dict[Any, int] | None] = ContextVar("oms_preview_notes", default=None)


@contextmanager
def one_preview() -> Iterator[None]:
    """Several `previewing()` blocks that are one preview: what an earlier one promised is gone for a later one."""
    token = _notes.set({})
    try:
        yield
    finally:
        _notes.reset(token)


def preview_notes() -> dict[Any, int]:
    """What this preview has promised so far, by a key of the promising service; empty outside of `one_preview()`."""
    notes = _notes.get()
    return {} if notes is None or not is_preview() else notes


@contextmanager
def previewing() -> Iterator[None]:
    """Leave out the writes of every `move()` inside: the same locks, rows and conditions, then a rollback."""
    token, notes = _preview.set(True), dict(_notes.get() or {})
    try:
        with transaction.atomic():
            yield
            transaction.set_rollback(True)
    except BaseException:
        if (kept := _notes.get()) is not None:
            kept.clear()
            kept.update(notes)
        raise
    finally:
        _preview.reset(token)


def _label(method: Any, state: str) -> str:
    found = method._django_fsm.get_transition(state) or next(iter(method._django_fsm.transitions.values()))
    return str(found.custom.get("label", method.__name__))


def explain(row: Any, method: Any) -> str | None:
    """Why `method` refuses `row` just now, in Korean, or None when it may run.

    Source: ux.md 6.4 (what, why, what to do); the buttons, the bulk acts and "왜 여기 있나" all ask here.
    """
    meta = method._django_fsm
    way = meta.get_transition(row.state)
    if way is None:
        return str(row.wrong_state_reason(list(meta.transitions)))
    for guard in way.conditions:
        if not guard(row):
            return (
                guard.reason(row)
                if isinstance(guard, Condition)
                else f"{_label(method, row.state)} 조건에 맞지 않습니다."
            )
    return None


def _no_queries(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:  # noqa: FBT001
    raise RuntimeError(f"a transition or its condition ran a query: {sql[:120]}")


def move(
    rows: Sequence[Any],
    method: Any,
    *,
    at: datetime,
    refuse: Mapping[int, str] | None = None,
    per_row: Mapping[int, Mapping[str, Any]] | None = None,
    **facts: Any,
) -> Outcome:
    """Run a transition on locked rows and write the result set-wise.

    `rows` are locked by the caller, with all that the transition and its summaries look at; `refuse` maps ids the
    service already rules out to a Korean reason; `facts` go to every call of the transition, `per_row` to single rows.
    Conditions run on every row in memory and may not query. Raises ConcurrentTransition (rolling the transaction back)
    when a row changed under us, which the locks exclude. Returns an Outcome whose `moved` is empty inside
    `previewing()`.
    """
    if not connection.in_atomic_block:
        raise RuntimeError("move() needs a transaction and locked rows")
    outcome, before = Outcome(), []
    # Without the wrapper of the transition, which would ask again what `explain` has just asked.
    run, way_from, looks_only = method.__wrapped__, method._django_fsm.get_transition, is_preview()
    with connection.execute_wrapper(_no_queries):
        for row in rows:
            reason = (refuse.get(row.pk) if refuse else None) or explain(row, method)
            if reason is not None:
                outcome.refused[row.pk] = reason
                continue
            outcome.possible.append(row)
            if not looks_only:
                old = dict(row.__dict__)
                before.append((row, old))
                result = run(row, at=at, **facts, **(per_row.get(row.pk, {}) if per_row else {}))
                target = way_from(old["state"]).target
                if target is not None:  # a state, or the rule that finds one in the result
                    row.__dict__["state"] = target if isinstance(target, str) else target.get_state(row, method, result)
    if before:
        _write(before)
        for row, old in before:
            row._remember()
            outcome.changes.append(Change(row, old["state"], row.state, row.version))
        sum_up(type(before[0][0]), outcome.moved, at=at)
    return outcome


def _write(before: list[tuple[Any, dict[str, Any]]]) -> None:
    """One guarded UPDATE per (source, target, set of changed columns)."""
    model = type(before[0][0])
    columns = [f for f in model._meta.concrete_fields if not f.primary_key and f.attname not in {"state", "version"}]
    groups: dict[tuple[str, str, tuple[str, ...]], list[tuple[Any, dict[str, Any]]]] = defaultdict(list)
    for row, old in before:
        now = row.__dict__
        # Identity first: nearly every value still is the very object that was read, under the very same keys.
        touched = compress(old, map(is_not, old.values(), map(now.get, old)))
        if len(now) != len(old) and {f.attname for f in columns} & (now.keys() - old.keys()):
            raise RuntimeError(f"{model._meta.label}: a transition set a column that was not read")
        names = tuple(name for name in touched if now.get(name) != old[name])
        groups[(old["state"], now["state"], names)].append((row, old))
    for (source, target, names), members in groups.items():
        changed = tuple(field for field in columns if field.attname in names)
        _update_group(model, source, target, changed, [row for row, _ in members])
        for row, _ in members:
            row.__dict__["version"] += 1


def _update_group(model: Any, source: str, target: str, changed: tuple[Any, ...], rows: list[Any]) -> None:
    table = connection.ops.quote_name(model._meta.db_table)
    sets, joins = ["state = %s", "version = t.version + 1"], []
    params: list[Any] = [str(target)]
    varying: list[tuple[str, list[Any]]] = []
    for column in changed:
        raw = [row.__dict__[column.attname] for row in rows]
        name = connection.ops.quote_name(column.column)
        if all(value is raw[0] or value == raw[0] for value in raw):
            sets.append(f"{name} = %s")
            params.append(column.get_db_prep_save(raw[0], connection))
        else:
            values = [column.get_db_prep_save(value, connection) for value in raw]
            sets.append(f"{name} = v.{name}")
            joins.append((name, column.db_type(connection)))
            varying.append((name, values))
    names = ", ".join(["id", "version", *(name for name, _ in joins)])
    arrays = ", ".join(["%s::bigint[]", "%s::int[]", *(f"%s::{kind}[]" for _, kind in joins)])
    ids, versions = id_array(row.pk for row in rows), id_array(row.version for row in rows)
    params += [ids, versions, *(values for _, values in varying), str(source)]
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {table} t SET {', '.join(sets)} FROM unnest({arrays}) AS v({names})"
            " WHERE t.id = v.id AND t.version = v.version AND t.state = %s",
            params,
        )
        if cursor.rowcount != len(rows):
            raise ConcurrentTransition(
                f"{len(rows) - cursor.rowcount} rows of {model._meta.label} changed under a lock"
            )


def missing(ids: Sequence[int] | set[int], rows: Sequence[Any], *, text: str) -> dict[int, str]:
    """Refusals for the ids that no row was found for."""
    return dict.fromkeys(set(ids) - {row.pk for row in rows}, text)
