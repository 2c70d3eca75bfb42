"""Addresses of the order lists, of one order and of the history."""

from django.urls import path

from accounts.lists import list_urls
from orders.lists import AuditPage
from orders.pages import ConfirmedPage, OrderListPage, PreparingPage
from orders.views import changes, detail, presence

app_name = "orders"
urlpatterns = [
    *list_urls(OrderListPage),
    *list_urls(PreparingPage),
    *list_urls(ConfirmedPage),
    *list_urls(AuditPage),
    path("orders/<slug:number>/", detail.OrderDetailView.as_view(), name="detail"),
    path("orders/<slug:number>/poll/", presence.PresenceView.as_view(), name="presence"),
    path("orders/<slug:number>/reveal/", detail.RevealView.as_view(), name="reveal"),
    path("orders/<slug:number>/recipient/", changes.RecipientView.as_view(), name="recipient"),
    path("orders/<slug:number>/memos/", changes.MemoView.as_view(), name="memos"),
    path("orders/<slug:number>/memos/<int:pk>/delete/", changes.MemoDeleteView.as_view(), name="memo-delete"),
]
