"""배송 예외 화면: one case, and the file for the courier who pays."""

import tempfile
from typing import Any

from django.http import FileResponse, HttpRequest, HttpResponse, HttpResponseBase
from django.utils import timezone

from accounts.access import PermissionRequired, staff_of
from accounts.clients import client_of
from accounts.models import AccessAction
from accounts.services import record_access
from core.calendar import KST
from core.excel.writer import write_xlsx
from core.exceptions import DomainError
from core.views.downloads import XLSX, as_download
from core.views.lists import answer_detail, refused
from shipping.details.exception import exception_context, find_exception
from shipping.excel.claims import COLUMNS, claim_rows, claimed

PURPOSE = "택배사 배상 청구"


class ExceptionDetail(PermissionRequired):
    """예외 상세: fragment for the slide-over, full page otherwise."""

    permission = "shipping.view_exceptions"

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        try:
            case = find_exception(pk)
        except DomainError as error:
            return refused(request, error)
        context = exception_context(case, user=staff_of(request), at=timezone.now())
        return answer_detail(request, "shipping/_exception.html", "shipping/exception.html", context)


class ClaimFile(PermissionRequired):
    """배상 청구 파일: who took it away is written down before it leaves."""

    permission = "shipping.resolve_exception"

    def get(self, request: HttpRequest) -> HttpResponseBase:
        at = timezone.now()
        cases = list(claimed(at=at))
        file: Any = tempfile.TemporaryFile()  # noqa: SIM115 - the response closes it
        write_xlsx(file, COLUMNS, claim_rows(cases), sheet="배상 청구")
        record_access(
            actor=staff_of(request),
            action=AccessAction.EXPORT,
            at=at,
            client=client_of(request),
            purpose=PURPOSE,
            subjects=sorted({case.shipment.order.number for case in cases}),
            row_count=len(cases),
            detail={"list": "exceptions", "file": "claims"},
        )
        file.seek(0)
        name = f"배상 청구 {at.astimezone(KST):%Y%m%d-%H%M}.xlsx"
        return as_download(FileResponse(file, content_type=XLSX), name, plain="claims.xlsx")
