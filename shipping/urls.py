"""Addresses of shipping."""

from accounts.lists import list_urls
from shipping.pages import DeliveredPage, ReadyPage, ShippingPage

app_name = "shipping"
urlpatterns = [
    *list_urls(ReadyPage),
    *list_urls(ShippingPage),
    *list_urls(DeliveredPage),
]
