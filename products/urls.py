"""Addresses of products and stock, with their whole paths: lists know their own."""

from django.urls import path

from accounts.access import requires
from accounts.lists import list_urls
from products.pages import VariantList
from products.views import catalog, lists, stock, upload

app_name = "products"
urlpatterns = [
    *list_urls(VariantList),
    path("products/excel/", requires("products.view")(lists.StockExcel.as_view()), name="products_excel"),
    path("products/new/", catalog.ProductCreate.as_view(), name="create"),
    path("products/stock/upload/", upload.StockUploadPage.as_view(), name="stock_upload"),
    path("products/stock/upload/<uuid:uuid>/", upload.StockPreview.as_view(), name="stock_preview"),
    path("products/stock/upload/<uuid:uuid>/errors.xlsx", upload.StockErrors.as_view(), name="stock_errors"),
    path("products/<str:code>/", catalog.ProductDetail.as_view(), name="detail"),
    path("products/<str:code>/edit/", catalog.ProductEdit.as_view(), name="edit"),
    path("products/<str:code>/stock/", stock.StockAdjust.as_view(), name="adjust"),
]
