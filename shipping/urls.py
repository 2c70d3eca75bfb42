"""Addresses of shipping."""

from django.urls import path

from accounts.lists import list_urls
from shipping.pages import DeliveredPage, ReadyPage, ShippingPage
from shipping.views import (
    contracts,
    courier_file,
    couriers,
    file_batches,
    grid,
    merges,
    packing,
    printing,
    settings,
    statuses,
    templates,
    upload,
)

app_name = "shipping"
urlpatterns = [
    *list_urls(ReadyPage),
    *list_urls(ShippingPage),
    *list_urls(DeliveredPage),
    path("shipping/waybills/file/", courier_file.CourierFileView.as_view(), name="courier_file"),
    path("shipping/waybills/batches/", file_batches.FileBatches.as_view(), name="file_batches"),
    path("shipping/waybills/batches/<slug:key>/", file_batches.FileBatch.as_view(), name="file_batch"),
    path("shipping/waybills/merges/", merges.MergeSuggestions.as_view(), name="merges"),
    path("settings/couriers/", settings.CourierSettings.as_view(), name="courier_settings"),
    path("settings/couriers/list/", couriers.CourierList.as_view(), name="couriers"),
    path("settings/couriers/new/", couriers.CourierCreate.as_view(), name="courier_new"),
    path("settings/couriers/list/<slug:slug>/", couriers.CourierPage.as_view(), name="courier"),
    path("settings/tracking/unknown/", statuses.UnknownList.as_view(), name="unknown_statuses"),
    path("settings/tracking/unknown/<int:pk>/", statuses.UnknownMap.as_view(), name="unknown_status"),
    path("settings/tracking/rules/", statuses.RuleList.as_view(), name="status_rules"),
    path("settings/tracking/rules/<int:pk>/", statuses.RuleSwitch.as_view(), name="status_rule"),
    path("settings/waybills/", contracts.ContractList.as_view(), name="contracts"),
    path("settings/waybills/new/", contracts.ContractCreate.as_view(), name="contract_new"),
    path("settings/waybills/<int:pk>/", contracts.ContractEdit.as_view(), name="contract"),
    path("settings/waybills/numbers/<int:pk>/", contracts.NumberAct.as_view(), name="number_act"),
    path("excel/templates/", templates.TemplateList.as_view(), name="templates"),
    path("excel/templates/<int:pk>/", templates.TemplateEditor.as_view(), name="template"),
    path("excel/templates/<int:pk>/<slug:act>/", templates.TemplateAct.as_view(), name="template_act"),
    path("shipping/waybills/draft/", grid.DraftView.as_view(), name="waybill_draft"),
    path("shipping/waybills/paste/", grid.PasteView.as_view(), name="waybill_paste"),
    path("pack/", packing.PackPage.as_view(), name="pack"),
    path("pack/scan/", packing.ScanView.as_view(), name="pack_scan"),
    path("pack/test/", packing.ScannerTest.as_view(), name="pack_test"),
    path("pack/commands/", packing.CommandSheet.as_view(), name="pack_commands"),
    path("pack/<slug:number>/", packing.PackPage.as_view(), name="pack_shipment"),
    path("picking/", printing.PickingPage.as_view(), name="picking"),
    path("picking/<slug:number>/print/", printing.ListFile.as_view(), name="picking_file"),
    path("shipping/waybills/", printing.WaybillsPage.as_view(), name="waybills"),
    path("shipping/print/<slug:number>/", printing.BatchPage.as_view(), name="print_batch"),
    path("shipping/print/<slug:number>/file/", printing.LabelFile.as_view(), name="print_file"),
    path("shipping/waybills/upload/", upload.WaybillUploadPage.as_view(), name="waybill_upload"),
    path("shipping/waybills/upload/<uuid:uuid>/", upload.WaybillPreview.as_view(), name="waybill_preview"),
]
