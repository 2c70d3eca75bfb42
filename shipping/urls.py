"""Addresses of shipping."""

from django.urls import path

from accounts.lists import list_urls
from shipping.pages import DeliveredPage, ReadyPage, ShippingPage
from shipping.views import grid, upload

app_name = "shipping"
urlpatterns = [
    *list_urls(ReadyPage),
    *list_urls(ShippingPage),
    *list_urls(DeliveredPage),
    path("shipping/waybills/draft/", grid.DraftView.as_view(), name="waybill_draft"),
    path("shipping/waybills/paste/", grid.PasteView.as_view(), name="waybill_paste"),
    path("shipping/waybills/upload/", upload.WaybillUploadPage.as_view(), name="waybill_upload"),
    path("shipping/waybills/upload/<uuid:uuid>/", upload.WaybillPreview.as_view(), name="waybill_preview"),
]
