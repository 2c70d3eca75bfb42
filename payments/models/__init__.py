"""Tables of payments: what is to be paid, the ledger, PG accounts and what the PGs told us."""

from payments.models.account import PgAccount
from payments.models.bank import BankAccount, BankDeposit, DepositAllocation, DepositCandidate
from payments.models.card_check import CardCheck
from payments.models.notice import PgNotice, PgRequest
from payments.models.payment import LedgerEntry, Payment
from payments.models.problem import MoneyProblem
from payments.models.question import PgBudget, PgQuestion
from payments.models.reconciliation import CashReceipt, PgReconciliation
from payments.models.refund import Refund, RefundAccount, RefundCalculation
from payments.models.told import AccountNotice
from payments.models.virtual import VirtualAccount

__all__ = [
    "AccountNotice",
    "BankAccount",
    "BankDeposit",
    "CardCheck",
    "CashReceipt",
    "DepositAllocation",
    "DepositCandidate",
    "LedgerEntry",
    "MoneyProblem",
    "Payment",
    "PgAccount",
    "PgNotice",
    "PgBudget",
    "PgQuestion",
    "PgReconciliation",
    "PgRequest",
    "Refund",
    "RefundAccount",
    "RefundCalculation",
    "VirtualAccount",
]
