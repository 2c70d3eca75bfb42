"""목록: one mechanism for every list page. Upper apps import from here.

A page is declared by `@lists.register class X(ListPage)`; an upper app adds to it by `lists.extend("name", ...)` in its
own `lists.py`. `lists.page(name).query(params, user=..., at=...)` is the one object behind rows, counts, file and API.
"""

from core.lists.declare import NUMBER, TAIL, WORD, DateBasis, Group, ListColumn, ListTab, SearchArm
from core.lists.filters import Choices, Condition, Count, ListFilterSet, WonRange
from core.lists.followed import FollowedRows
from core.lists.page import ListPage, Moved, RowHead
from core.lists.query import BadParameter, ListQuery, ListRefused
from core.lists.registry import get_page, lists
from core.lists.sql import ByIds, OneOf
from core.lists.view import Button, Tool
from core.paging import Sort

__all__ = [
    "NUMBER",
    "TAIL",
    "WORD",
    "BadParameter",
    "Button",
    "ByIds",
    "Choices",
    "Condition",
    "Count",
    "DateBasis",
    "FollowedRows",
    "Group",
    "ListColumn",
    "ListFilterSet",
    "ListPage",
    "ListQuery",
    "ListRefused",
    "ListTab",
    "Moved",
    "OneOf",
    "RowHead",
    "SearchArm",
    "Sort",
    "Tool",
    "WonRange",
    "get_page",
    "lists",
]
