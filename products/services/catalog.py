"""상품과 품목: storing and editing what the shop offers."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from django.db import IntegrityError
from django.db.models import Count

from accounts.models import User
from core.calendar import KST
from core.events import event_model, record
from core.exceptions import Conflict, NotFound
from core.locks import locked, locking
from core.people import named
from core.state import Change, Outcome
from products.events import PRODUCT_CREATED, PRODUCT_EDITED
from products.models import Product, StockLevel, Variant
from products.services.drafts import (
    MOST_VARIANTS,
    CatalogRefused,
    CodeTaken,
    ProductDraft,
    VariantDraft,
    code_problems,
    draft_problem,
    sku_problems,
    variants_problem,
)


class ProductChanged(Conflict):
    """먼저 수정한 상품: somebody stored another version since the page was opened."""

    code = "stale"


@dataclass(frozen=True, slots=True)
class VariantEdit:
    """품목 수정: all that may change of a stored variant; its options are its identity and stay."""

    sku: str
    barcode: str
    price: int
    weight_grams: int | None
    location: str
    is_active: bool


def create_products(*, drafts: Sequence[ProductDraft], at: datetime, actor: User | None) -> list[Product]:
    """상품 등록: store products with their variants and empty stock levels, all or none.

    Raises CatalogRefused with the reasons by product code, CodeTaken when nothing but codes is in the way, LockTimeout.
    """
    wrong = {draft.code: problem for draft in drafts if (problem := draft_problem(draft))}
    taken = code_problems([draft.code for draft in drafts])
    taken |= sku_problems([(draft.code, variant.sku) for draft in drafts for variant in draft.variants])
    if wrong or taken:
        raise (CatalogRefused if wrong else CodeTaken)(wrong | taken)
    with _storing(actor, drafts[0].code if drafts else ""):
        products = Product.objects.bulk_create(
            [
                Product(code=one.code, name=one.name, option_names=list(one.option_names), sale_state=one.sale_state)
                for one in drafts
            ],
            batch_size=1000,
        )
        store_variants({product: draft.variants for product, draft in zip(products, drafts, strict=True)})
        announce_created(products, at=at, actor=actor)
    return products


def edit_product(
    *,
    product_id: int,
    seen: int,
    name: str,
    sale_state: str,
    edits: Mapping[int, VariantEdit],
    added: Sequence[VariantDraft] = (),
    at: datetime,
    actor: User | None,
) -> Product:
    """상품 수정: name, sale state, stored variants and further variants in one step; the same values change nothing.

    `seen` is the Product.version of the page. Raises NotFound, ProductChanged with who was first, CatalogRefused.
    """
    with _storing(actor, ""):
        product = next(iter(locked(Product.objects.filter(pk=product_id))), None)
        if product is None:
            raise NotFound("상품을 찾을 수 없습니다.")
        if product.version != seen:
            raise ProductChanged(_who_was_first(product))
        variants = {variant.pk: variant for variant in Variant.objects.filter(product=product).order_by("pk")}
        _refuse_edit(product, variants, edits, added)
        old_state = product.sale_state
        changed = _assign(product, {"name": name, "sale_state": sale_state}, prefix="")
        for pk, edit in edits.items():
            changed |= _assign(variants[pk], asdict(edit), prefix=f"{variants[pk].sku} ")
        Variant.objects.bulk_update(variants.values(), [*VariantEdit.__dataclass_fields__, "updated_at"])
        changed |= {f"{variant.sku} 추가": ["", variant.option_text] for variant in store_variants({product: added})}
        if changed:
            product.version += 1
            product.save(update_fields=["name", "sale_state", "version", "updated_at"])
            change = Change(product, old_state, product.sale_state, product.version)
            record(Outcome(changes=[change]), PRODUCT_EDITED, at=at, actor=actor, data={product.pk: changed})
    return product


def announce_created(products: Sequence[Product], *, at: datetime, actor: User | None) -> None:
    """상품 등록 이력: one event for each product that was just stored; for the services of this app."""
    changes = [Change(product, "", product.sale_state, product.version) for product in products]
    record(Outcome(changes=changes), PRODUCT_CREATED, at=at, actor=actor)


@contextmanager
def _storing(actor: User | None, code: str) -> Iterator[None]:
    """One transaction; a code that somebody else stored a moment ago is a refusal, not a crash."""
    try:
        with locking(actor=actor):
            yield
    except IntegrityError as error:
        raise CodeTaken({code: "방금 다른 상품이나 품목이 같은 코드로 저장되었습니다. 코드를 확인하세요."}) from error


def _refuse_edit(
    product: Product, variants: Mapping[int, Variant], edits: Mapping[int, VariantEdit], added: Sequence[VariantDraft]
) -> None:
    if strange := set(edits) - set(variants):
        raise NotFound(f"이 상품에 없는 품목입니다: {min(strange)}")
    problem = variants_problem(added, option_count=len(product.option_names)) if added else ""
    stored = {tuple(variant.option_values) for variant in variants.values()}
    if twice := [draft for draft in added if draft.option_values in stored]:
        problem = f"옵션 '{' / '.join(twice[0].option_values)}' 품목이 이미 있습니다."
    if len(variants) + len(added) > MOST_VARIANTS:
        problem = f"품목은 한 상품에 {MOST_VARIANTS}개까지 만들 수 있습니다."
    if any(not edit.sku for edit in edits.values()):
        problem = "품목코드를 입력하세요."
    skus = [*(edit.sku for edit in edits.values()), *(draft.sku for draft in added)]
    problems = {product.code: problem} if problem else sku_problems([(product.code, sku) for sku in skus], own=edits)
    if problems:
        raise CatalogRefused(problems)


def _assign(row: Product | Variant, wanted: Mapping[str, Any], *, prefix: str) -> dict[str, list[Any]]:
    """Set the columns that differ; what changed by Korean column name, for the history."""
    changed = {}
    for name, value in wanted.items():
        if getattr(row, name) != value:
            changed[f"{prefix}{row._meta.get_field(name).verbose_name}"] = [getattr(row, name), value]  # type: ignore[union-attr]
            setattr(row, name, value)
    return changed


def _who_was_first(product: Product) -> str:
    history = event_model().objects.filter(subject=Product.event_subject, subject_id=product.pk)
    last = history.select_related("actor").order_by("-version").first()
    who = f"{named(last.actor if last else None)}이"
    when = f" {last.at.astimezone(KST):%H:%M}에" if last else ""
    return f"{who}{when} 먼저 수정했습니다. 내 값과 비교해 주세요."


def store_variants(wanted: Mapping[Product, Collection[VariantDraft]]) -> list[Variant]:
    """품목 저장: new variants of stored products with their stock levels; for the services of this app.

    The caller has locked or just created the products and checked the drafts. Variants without a code of their own get
    the next free "<product code>-NN".
    """
    drafts = [(product, draft) for product, group in wanted.items() for draft in group]
    if not drafts:
        return []
    codes = _free_skus(
        Counter(product.code for product, draft in drafts if not draft.sku), taken={draft.sku for _, draft in drafts}
    )
    variants = Variant.objects.bulk_create(
        [
            Variant(
                product=product,
                sku=draft.sku or codes[product.code].pop(0),
                barcode=draft.barcode,
                option_values=list(draft.option_values),
                price=draft.price,
                weight_grams=draft.weight_grams,
                location=draft.location,
                is_active=draft.is_active,
            )
            for product, draft in drafts
        ],
        batch_size=1000,
    )
    StockLevel.objects.bulk_create([StockLevel(variant=variant) for variant in variants], batch_size=1000)
    return variants


def _free_skus(needed: Mapping[str, int], *, taken: Collection[str]) -> dict[str, list[str]]:
    """Unused codes by product code, counting on from the number of variants the product has: "P100-03"."""
    owned = Variant.objects.filter(product__code__in=needed).values_list("product__code")
    reached = dict.fromkeys(needed, 0) | dict(owned.annotate(number=Count("pk")))
    found: dict[str, list[str]] = {code: [] for code in needed}
    while missing := {code: number - len(found[code]) for code, number in needed.items() if len(found[code]) < number}:
        candidates = []
        for code, number in missing.items():
            candidates += [(code, f"{code}-{reached[code] + n:02d}") for n in range(1, number + 1)]
            reached[code] += number
        skus = [sku for _, sku in candidates]
        used = set(taken) | set(Variant.objects.filter(sku__in=skus).values_list("sku", flat=True))
        for code, sku in candidates:
            if sku not in used:
                found[code].append(sku)
    return found
