"""Addresses of payments."""

from django.urls import path

from accounts.lists import list_urls
from payments.pages.awaiting import AwaitingPaymentPage
from payments.pages.deposits import DepositPage
from payments.pages.notices import NoticePage, RefusedPage
from payments.pages.problems import ProblemPage
from payments.pages.receipts import ReceiptPage, ReconciliationPage
from payments.pages.refunds import RefundPage
from payments.views.bank_accounts import BankAccountCreate, BankAccountEdit, BankAccountList
from payments.views.box import SyncNow, VirtualReveal
from payments.views.deposits import DepositAllocate, DepositDetail, DepositRematch, DepositReturn, DepositReveal
from payments.views.notices import BodyReveal, NoticeDetail, RequestDetail
from payments.views.pg_accounts import AccountCreate, AccountEdit, AccountList
from payments.views.problems import ProblemDetail, ProblemRefund
from payments.views.refunds import RefundAccountReveal
from payments.views.statement import StatementPage, StatementPreview
from payments.views.webhooks import receive

app_name = "payments"
urlpatterns = [
    *list_urls(AwaitingPaymentPage),
    *list_urls(DepositPage),
    *list_urls(RefundPage),
    path("payments/refunds/<int:pk>/account/", RefundAccountReveal.as_view(), name="refund_account"),
    path("payments/deposits/upload/", StatementPage.as_view(), name="statement"),
    path("payments/deposits/upload/<uuid:uuid>/", StatementPreview.as_view(), name="statement_preview"),
    path("payments/deposits/<int:pk>/", DepositDetail.as_view(), name="deposit"),
    path("payments/deposits/<int:pk>/allocate/", DepositAllocate.as_view(), name="deposit_allocate"),
    path("payments/deposits/<int:pk>/return/", DepositReturn.as_view(), name="deposit_return"),
    path("payments/deposits/<int:pk>/names/", DepositReveal.as_view(), name="deposit_reveal"),
    path("payments/deposits/<int:pk>/rematch/", DepositRematch.as_view(), name="deposit_rematch"),
    *list_urls(NoticePage),
    *list_urls(RefusedPage),
    *list_urls(ProblemPage),
    *list_urls(ReceiptPage),
    *list_urls(ReconciliationPage),
    path("payments/notices/<int:pk>/", NoticeDetail.as_view(), name="notice"),
    path("payments/notices/refused/<int:pk>/", RequestDetail.as_view(), name="request"),
    path("payments/notices/requests/<int:pk>/body/", BodyReveal.as_view(), name="body_reveal"),
    path("payments/problems/<int:pk>/", ProblemDetail.as_view(), name="problem"),
    path("payments/problems/<int:pk>/refund/", ProblemRefund.as_view(), name="problem_refund"),
    path("settings/pg/", AccountList.as_view(), name="pg_accounts"),
    path("settings/pg/new/", AccountCreate.as_view(), name="pg_account_new"),
    path("settings/pg/<int:pk>/", AccountEdit.as_view(), name="pg_account"),
    path("settings/bank-accounts/", BankAccountList.as_view(), name="bank_accounts"),
    path("settings/bank-accounts/new/", BankAccountCreate.as_view(), name="bank_account_new"),
    path("settings/bank-accounts/<int:pk>/", BankAccountEdit.as_view(), name="bank_account"),
    path("payments/<int:pk>/sync/", SyncNow.as_view(), name="sync"),
    path("payments/<int:pk>/virtual/", VirtualReveal.as_view(), name="virtual_reveal"),
    # Both forms: a redirect would lose the body.
    path("payments/webhooks/<str:token>/", receive, name="webhook"),
    path("payments/webhooks/<str:token>", receive),
    path("payments/bank-feed/<str:token>/", receive, name="bank_feed"),
    path("payments/bank-feed/<str:token>", receive),
]
