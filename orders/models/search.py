"""Searchable text of an order, in a row of its own that state moves never touch."""

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models

from orders.models.order import Order


class OrderSearch(models.Model):
    """검색 글자: two-syllable pieces of names and addresses, and the last four digits of phones."""

    order = models.OneToOneField(Order, models.CASCADE, primary_key=True, related_name="search")
    names = ArrayField(models.CharField(max_length=2), verbose_name="이름 조각")
    address = ArrayField(models.CharField(max_length=2), verbose_name="주소 조각")
    buyer_tail = models.CharField("주문자 뒤 4자리", max_length=4, blank=True, db_collation="C")
    recipient_tail = models.CharField("수령자 뒤 4자리", max_length=4, blank=True, db_collation="C")

    class Meta:
        verbose_name = "주문 검색"
        indexes = [
            GinIndex(fields=["names"], name="order_search_names", fastupdate=False),
            GinIndex(fields=["address"], name="order_search_address", fastupdate=False),
            models.Index(fields=["buyer_tail"], name="order_search_buyer_tail"),
            models.Index(fields=["recipient_tail"], name="order_search_recipient_tail"),
        ]

    def __str__(self) -> str:
        return str(self.order_id)
