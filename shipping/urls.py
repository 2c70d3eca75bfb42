"""Addresses of shipping."""

from django.urls import path

from accounts.lists import list_urls
from shipping.pages import DeliveredPage, ReadyPage, ShippingPage
from shipping.views import courier_file, grid, settings, templates, tracking, upload

app_name = "shipping"
urlpatterns = [
    *list_urls(ReadyPage),
    *list_urls(ShippingPage),
    *list_urls(DeliveredPage),
    path("shipping/waybills/file/", courier_file.CourierFileView.as_view(), name="courier_file"),
    path("settings/couriers/", settings.CourierSettings.as_view(), name="courier_settings"),
    path("settings/tracking/", tracking.TrackingSettings.as_view(), name="tracking_settings"),
    path("settings/tracking/new/", tracking.AccountEdit.as_view(), name="tracking_account_new"),
    path("settings/tracking/<int:pk>/", tracking.AccountEdit.as_view(), name="tracking_account"),
    path("excel/templates/", templates.TemplateList.as_view(), name="templates"),
    path("excel/templates/<int:pk>/", templates.TemplateEditor.as_view(), name="template"),
    path("excel/templates/<int:pk>/<slug:act>/", templates.TemplateAct.as_view(), name="template_act"),
    path("shipping/waybills/draft/", grid.DraftView.as_view(), name="waybill_draft"),
    path("shipping/waybills/paste/", grid.PasteView.as_view(), name="waybill_paste"),
    path("shipping/waybills/upload/", upload.WaybillUploadPage.as_view(), name="waybill_upload"),
    path("shipping/waybills/upload/<uuid:uuid>/", upload.WaybillPreview.as_view(), name="waybill_preview"),
]
