"""The product pages beside log-in."""

from django.urls import include, path

urlpatterns = [
    path("", include("accounts.urls")),
    path("", include("products.urls")),
]
