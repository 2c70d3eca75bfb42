"""Option sets of the sample products: names with their values."""

from itertools import product as combinations

Options = tuple[tuple[str, tuple[str, ...]], ...]

NONE: Options = ()
TOP: Options = (("색상", ("화이트", "블랙", "네이비")), ("사이즈", ("S", "M", "L")))
PANTS: Options = (("색상", ("블랙", "베이지")), ("사이즈", ("26", "28", "30", "32")))
SHOES: Options = (("색상", ("블랙", "아이보리")), ("사이즈", ("230", "240", "250", "260", "270")))
BAG: Options = (("색상", ("블랙", "브라운", "아이보리")),)
SOCKS: Options = (("색상", ("무채색", "파스텔")), ("사이즈", ("여성", "남성")))
WEIGHT: Options = (("구성", ("1묶음", "2묶음", "3묶음")),)
BOXES: Options = (("구성", ("1박스", "2박스")),)
HEAT: Options = (("맛", ("순한맛", "매운맛")),)
COLOUR: Options = (("색상", ("화이트", "그레이", "우드")),)
SIZE: Options = (("크기", ("소형", "중형", "대형")),)
BEDDING: Options = (("크기", ("싱글", "퀸", "킹")), ("색상", ("그레이", "베이지")))

# Sets whose later values hold more goods: the price rises with them, in percent of the first.
RISES = {WEIGHT: (100, 190, 270), BOXES: (100, 185), SIZE: (100, 130, 160), BEDDING: (100, 100, 125, 125, 145, 145)}


def variants_of(options: Options, price: int) -> list[tuple[list[str], int]]:
    """Every combination of values with its price in won, rounded to 100."""
    values = [list(chosen) for chosen in combinations(*(each for _, each in options))]
    percents = RISES.get(options, ())
    return [
        (chosen, round(price * (percents[n] if n < len(percents) else 100) / 10_000) * 100)
        for n, chosen in enumerate(values)
    ]
