"""Addresses of channels: order files, products of channels, the manual order, settings."""

from django.urls import URLPattern, URLResolver, include, path, re_path
from django.views.decorators.http import require_safe

from channels.api import errors
from channels.api.endpoints import api
from channels.api.gate import guarded
from channels.views import imports, manual, mapping, settings


def api_urls() -> list[URLPattern | URLResolver]:
    """API 주소: ninja's own patterns behind the gate, and JSON for every address that is none."""
    patterns: list[URLPattern | URLResolver] = api.urls[0]
    for pattern in patterns:
        if isinstance(pattern, URLPattern):
            # Ninja answers every method with the description of the API.
            is_description = pattern.name == "openapi-json"
            view = require_safe(pattern.callback) if is_description else pattern.callback
            pattern.callback = guarded(view, reads_body=pattern.name not in {"openapi-json", "api-root"})
    return [*patterns, re_path(r"^.*$", guarded(errors.not_found, reads_body=False))]


app_name = "channels"
urlpatterns = [
    # Without this Django would send the caller to the address with a slash.
    path("api/v1", guarded(errors.not_found, reads_body=False)),
    path("api/v1/", include((api_urls(), "api-v1"))),
    path("orders/import/", imports.ImportOrders.as_view(), name="import"),
    path("orders/import/columns/", imports.MapColumns.as_view(), name="import_columns"),
    path("orders/import/<uuid:uuid>/", imports.ImportPreview.as_view(), name="import_preview"),
    path("orders/import/<uuid:uuid>/columns/", imports.RemapColumns.as_view(), name="import_remap"),
    path("orders/import/<uuid:uuid>/apply/", imports.ApplyImport.as_view(), name="import_apply"),
    path("orders/import/<uuid:uuid>/cancel/", imports.CancelImport.as_view(), name="import_cancel"),
    path("orders/new/", manual.NewOrder.as_view(), name="new_order"),
    path("products/mapping/", mapping.MappingPage.as_view(), name="mapping"),
    path("products/mapping/connect/", mapping.Connect.as_view(), name="connect"),
    path("products/mapping/<int:pk>/", mapping.EditListing.as_view(), name="listing"),
    path("settings/channels/", settings.ChannelList.as_view(), name="channels"),
    path("settings/channels/new/", settings.ChannelCreate.as_view(), name="channel_new"),
    path("settings/channels/<int:pk>/", settings.ChannelEdit.as_view(), name="channel"),
    path(
        "settings/channels/<int:pk>/profiles/<int:profile_id>/delete/",
        settings.ProfileDelete.as_view(),
        name="profile_delete",
    ),
    path("settings/channels/<int:pk>/keys/", settings.KeyCreate.as_view(), name="key_new"),
    path("settings/channels/<int:pk>/keys/<int:key_id>/revoke/", settings.KeyRevoke.as_view(), name="key_revoke"),
]
