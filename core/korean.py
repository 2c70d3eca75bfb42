"""우리말: particles by the last sound (ux.md 6.4)."""

import re
import unicodedata

FIRST_SYLLABLE, LAST_SYLLABLE = ord("가"), ord("힣")
FINALS = 28
RIEUL_INDEX = 8

# The pair as the caller may write it -> (after a consonant, after a vowel).
PARTICLES = {
    pair: (consonant, vowel)
    for consonant, vowel in [
        ("을", "를"),
        ("이", "가"),
        ("은", "는"),
        ("과", "와"),
        ("으로", "로"),
        ("이나", "나"),
        ("이라", "라"),
        ("이며", "며"),
        ("이란", "란"),
    ]
    for pair in (f"{consonant}/{vowel}", f"{vowel}/{consonant}")
}

VOWEL, RIEUL, CONSONANT = "vowel", "rieul", "consonant"
_DIGITS = dict(
    zip("0123456789", [CONSONANT, RIEUL, VOWEL, CONSONANT, VOWEL, VOWEL, CONSONANT, RIEUL, RIEUL, VOWEL], strict=True)
)
_LETTERS = {"l": RIEUL, "r": RIEUL, "m": CONSONANT, "n": CONSONANT}
_SIGNS = {"%": VOWEL, "+": VOWEL, "&": VOWEL, "#": CONSONANT, "℃": VOWEL}
# How the endings of English words are read in Korean: 엑셀, 구글, 온라인, 네임, 쿠팡, 페이스북, 팩, 캡, 챗.
_WORD_ENDINGS = [
    (re.compile(r"(l|le)$"), RIEUL),
    (re.compile(r"(m|n|ng|me|ne|ck)$"), CONSONANT),
    (re.compile(r"[aeiou][bckpt]$"), CONSONANT),
]


def josa(word: str, pair: str) -> str:
    """조사: the word with the fitting one of a pair, `josa("송장번호", "을/를")` -> `송장번호를`.

    The last sound decides: Hangul by its final consonant, digits and letters by their Korean reading. Closing marks and
    a remark in brackets at the end are passed over. Raises KeyError for a pair that is no particle.
    """
    return word + particle(word, pair)


def particle(word: str, pair: str) -> str:
    """조사만: the particle alone, for a word that is marked up by itself."""
    consonant, vowel = PARTICLES[pair]
    sound = _last_sound(word)
    if sound == VOWEL or (sound == RIEUL and vowel == "로"):
        return vowel
    return consonant


def _last_sound(word: str) -> str:
    text = unicodedata.normalize("NFKC", word).strip()
    text = re.sub(r"(?<=\w)\s*[(\[][^()\[\]]*[)\]]$", "", text)
    for position in range(len(text) - 1, -1, -1):
        char = text[position]
        if FIRST_SYLLABLE <= ord(char) <= LAST_SYLLABLE:
            final = (ord(char) - FIRST_SYLLABLE) % FINALS
            return VOWEL if final == 0 else RIEUL if final == RIEUL_INDEX else CONSONANT
        if char in _DIGITS:
            return _number_sound(text[: position + 1])
        if char in _SIGNS:
            return _SIGNS[char]
        if char.isascii() and char.isalpha():
            return _latin_sound(text[: position + 1])
        if "ㄱ" <= char <= "ㅎ":
            return RIEUL if char == "ㄹ" else CONSONANT
    return VOWEL


def _number_sound(text: str) -> str:
    number = re.search(r"[\d,.]*\d$", text)
    digits = number.group().replace(",", "") if number else text[-1]
    zeros = len(digits) - len(digits.rstrip("0"))
    # 조 (a million millions) is the only power of ten that ends in a vowel; a code with a leading zero is spelt.
    if 12 <= zeros < 16 and not digits.startswith("0"):
        return VOWEL
    return _DIGITS[digits[-1]]


def _latin_sound(text: str) -> str:
    match = re.search(r"[A-Za-z]+$", text)
    word = match.group() if match else text[-1]
    if len(word) == 1 or word.isupper():
        return _LETTERS.get(word[-1].lower(), VOWEL)
    for ending, sound in _WORD_ENDINGS:
        if ending.search(word.lower()):
            return sound
    return VOWEL
