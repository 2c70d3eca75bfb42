"""Addresses of channels: order files, products of channels, the manual order, settings."""

from django.urls import path

from channels.views import imports

app_name = "channels"
urlpatterns = [
    path("orders/import/", imports.ImportOrders.as_view(), name="import"),
    path("orders/import/columns/", imports.MapColumns.as_view(), name="import_columns"),
    path("orders/import/<uuid:uuid>/", imports.ImportPreview.as_view(), name="import_preview"),
    path("orders/import/<uuid:uuid>/apply/", imports.ApplyImport.as_view(), name="import_apply"),
    path("orders/import/<uuid:uuid>/cancel/", imports.CancelImport.as_view(), name="import_cancel"),
]
