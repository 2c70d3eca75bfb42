"""What a shop has before its first order: channels, products, and somebody to do the work."""

from datetime import datetime

from django.conf import settings

from accounts.models import User
from accounts.roles import Role
from accounts.services import DEMO_ENVIRONMENTS, create_demo_staff
from core.chunks import batched
from oms.seed.fashion import FASHION
from oms.seed.food import FOOD
from oms.seed.living import LIVING
from oms.seed.options import variants_of
from orders.models import SalesChannel
from products.models import Product
from products.services.catalog import create_products
from products.services.drafts import ProductDraft, VariantDraft

CHANNELS = (("mall", "자사몰"), ("smartstore", "스마트스토어"), ("coupang", "쿠팡"))
OWN = frozenset({"mall"})
"""Channels whose buyers hear from us; markets tell theirs themselves."""
PREFIXES = (("F", FASHION), ("E", FOOD), ("L", LIVING))


def channels() -> dict[str, int]:
    """판매채널: ids by code; missing ones are created."""
    for code, name in CHANNELS:
        SalesChannel.objects.get_or_create(code=code, defaults={"name": name, "notifies_buyers": code in OWN})
    return dict(SalesChannel.objects.filter(code__in=dict(CHANNELS)).values_list("code", "pk"))


def staff(*, at: datetime) -> dict[str, int]:
    """일하는 사람: one user id per role; demo accounts where they are allowed and nobody is there yet."""
    if settings.OMS_ENV in DEMO_ENVIRONMENTS and not User.objects.exists():
        create_demo_staff(at=at)
    found = User.objects.filter(is_active=True, role__in=[role.value for role in Role]).order_by("-pk")
    return dict(found.values_list("role", "pk"))


def product_codes() -> list[str]:
    """Codes of the sample products."""
    return [f"{prefix}{n:03d}" for prefix, goods in PREFIXES for n in range(1, len(goods) + 1)]


def products(*, at: datetime) -> None:
    """견본 상품: 300 products with their variants, through the catalogue's own service; known ones stay."""
    known = set(Product.objects.filter(code__in=product_codes()).values_list("code", flat=True))
    drafts = [
        ProductDraft(
            code=code,
            name=name,
            option_names=tuple(option for option, _ in options),
            variants=tuple(
                VariantDraft(
                    option_values=tuple(values),
                    price=own_price,
                    sku=f"{code}-{seq:02d}",
                    weight_grams=grams,
                    location=f"{prefix}-{n % 20 + 1:02d}-{seq:02d}",
                )
                for seq, (values, own_price) in enumerate(variants_of(options, price), 1)
            ),
        )
        for prefix, goods in PREFIXES
        for n, (name, price, grams, options) in enumerate(goods, 1)
        if (code := f"{prefix}{n:03d}") not in known
    ]
    for some in batched(drafts, 100):
        create_products(drafts=list(some), at=at, actor=None)
