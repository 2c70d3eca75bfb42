"""재고 파일 올리기: choose a file, look at every row, apply, take the refused rows back."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponseBase, StreamingHttpResponse
from django.urls import reverse

from accounts.access import PermissionRequired
from accounts.file_pages import FilePage, FilePreview, gone, tabs, upload_job
from core.models import ItemResult, JobItem
from core.views.downloads import XLSX, as_download
from products.forms import StockFileForm
from products.uploads import StockUpload

UPLOAD = StockUpload()
PERMISSION = "products.adjust_stock"


@dataclass(frozen=True, slots=True)
class PreviewRow:
    """미리보기 한 행."""

    number: int
    sku: str
    name: str
    now: str
    on_hand: str
    reason: str
    verdict: str
    css: str


class StockUploadPage(FilePage):
    """재고 파일 올리기."""

    permission = PERMISSION
    title = "재고 파일 올리기"
    form_class, upload_class = StockFileForm, StockUpload
    template, address, preview = "products/upload.html", "products:stock_upload", "products:stock_preview"

    def chosen(self, cleaned: Mapping[str, Any]) -> dict[str, Any]:
        return {"reason": cleaned["reason"]}

    def further(self) -> dict[str, Any]:
        return {"cancel_url": reverse("products:products")}


class StockPreview(FilePreview):
    """재고 파일 미리보기: nothing has been changed yet."""

    permission = PERMISSION
    title, upload_name = "재고 파일", UPLOAD.name
    shown = tabs(ready="반영 가능", same="변화 없음")
    template, page = "products/preview.html", StockUploadPage

    def row(self, item: JobItem, *, is_open: bool) -> PreviewRow:
        data = item.data or {}
        now, on_hand = data.get("now"), data.get("on_hand", "")
        is_same = bool(data.get("same"))
        refused = item.result == ItemResult.REFUSED and not is_same
        return PreviewRow(
            number=item.row_number or 0,
            sku=str(data.get("sku", "")),
            name=str(data.get("name", "")),
            now="" if now is None else f"{now:,}",
            on_hand=f"{on_hand:,}" if isinstance(on_hand, int) else str(on_hand or ""),
            reason=str(data.get("reason", "")),
            verdict=item.reason or ("반영함" if item.result == ItemResult.OK else "반영 가능"),
            css="bad" if refused else "",
        )


class StockErrors(PermissionRequired):
    """오류 행만 엑셀로 받기."""

    permission = PERMISSION

    def get(self, request: HttpRequest, uuid: UUID) -> HttpResponseBase:
        job = upload_job(uuid, name=UPLOAD.name)
        if job is None:
            return gone(request)
        answer = StreamingHttpResponse(UPLOAD.error_file(job), content_type=XLSX)
        return as_download(answer, f"오류 {job.file_name.rpartition('.')[0]}.xlsx", plain="errors.xlsx")
