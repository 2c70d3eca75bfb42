"""송장 파일 미리보기: a verdict for every row of a result file, found out on the path that applies it.

What needs a person's own tick: a suggestion for a row without a key, a proposal of a word in the number cell, and 합포
for one number on several shipments of one receiver. Nothing is written.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.utils import timezone

from core.chunks import CHUNK, batched
from core.jobs.uploads import UploadRow
from core.korean import josa, particle
from core.lookups import Among
from core.masking import mask_name, mask_phone
from core.state import Outcome, previewing
from shipping.couriers import courier_name
from shipping.excel.matching import ONE_BOX, SAME_NUMBER, Sheet, match
from shipping.excel.results import HOLD, ResultRow
from shipping.models import Shipment, ShipmentStep
from shipping.services import methods
from shipping.services.files.suggesting import Candidate, Wanted, registered_rows, suggest
from shipping.services.merges import merging
from shipping.services.numbers import waybills
from shipping.services.numbers.waybills import Registered, WaybillEntry
from shipping.states import DeliveryMethod

HELD_ALREADY = "이미 배송보류"
WORD = "{place} 칸에 '{word}'{particle} 적혀 있습니다. 선택하면 {does}."
BOX = "받는 분이 같은 배송건 {}개에 같은 송장번호입니다. 합포장하면 이 번호 하나로 등록합니다. (파일의 {}행)"
WITH = "파일의 {:,}행을 고르면 함께 합포장합니다."
NO_NUMBER = "송장번호가 없습니다."
WORD_ALONE = "송장번호 칸에 번호 대신 말이 적혀 있습니다. 배송번호를 넣어 다시 올려 주세요."
NOBODY = "받는 분이 맞는 배송건을 찾지 못했습니다. 배송번호를 넣어 다시 올려 주세요."
ONE = "받는 분으로 찾은 제안입니다. {why} (확신 {confidence}). 맞으면 선택하세요."
SEVERAL = "받는 분이 맞는 배송건이 여럿이거나 다른 행에도 있습니다. 맞는 배송건을 고르세요."
MOST_CANDIDATES = 10


def preview(rows: Sequence[ResultRow], *, ship: bool, actor: Any) -> list[UploadRow]:
    """미리보기: a verdict for every row of a file with keys; `ship` = the numbers are to be sent as well."""
    sheet, at = match(rows), timezone.now()
    boxed = {sheet.shipment_of[row.row_number] for box in sheet.boxes.values() for row in box}
    words = {pk: row.proposal for pk, row in sheet.first.items() if row.proposal}
    plain = [pk for pk in sorted(sheet.first) if pk not in boxed and pk not in words]
    done = registered({pk: _entry(sheet.first[pk]) for pk in plain}, actor=actor, at=at)
    refused = _box_refusals(sheet, actor=actor, at=at) | _word_refusals(words, actor=actor, at=at)
    numbers = Shipment.objects.filter(Among("pk", set(sheet.shipment_of.values())))
    shown = {row[0]: row for row in numbers.values_list("pk", "number", "waybill", "courier", "step")}
    return [_upload_row(row, sheet, done, refused, shown, ship=ship) for row in rows]


def _entry(row: ResultRow) -> WaybillEntry:
    return WaybillEntry(row.courier, row.waybill)


def registered(entries: Mapping[int, WaybillEntry], *, actor: Any, at: datetime) -> Registered:
    """등록해 보기: what registering would say."""
    whole = Registered()
    # Nothing is written meanwhile, so many more than usual still let others wait for no longer than an apply does.
    for chunk in batched(sorted(entries), 4 * CHUNK):
        with previewing():
            part = waybills.register_waybills(entries={pk: entries[pk] for pk in chunk}, actor=actor, at=at)
        whole.possible += part.possible
        whole.unchanged += part.unchanged
        whole.refused |= part.refused
        whole.warnings |= part.warnings
        whole.differs |= part.differs
    return whole


def _box_refusals(sheet: Sheet, *, actor: Any, at: datetime) -> dict[int, str]:
    """Why boxes cannot be made, by shipment: as one, the number is refused or the shipments may not be merged."""
    refused: dict[int, str] = {}
    boxes = {box[0].row_number: box for box in sheet.boxes.values()}
    for box in boxes.values():
        ids = [sheet.shipment_of[row.row_number] for row in box]
        with previewing():
            merged = merging.merge_shipments(shipment_ids=ids, actor=actor, at=at)
        done = registered({ids[0]: _entry(box[0])}, actor=actor, at=at)
        reason = next(iter([*merged.refused.values(), *done.refused.values()]), "")
        if reason:
            for row, pk in zip(box, ids, strict=True):
                twin = next(other for other in box if other is not row)
                refused[pk] = f"{SAME_NUMBER.format(twin.row_number)}{ONE_BOX} {merged.refused.get(pk) or reason}"
    return refused


def _word_refusals(words: Mapping[int, str], *, actor: Any, at: datetime) -> dict[int, str]:
    """Why proposals cannot be followed, by shipment."""
    refused: dict[int, str] = {}
    by_word: dict[str, list[int]] = defaultdict(list)
    for pk, word in words.items():
        by_word[word].append(pk)
    for word, ids in by_word.items():
        with previewing():
            refused |= propose(word, ids, actor=actor, at=at, reason="").refused
    return refused


def propose(proposal: str, shipment_ids: Collection[int], *, reason: str, **facts: Any) -> Outcome:
    """제안대로 하기: the delivery method that a word names, or 배송보류; the outcome is about shipments."""
    if proposal != HOLD:
        return methods.change_method(shipment_ids=shipment_ids, method=DeliveryMethod(proposal), reason=reason, **facts)
    return methods.hold_shipments(shipment_ids=shipment_ids, reason=reason, **facts)


def _upload_row(
    row: ResultRow, sheet: Sheet, done: Registered, refused: Mapping[int, str], shown: Mapping[int, tuple[Any, ...]], *,
    ship: bool,
) -> UploadRow:  # fmt: skip
    pk = sheet.shipment_of.get(row.row_number)
    _, number, old, old_courier, step = shown.get(pk or 0, (0, "", "", "", ""))
    data = {
        "key": row.key, "number": number, "courier": row.courier, "waybill": row.waybill, "shown": row.shown_waybill,
        "courier_name": courier_name(row.courier) if row.courier else row.courier_text,
        "old": old, "old_courier": courier_name(old_courier) if old_courier else "", "shipment": pk,
    }  # fmt: skip
    error = sheet.reasons.get(row.row_number, "")
    if not error and pk in done.refused and pk not in done.differs:
        error = done.refused[pk]
    if not error and pk is not None and pk in refused and row.row_number not in sheet.joined:
        error = refused[pk]
    if row.proposal and error in {methods.SAME} or error.startswith(HELD_ALREADY) and row.proposal == HOLD:
        return UploadRow(row.row_number, data=data, is_same=True)
    if error or pk is None:
        return UploadRow(row.row_number, data=data, error=error)
    if row.row_number in sheet.joined or (pk in done.unchanged and not (ship and step == ShipmentStep.READY)):
        return UploadRow(row.row_number, data=data, is_same=True)
    if row.proposal:
        return _proposal(row, pk, data)
    if row.row_number in sheet.boxes:
        return _boxed(row, pk, data, sheet)
    if pk in done.differs:
        return UploadRow(row.row_number, data=data | {"replaces": True}, target_id=pk, ask=done.refused[pk])
    return UploadRow(row.row_number, data=data, target_id=pk, ask=done.warnings.get(pk, ""))


def _proposal(row: ResultRow, pk: int, data: Mapping[str, Any]) -> UploadRow:
    """상태 말: what a word in the number cell proposes; ticked by hand."""
    place, word = ("송장번호", row.shown_waybill) if row.shown_waybill else ("택배사", row.courier_text)
    does = "배송보류합니다"
    if row.proposal != HOLD:
        does = f"배송방법을 {josa(DeliveryMethod(row.proposal).label, '으로/로')} 바꿉니다"
    ask = WORD.format(place=place, word=word, particle=particle(word, "이/가"), does=does)
    data = {**data, "proposal": row.proposal, "shown": word}
    return UploadRow(row.row_number, data=data, target_id=pk, ask=ask, by_hand=True)


def proposal_label(proposal: str) -> str:
    """제안 이름: of the tick."""
    if proposal == HOLD:
        return "배송보류"
    return f"배송방법을 {josa(DeliveryMethod(proposal).label, '으로/로')} 바꾸기"


def _boxed(row: ResultRow, pk: int, data: Mapping[str, Any], sheet: Sheet) -> UploadRow:
    """합포: one tick on the first row of the box stands for all of them."""
    box = sheet.boxes[row.row_number]
    ids = [sheet.shipment_of[each.row_number] for each in box]
    numbers = [each.row_number for each in box]
    data = {**data, "merge": ids, "rows": numbers}
    first = row.row_number == numbers[0]
    ask = BOX.format(len(ids), ", ".join(f"{number:,}" for number in numbers)) if first else WITH.format(numbers[0])
    return UploadRow(row.row_number, data=data, target_id=pk, group_id=min(ids), ask=ask, by_hand=True)


def preview_keyless(rows: Sequence[ResultRow], *, actor: Any) -> list[UploadRow]:
    """미리보기 of a file without keys: suggestions, each ticked by hand; alike candidates leave the choice open."""
    people = [Wanted(*row.person) if row.person else Wanted("", "", "") for row in rows]
    before = registered_rows(people, [(row.courier, row.waybill) for row in rows])
    found = [[] if mine else candidates for mine, candidates in zip(before, suggest(people), strict=True)]
    numbered: dict[tuple[str, str], list[int]] = defaultdict(list)
    for row in rows:
        if row.waybill:
            numbered[row.courier, row.waybill].append(row.row_number)
    wished = Counter(one.shipment_id for candidates in found for one in candidates)
    sole = {
        candidates[0].shipment_id: row
        for row, candidates in zip(rows, found, strict=True)
        if _is_sole(candidates, wished) and not row.error and len(numbered[row.courier, row.waybill]) == 1
    }
    done = registered({pk: _entry(row) for pk, row in sole.items()}, actor=actor, at=timezone.now())
    made = []
    for row, person, candidates, mine in zip(rows, people, found, before, strict=True):
        error = row.error or ("" if row.waybill else WORD_ALONE if row.proposal else NO_NUMBER)
        same = numbered.get((row.courier, row.waybill), [])
        if not error and len(same) > 1:
            error = SAME_NUMBER.format(next(number for number in same if number != row.row_number))
        if mine is not None and not error:
            made.append(_applied_before(row, person, mine))
        else:
            made.append(_suggested(row, person, candidates, error, done, is_sole=_is_sole(candidates, wished)))
    return made


def _is_sole(candidates: Sequence[Candidate], wished: Mapping[int, int]) -> bool:
    return len(candidates) == 1 and wished[candidates[0].shipment_id] == 1


def _suggested(
    row: ResultRow, person: Wanted, candidates: Sequence[Candidate], error: str, done: Registered, *, is_sole: bool
) -> UploadRow:
    sole = candidates[0] if is_sole else None
    data = _keyless_data(row, person, sole.number if sole else "")
    if not error and not candidates:
        error = NOBODY
    if not error and sole and sole.shipment_id in done.refused:
        error = done.refused[sole.shipment_id]
    if error:
        return UploadRow(row.row_number, data=data, error=error)
    if sole:
        ask = ONE.format(why=sole.why, confidence=sole.confidence)
        data |= {"shipment": sole.shipment_id, "suggested": True}
        return UploadRow(row.row_number, data=data, target_id=sole.shipment_id, ask=ask, by_hand=True)
    data |= {"suggested": True, "candidates": list(_choices(candidates))}
    return UploadRow(row.row_number, data=data, ask=SEVERAL, by_hand=True)


def _applied_before(row: ResultRow, person: Wanted, mine: Candidate) -> UploadRow:
    """A row of a piece that was applied before: nothing would change."""
    data = _keyless_data(row, person, mine.number) | {"shipment": mine.shipment_id, "suggested": True}
    return UploadRow(row.row_number, data=data, is_same=True)


def _keyless_data(row: ResultRow, person: Wanted, number: str) -> dict[str, Any]:
    return {
        "key": " ".join(filter(None, [mask_name(person.name), mask_phone(person.phone)])), "number": number,
        "courier": row.courier, "waybill": row.waybill, "shown": row.shown_waybill,
        "courier_name": courier_name(row.courier) if row.courier else row.courier_text, "old": "", "old_courier": "",
    }  # fmt: skip


def _choices(candidates: Iterable[Candidate]) -> Iterable[list[Any]]:
    for one in list(candidates)[:MOST_CANDIDATES]:
        yield [one.shipment_id, one.number, f"{one.why}, 확신 {one.confidence}"]
