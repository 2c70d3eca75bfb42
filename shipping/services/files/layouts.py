"""송장 파일 양식: what a person said about the columns of a sender, for its next file."""

from collections.abc import Mapping

from core.excel import Header, fingerprint
from shipping.models import WaybillLayout


def remembered_layout(*, header: Header, courier: str) -> WaybillLayout | None:
    """기억한 양식 for a file with these columns: that of the courier first, else the latest with the same columns."""
    known = WaybillLayout.objects.filter(fingerprint=fingerprint(header))
    return known.filter(courier=courier).first() or known.order_by("-updated_at", "-pk").first()


def remember_layout(*, header: Header, courier: str, name: str, mapping: Mapping[str, str]) -> WaybillLayout:
    """양식 기억: store or renew what the columns of a sender are; its next file is read without asking."""
    layout, _ = WaybillLayout.objects.update_or_create(
        courier=courier, fingerprint=fingerprint(header), defaults={"name": name, "mapping": dict(mapping)}
    )
    return layout


def forget_layout(*, layout_id: int) -> bool:
    """양식 지우기: the next file of the sender is asked about again; whether there was anything to forget."""
    deleted, _ = WaybillLayout.objects.filter(pk=layout_id).delete()
    return bool(deleted)
