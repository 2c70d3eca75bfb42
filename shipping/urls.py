"""Addresses of shipping."""

from django.urls import path

from accounts.lists import list_urls
from shipping.pages import DeliveredPage, ReadyPage, ShippingPage
from shipping.views import courier_file, grid, printing, settings, templates, upload

app_name = "shipping"
urlpatterns = [
    *list_urls(ReadyPage),
    *list_urls(ShippingPage),
    *list_urls(DeliveredPage),
    path("shipping/waybills/file/", courier_file.CourierFileView.as_view(), name="courier_file"),
    path("settings/couriers/", settings.CourierSettings.as_view(), name="courier_settings"),
    path("excel/templates/", templates.TemplateList.as_view(), name="templates"),
    path("excel/templates/<int:pk>/", templates.TemplateEditor.as_view(), name="template"),
    path("excel/templates/<int:pk>/<slug:act>/", templates.TemplateAct.as_view(), name="template_act"),
    path("shipping/waybills/draft/", grid.DraftView.as_view(), name="waybill_draft"),
    path("shipping/waybills/paste/", grid.PasteView.as_view(), name="waybill_paste"),
    path("picking/", printing.PickingPage.as_view(), name="picking"),
    path("picking/<slug:number>/print/", printing.ListFile.as_view(), name="picking_file"),
    path("shipping/waybills/", printing.WaybillsPage.as_view(), name="waybills"),
    path("shipping/print/<slug:number>/", printing.BatchPage.as_view(), name="print_batch"),
    path("shipping/print/<slug:number>/file/", printing.LabelFile.as_view(), name="print_file"),
    path("shipping/waybills/upload/", upload.WaybillUploadPage.as_view(), name="waybill_upload"),
    path("shipping/waybills/upload/<uuid:uuid>/", upload.WaybillPreview.as_view(), name="waybill_preview"),
]
