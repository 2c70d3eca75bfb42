"""엑셀: columns declared once, files written as a stream, uploaded files read by a limited process."""

from core.excel.cleaning import clean_name
from core.excel.columns import Column, Kind
from core.excel.csvfile import Replacement, stream_csv
from core.excel.errors import ERROR_HEADER, returned_cell, stream_errors
from core.excel.header import Header, find_header, fingerprint, header_at, match_columns, normalize
from core.excel.problems import ASKS_PASSWORD, FileProblem, Problem
from core.excel.protect import decrypt, encrypt
from core.excel.reader import Cell, Table, read_table
from core.excel.writer import stream_xlsx, write_xlsx

__all__ = [
    "ASKS_PASSWORD",
    "ERROR_HEADER",
    "Cell",
    "Column",
    "FileProblem",
    "Header",
    "Kind",
    "Problem",
    "Replacement",
    "Table",
    "clean_name",
    "decrypt",
    "encrypt",
    "find_header",
    "fingerprint",
    "header_at",
    "match_columns",
    "normalize",
    "read_table",
    "returned_cell",
    "stream_csv",
    "stream_errors",
    "stream_xlsx",
    "write_xlsx",
]
