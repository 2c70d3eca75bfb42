"""Addresses of payments."""

from django.urls import path

from accounts.lists import list_urls
from payments.pages import AwaitingPaymentPage, DepositPage, RefundPage
from payments.views.deposits import DepositAllocate, DepositDetail, DepositRematch
from payments.views.statement import StatementPage, StatementPreview
from payments.views.webhooks import receive

app_name = "payments"
urlpatterns = [
    *list_urls(AwaitingPaymentPage),
    *list_urls(DepositPage),
    *list_urls(RefundPage),
    path("payments/deposits/upload/", StatementPage.as_view(), name="statement"),
    path("payments/deposits/upload/<uuid:uuid>/", StatementPreview.as_view(), name="statement_preview"),
    path("payments/deposits/<int:pk>/", DepositDetail.as_view(), name="deposit"),
    path("payments/deposits/<int:pk>/allocate/", DepositAllocate.as_view(), name="deposit_allocate"),
    path("payments/deposits/<int:pk>/rematch/", DepositRematch.as_view(), name="deposit_rematch"),
    # Both forms: a redirect would lose the body.
    path("payments/webhooks/<str:token>/", receive, name="webhook"),
    path("payments/webhooks/<str:token>", receive),
    path("payments/bank-feed/<str:token>/", receive, name="bank_feed"),
    path("payments/bank-feed/<str:token>", receive),
]
