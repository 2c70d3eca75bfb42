"""Addresses of the settings of the shop."""

from django.urls import path

from oms.shop import views

urlpatterns = [
    path("settings/", views.SettingsIndex.as_view(), name="settings"),
    path("settings/shop/", views.ShopPage.as_view(), name="settings_shop"),
    path("settings/messages/", views.MessagePage.as_view(), name="settings_messages"),
    path("settings/printers/", views.PrinterPage.as_view(), name="settings_printers"),
    path("settings/packing/", views.PackingPage.as_view(), name="settings_packing"),
    path("settings/money/", views.MoneyPage.as_view(), name="settings_money"),
    path("settings/exceptions/", views.ExceptionsPage.as_view(), name="settings_exceptions"),
    path("settings/deadlines/", views.DeadlinePage.as_view(), name="settings_deadlines"),
    path("settings/holidays/", views.HolidayPage.as_view(), name="settings_holidays"),
    path("settings/shortcuts/", views.ShortcutPage.as_view(), name="settings_shortcuts"),
]
