"""What a product or a variant shall be, before it is stored; the rules that hold for both ways of storing."""

import re
import unicodedata
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field

from core.exceptions import DomainError
from core.korean import josa, particle
from products.models import Product, SaleState, Variant

MOST_OPTIONS = 3
MOST_VARIANTS = 200
MOST_PRICE = 999_999_999
RESERVED_CODES = frozenset({"new", "stock", "excel", "poll", "columns", "views", "mapping"})
"""Words that are pages of their own under /products/."""

_CODE_JUNK = re.compile(r"[\x00-\x20\x7f/\\?#%]+")


class CatalogRefused(DomainError):
    """상품 저장 불가: Korean reasons by product code; nothing of the set is stored."""

    code = "catalog_refused"

    def __init__(self, problems: dict[str, str]) -> None:
        super().__init__(" ".join(dict.fromkeys(problems.values())))
        self.problems = problems


class CodeTaken(CatalogRefused):
    """이미 쓰는 코드: another product or variant has the same code, perhaps for a moment only."""

    code = "code_taken"
    status = 409


@dataclass(frozen=True, slots=True)
class VariantDraft:
    """품목 초안: an empty sku is derived from the product's code; price in won, weight in grams."""

    option_values: tuple[str, ...] = ()
    price: int = 0
    sku: str = ""
    barcode: str = ""
    weight_grams: int | None = None
    location: str = ""
    is_active: bool = True


@dataclass(frozen=True, slots=True)
class ProductDraft:
    """상품 초안: without option names it has exactly one variant."""

    code: str
    name: str
    option_names: tuple[str, ...] = ()
    variants: tuple[VariantDraft, ...] = field(default=(VariantDraft(),))
    sale_state: SaleState = SaleState.ON_SALE


def clean_code(text: str) -> str:
    """상품코드 정리: the text as it can stand in an address: no blanks, slashes or control characters, 40 at most."""
    return _CODE_JUNK.sub("-", unicodedata.normalize("NFC", text).strip()).strip("-")[:40]


def clean_text(text: str, most: int) -> str:
    """글자 정리: one line without control characters, trimmed, at most `most` characters."""
    shown = "".join(char if char.isprintable() else " " for char in unicodedata.normalize("NFC", text))
    return " ".join(shown.split())[:most].strip()


def draft_problem(draft: ProductDraft) -> str:
    """초안 문제: what is wrong with a draft by itself, in Korean; "" when it is fine."""
    if not draft.code or draft.code != clean_code(draft.code) or draft.code in RESERVED_CODES:
        return (
            f"상품코드 '{draft.code}'{particle(draft.code, '은/는')} 쓸 수 없습니다. 빈칸과 / 없이 40자까지 입력하세요."
        )
    if not draft.name.strip():
        return "상품명을 입력하세요."
    names = draft.option_names
    if len(names) > MOST_OPTIONS or len(set(names)) != len(names) or not all(names):
        return f"옵션 이름은 서로 다르게 {MOST_OPTIONS}개까지 입력하세요."
    return variants_problem(draft.variants, option_count=len(names))


def variants_problem(variants: Collection[VariantDraft], *, option_count: int) -> str:
    """품목 문제: what is wrong with the variants of one product, in Korean; "" when they are fine."""
    if not 1 <= len(variants) <= MOST_VARIANTS:
        return f"품목은 1개부터 {MOST_VARIANTS}개까지 만들 수 있습니다. 지금은 {len(variants)}개입니다."
    for variant in variants:
        if len(variant.option_values) != option_count or not all(variant.option_values):
            return f"품목마다 옵션 값 {option_count}개를 모두 입력하세요."
        if not 0 <= variant.price <= MOST_PRICE:
            return f"판매가는 0원부터 {MOST_PRICE:,}원까지 입력할 수 있습니다."
    options = Counter(variant.option_values for variant in variants)
    if twice := [values for values, times in options.items() if times > 1]:
        return f"옵션 '{' / '.join(twice[0]) or '없음'}' 품목이 두 번 들어 있습니다. 하나만 남기세요."
    return ""


def sku_problems(drafts: Collection[tuple[str, str]], *, own: Collection[int] = ()) -> dict[str, str]:
    """품목코드 문제: {product code: Korean reason} for (product code, sku) pairs that are taken or given twice.

    `own` are variant ids whose present codes do not count as taken.
    """
    wanted = [(code, sku) for code, sku in drafts if sku]
    times = Counter(sku for _, sku in wanted)
    stored = Variant.objects.filter(sku__in=times).exclude(pk__in=own).values_list("sku", flat=True)
    taken = set(stored)
    problems = {}
    for code, sku in wanted:
        if sku in taken:
            problems[code] = f"{josa(f'품목코드 {sku}', '은/는')} 다른 품목이 쓰고 있습니다."
        elif times[sku] > 1:
            problems[code] = f"{josa(f'품목코드 {sku}', '이/가')} 두 번 들어 있습니다."
    return problems


def code_problems(codes: Collection[str]) -> dict[str, str]:
    """상품코드 문제: {code: Korean reason} for product codes that are taken or given twice."""
    times = Counter(codes)
    taken = set(Product.objects.filter(code__in=times).values_list("code", flat=True))
    return {
        code: f"{josa(f'상품코드 {code}', '은/는')} 이미 쓰고 있습니다. 다른 코드를 입력하세요."
        for code, number in times.items()
        if code in taken or number > 1
    }
