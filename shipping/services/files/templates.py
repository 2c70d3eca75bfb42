"""엑셀 양식: change, copy, delete and choose the default; nobody overwrites what a colleague just changed."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from django.db import IntegrityError, transaction

from core.exceptions import Conflict, DomainError, NotFound
from shipping.models import ExcelTemplate

MOST_COLUMNS = 60
STALE = "다른 직원이 먼저 수정했습니다. 화면을 새로 고친 뒤 다시 고치세요."
TAKEN = "같은 이름의 양식이 있습니다. 다른 이름을 입력하세요."

OPTIONS = ("row_per", "join_text", "merged_rows", "sort", "joins_same", "omits_header")
"""What a template says beside its name, courier and columns."""

ColumnSpec = Mapping[str, str]
"""{"header": column name, "field": code or "" for fixed text, "fixed": that text}."""


class TemplateRefused(DomainError):
    """양식 오류: it cannot be stored like this."""

    code = "template_refused"
    status = 422


def save_template(
    *, template_id: int, seen_version: int, facts: Mapping[str, Any], columns: Sequence[ColumnSpec]
) -> None:
    """양식 저장: name, courier, unit of a row, words between items, and the columns in order.

    Raises Conflict when somebody changed it since `seen_version` or the name is taken, TemplateRefused without columns.
    """
    clean = [dict(one) for one in columns]
    if not clean:
        raise TemplateRefused("열을 하나 이상 넣으세요.")
    if len(clean) > MOST_COLUMNS:
        raise TemplateRefused(f"열은 {MOST_COLUMNS}개까지 넣을 수 있습니다.")
    with _unique_name():
        mine = ExcelTemplate.objects.filter(pk=template_id, version=seen_version)
        if not mine.update(**facts, columns=clean, version=seen_version + 1):
            raise Conflict(STALE) if ExcelTemplate.objects.filter(pk=template_id).exists() else _missing()


def copy_template(*, template_id: int, name: str) -> ExcelTemplate:
    """양식 복사: a new one with the same columns, free to be changed. Raises NotFound, Conflict."""
    source = ExcelTemplate.objects.filter(pk=template_id).first()
    if source is None:
        raise _missing()
    with _unique_name():
        return ExcelTemplate.objects.create(
            name=name,
            courier=source.courier,
            **{name: getattr(source, name) for name in OPTIONS},
            columns=source.columns,
        )


def create_template(*, name: str, columns: Sequence[ColumnSpec]) -> ExcelTemplate:
    """양식 만들기. Raises Conflict for a taken name."""
    with _unique_name():
        return ExcelTemplate.objects.create(name=name, columns=[dict(one) for one in columns])


def delete_template(*, template_id: int) -> None:
    """양식 삭제: only those that staff made; presets stay. Raises TemplateRefused, NotFound."""
    template = ExcelTemplate.objects.filter(pk=template_id).first()
    if template is None:
        raise _missing()
    if template.is_preset:
        raise TemplateRefused("기본 제공 양식은 지울 수 없습니다. 복사한 양식만 지울 수 있습니다.")
    template.delete()


def set_default(*, template_id: int) -> None:
    """기본 양식: the one that is chosen first when a file is downloaded. Raises NotFound."""
    with transaction.atomic():
        # One after the other, so that the unique index of the default never refuses.
        rows = list(ExcelTemplate.objects.select_for_update().order_by("pk"))
        if template_id not in {row.pk for row in rows}:
            raise _missing()
        ExcelTemplate.objects.filter(is_default=True).update(is_default=False)
        ExcelTemplate.objects.filter(pk=template_id).update(is_default=True)


def _missing() -> NotFound:
    return NotFound("엑셀 양식을 찾을 수 없습니다.")


@contextmanager
def _unique_name() -> Iterator[None]:
    """A transaction in which a taken name becomes a Conflict."""
    try:
        with transaction.atomic():
            yield
    except IntegrityError as error:
        raise Conflict(TAKEN) from error
