"""상품 목록 파일."""

from django.http import HttpRequest, HttpResponseBase

from core.views.lists import ExcelView


class StockExcel(ExcelView):
    """재고 내려받기: the list as a file; it holds no personal data, so it asks for no reason."""

    page_name = "products"
    http_method_names = ["get", "head", "options"]

    def get(self, request: HttpRequest) -> HttpResponseBase:
        query = self.read(request.GET)
        query.require_valid()
        return self._file(request, query, "")
