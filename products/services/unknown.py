"""모르는 상품 등록: variants that a channel sells and we do not have yet, created for it when its profile says so."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db import IntegrityError, connection
from django.db.models import F

from accounts.models import User
from core.events import record
from core.locks import locked, locking
from core.state import Change, Outcome
from products.events import PRODUCT_EDITED
from products.models import Product, SaleState, Variant
from products.services.catalog import announce_created, store_variants
from products.services.drafts import MOST_PRICE, VariantDraft, clean_code, clean_text
from products.services.lookup import variants_by_sku

OPTION = "옵션"

_INSERT = """
    INSERT INTO products_product (code, name, option_names, sale_state, version, created_at, updated_at)
    SELECT given.code, given.name, given.option_names::jsonb, %s, 0, %s, %s
      FROM unnest(%s::text[], %s::text[], %s::text[]) WITH ORDINALITY AS given(code, name, option_names, place)
     ORDER BY given.place
    ON CONFLICT (code) DO NOTHING
    RETURNING id
"""


@dataclass(frozen=True, slots=True)
class WantedVariant:
    """찾거나 만들 품목: as a channel names it.

    `sku` is our own code when the channel carries it; a known one wins over everything else. `product_code` must be
    stable for the channel's product, e.g. its number with a prefix. Price in won, used only for a new variant.
    """

    product_code: str
    product_name: str
    option_values: tuple[str, ...] = ()
    sku: str = ""
    price: int = 0


Key = tuple[str, tuple[str, ...]]


def get_or_create_variants(
    *, wanted: Collection[WantedVariant], at: datetime, actor: User | None
) -> dict[WantedVariant, int]:
    """품목 찾기 또는 등록: {wanted: variant id}; two calls at once, or one call twice, create each variant once.

    A fixed number of statements for any number of variants. New products are on sale, with empty stock.
    Raises ValueError for a product code with nothing usable in it, LockTimeout.
    """
    try:
        return _get_or_create(wanted, at=at, actor=actor)
    except IntegrityError:
        # Somebody stored one of the codes under another product meanwhile: now it is known.
        return _get_or_create(wanted, at=at, actor=actor)


def _get_or_create(wanted: Collection[WantedVariant], *, at: datetime, actor: User | None) -> dict[WantedVariant, int]:
    known = variants_by_sku({_sku(one) for one in wanted if one.sku})
    found = {one: known[_sku(one)] for one in wanted if _sku(one) in known}
    rest = [one for one in wanted if one not in found]
    if bad := [one.product_code for one in rest if not clean_code(one.product_code)]:
        raise ValueError(f"no usable product code in {bad[0]!r}")
    if rest:
        with locking(actor=actor):
            products = _products(rest, at=at, actor=actor)
            stored = _stored(products)
            keys = _keys(rest, {key: sku for key, (_, sku) in stored.items()})
            _create(keys, products, set(stored), at=at, actor=actor)
            stored = _stored(products)
        found |= {one: stored[key][0] for one, key in keys.items()}
    return found


def _sku(one: WantedVariant) -> str:
    return clean_text(one.sku, 60)


def _key(one: WantedVariant) -> Key:
    values = tuple(clean_text(value, 100) for value in one.option_values)
    return clean_code(one.product_code), tuple(value for value in values if value)


def _keys(wanted: Collection[WantedVariant], skus: Mapping[Key, str]) -> dict[WantedVariant, Key]:
    """Which stored or coming variant each one means; `skus` are the codes of the stored ones.

    Two codes under the same product and options are two things: the code then tells them apart as a further option.
    """
    owner = dict(skus)
    by_sku: dict[str, Key] = {}
    keys: dict[WantedVariant, Key] = {}
    for one in wanted:
        sku, key = _sku(one), _key(one)
        held = owner.get(key, "")
        if sku and held not in {"", sku} and not held.startswith(f"{key[0]}-"):
            key = key[0], (*key[1], sku)
        if sku:
            key = by_sku.setdefault(sku, key)
        owner[key] = owner.get(key) or sku
        keys[one] = key
    return keys


def _products(wanted: Collection[WantedVariant], *, at: datetime, actor: User | None) -> dict[str, Product]:
    """The products by code, created where missing, locked so that their variants can be numbered."""
    first = {_key(one)[0]: one for one in reversed(list(wanted))}
    codes = sorted(first)
    stored = set(Product.objects.filter(code__in=codes).values_list("code", flat=True))
    created = _insert({code: first[code] for code in codes if code not in stored}, at=at)
    products = {product.code: product for product in locked(Product.objects.filter(code__in=codes))}
    announce_created([product for product in products.values() if product.pk in created], at=at, actor=actor)
    return products


def _insert(missing: Mapping[str, WantedVariant], *, at: datetime) -> set[int]:
    """Ids of the products that this call stored; what somebody else stores meanwhile is waited for and left alone."""
    if not missing:
        return set()
    names = [clean_text(one.product_name, 200) or code for code, one in missing.items()]
    options = [json.dumps(_option_names(one), ensure_ascii=False) for one in missing.values()]
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, [SaleState.ON_SALE.value, at, at, list(missing), names, options])
        return {pk for (pk,) in cursor.fetchall()}


def _option_names(one: WantedVariant) -> list[str]:
    number = len(_key(one)[1])
    return [OPTION] if number == 1 else [f"{OPTION}{n}" for n in range(1, number + 1)]


def _stored(products: Mapping[str, Product]) -> dict[Key, tuple[int, str]]:
    """(variant id, sku) by product code and options."""
    rows = Variant.objects.filter(product__in=products.values())
    found = rows.values_list("product__code", "option_values", "pk", "sku")
    return {(code, tuple(values)): (pk, sku) for code, values, pk, sku in found}


def _create(
    keys: Mapping[WantedVariant, Key],
    products: Mapping[str, Product],
    stored: Collection[Key],
    *,
    at: datetime,
    actor: User | None,
) -> None:
    """Store the variants that are missing; each product that existed before gets one event of its own."""
    missing: dict[Key, WantedVariant] = {}
    for one, key in keys.items():
        if key not in stored and not (key in missing and missing[key].sku):
            missing[key] = one
    drafts: dict[Product, list[VariantDraft]] = {}
    for (code, values), one in sorted(missing.items(), key=lambda item: item[0]):
        draft = VariantDraft(option_values=values, sku=_sku(one), price=min(max(one.price, 0), MOST_PRICE))
        drafts.setdefault(products[code], []).append(draft)
    _announce_grown(store_variants(drafts), {code for code, _ in stored}, at=at, actor=actor)


def _announce_grown(variants: Collection[Variant], codes: Collection[str], *, at: datetime, actor: User | None) -> None:
    """One event for each of the products of these codes that the variants were added to."""
    grown: dict[Product, dict[str, list[str]]] = {}
    for variant in variants:
        if variant.product.code in codes:
            grown.setdefault(variant.product, {})[f"{variant.sku} 추가"] = ["", variant.option_text]
    Product.objects.filter(pk__in=[product.pk for product in grown]).update(version=F("version") + 1, updated_at=at)
    changes = [Change(product, product.sale_state, product.sale_state, product.version + 1) for product in grown]
    data = {product.pk: facts for product, facts in grown.items()}
    record(Outcome(changes=changes), PRODUCT_EDITED, at=at, actor=actor, data=data)
