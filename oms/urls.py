"""Mounts every app; each declares its addresses from the root, because a prefix does not decide the app (ux.md 1)."""

from importlib.util import find_spec

from django.urls import URLPattern, URLResolver, include, path

from core.registry import own_apps
from oms.context import menu_counts
from oms.dashboard import Dashboard

urlpatterns: list[URLPattern | URLResolver] = [
    path("", Dashboard.as_view(), name="dashboard"),
    path("", include("oms.shop.urls")),
    path("menu/counts/", menu_counts, name="menu_counts"),
    *(path("", include(f"{app}.urls")) for app in reversed(own_apps()) if app != "oms" and find_spec(f"{app}.urls")),
]

handler400 = "oms.errors.bad_request"
handler403 = "oms.errors.permission_denied"
handler404 = "oms.errors.page_not_found"
handler500 = "oms.errors.server_error"
