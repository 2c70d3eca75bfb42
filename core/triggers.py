"""Database triggers that hold the state machines: legal jumps, legal first states, a version that counts the moves.

The pairs come from the app's `states.py`; a test compares them with the `@transition` methods.
A transaction that loads finished rows (seed, move-in) sets ``oms.bulk_load`` for itself to skip the first-state rule.
"""

from collections.abc import Iterable

import pgtrigger
from django.conf import settings

EVENT_TABLE = str(settings.OMS_EVENT_MODEL).replace(".", "_").lower()
BULK_LOAD = "SELECT set_config('oms.bulk_load', 'on', true)"


def _quoted(values: Iterable[str]) -> str:
    return ", ".join(f"'{value}'" for value in values)


def state_triggers(*, pairs: Iterable[tuple[str, str]], initial: Iterable[str]) -> list[pgtrigger.Trigger]:
    """Triggers for one machine table.

    `pairs` are the legal (from, to) states, `initial` the states a row may be inserted in. An UPDATE that changes the
    state must also add 1 to the version, so that no change hides from the event table (architecture.md 1, rule 2).
    """
    legal = ", ".join(f"('{source}', '{target}')" for source, target in sorted({(str(a), str(b)) for a, b in pairs}))
    return [
        pgtrigger.Trigger(
            name="legal_move",
            operation=pgtrigger.Update,
            when=pgtrigger.Before,
            condition=pgtrigger.Q(old__state__df=pgtrigger.F("new__state")),
            func=f"""
                IF (OLD.state, NEW.state) NOT IN ({legal}) THEN
                    RAISE EXCEPTION 'illegal move of % %: % to %', TG_TABLE_NAME, OLD.id, OLD.state, NEW.state
                        USING ERRCODE = 'check_violation';
                END IF;
                IF NEW.version <> OLD.version + 1 THEN
                    RAISE EXCEPTION 'move of % % without its version', TG_TABLE_NAME, OLD.id
                        USING ERRCODE = 'check_violation';
                END IF;
                RETURN NEW;
            """,
        ),
        pgtrigger.Trigger(
            name="first_state",
            operation=pgtrigger.Insert,
            when=pgtrigger.Before,
            func=f"""
                IF NEW.state NOT IN ({_quoted(str(s) for s in initial)})
                   AND COALESCE(current_setting('oms.bulk_load', true), '') <> 'on' THEN
                    RAISE EXCEPTION 'a row of % may not begin as %', TG_TABLE_NAME, NEW.state
                        USING ERRCODE = 'check_violation';
                END IF;
                RETURN NEW;
            """,
        ),
    ]


def told_triggers(subject: str) -> list[pgtrigger.Trigger]:
    """이력 없는 상태 변경 거절: a commit fails when a state changed and no event names that row and version.

    `subject` is the machine's name in the event table. Checked at the commit, because a service records its events
    after the move; rows that are inserted in a later state (seed, move-in) bring their history along and are not asked.
    """
    return [
        pgtrigger.Trigger(
            name="told",
            operation=pgtrigger.Update,
            when=pgtrigger.After,
            timing=pgtrigger.Deferred,
            condition=pgtrigger.Q(old__state__df=pgtrigger.F("new__state")),
            func=f"""
                IF NOT EXISTS (SELECT 1 FROM {EVENT_TABLE}
                               WHERE subject = '{subject}' AND subject_id = NEW.id AND version = NEW.version) THEN
                    RAISE EXCEPTION 'move of % % to % without its event', TG_TABLE_NAME, NEW.id, NEW.state
                        USING ERRCODE = 'check_violation';
                END IF;
                RETURN NULL;
            """,
        )
    ]


def append_only() -> list[pgtrigger.Trigger]:
    """History tables: no row is changed or deleted by application code."""
    return [pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete)]
