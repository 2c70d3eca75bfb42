"""Addresses of the order lists."""

from accounts.lists import list_urls
from orders.pages import ConfirmedPage, OrderListPage, PreparingPage

app_name = "orders"
urlpatterns = [
    *list_urls(OrderListPage),
    *list_urls(PreparingPage),
    *list_urls(ConfirmedPage),
]
