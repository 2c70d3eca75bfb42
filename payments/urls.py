"""Addresses of payments."""

from accounts.lists import list_urls
from payments.pages import AwaitingPaymentPage

app_name = "payments"
urlpatterns = [*list_urls(AwaitingPaymentPage)]
