"""One declaration of a column, shared by the list on screen, the Excel file and the API."""

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """열 종류: decides cell type, number format and alignment.

    TEXT stays text whatever it looks like; INTEGER and WON are whole numbers; DATE and DATETIME are shown in KST;
    ANY follows the Python type of each value; MARK is text on a coloured ground (the reason column of an error file).
    """

    TEXT = "text"
    INTEGER = "integer"
    WON = "won"
    DATE = "date"
    DATETIME = "datetime"
    ANY = "any"
    MARK = "mark"


@dataclass(frozen=True, slots=True)
class Column:
    """열: key for programs, Korean header for people, kind, and width in characters of the default font."""

    key: str
    header: str
    kind: Kind = Kind.TEXT
    width: int = 14
