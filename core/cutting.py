"""Texts cut to the bytes that a field of a PG or courier holds, never inside a character."""


def cut(text: str, *, most: int, charset: str = "cp949") -> str:
    """At most so many bytes in the charset, on one line; characters that the charset lacks are left out."""
    kept, size = [], 0
    for char in " ".join(text.split()):
        length = len(char.encode(charset, "ignore"))
        if size + length > most:
            break
        if length and char.isprintable():
            kept.append(char)
            size += length
    return "".join(kept).strip()


def digits_of(text: str) -> str:
    """The ASCII digits of an account, phone or waybill number."""
    return "".join(char for char in text if char in "0123456789")
