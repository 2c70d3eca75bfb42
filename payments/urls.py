"""Addresses of payments."""

from django.urls import path

from accounts.lists import list_urls
from payments.pages import AwaitingPaymentPage
from payments.views.webhooks import receive

app_name = "payments"
urlpatterns = [
    *list_urls(AwaitingPaymentPage),
    # Both forms: a redirect would lose the body.
    path("payments/webhooks/<str:token>/", receive, name="webhook"),
    path("payments/webhooks/<str:token>", receive),
]
