"""목록 등록부: every list page by its name, what upper apps add to it, and the counts that menus show."""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from core.lists.declare import Extension, ListColumn, ListTab, SearchArm

if TYPE_CHECKING:
    from core.lists.page import ListPage

Counts = Callable[[Collection[str]], Mapping[str, int]]


class Lists:
    """목록 등록부. Filled while the apps load (core/registry.py), read afterwards."""

    def __init__(self) -> None:
        self._pages: dict[str, ListPage] = {}
        self._extensions: dict[str, list[Extension]] = defaultdict(list)
        self._counts: dict[str, tuple[Counts, tuple[str, ...]]] = {}

    def register(self, page: type[Any]) -> type[Any]:
        """목록 등록: class decorator. A name is registered once."""
        if page.name in self._pages:
            raise ValueError(f"list {page.name} is declared twice")
        self._pages[page.name] = page()
        self._pages[page.name].registered()
        return page

    def extend(
        self,
        *names: str,
        columns: tuple[ListColumn, ...] = (),
        tabs: tuple[ListTab, ...] = (),
        arms: tuple[SearchArm, ...] = (),
        filters: Mapping[str, Any] | None = None,
    ) -> None:
        """목록에 덧붙이기: add to pages of a lower app by their names; `filters` maps parameter names to django-filter
        filters. Called from the `lists.py` of the upper app."""
        for name in names:
            self._extensions[name].append(Extension(columns, tabs, arms, dict(filters or {})))
            if name in self._pages:
                self._pages[name].forget()

    def extensions(self, name: str) -> list[Extension]:
        """덧붙임 of one page, in the order they were made."""
        return self._extensions[name]

    def page(self, name: str) -> "ListPage":
        """목록 찾기. Raises LookupError for an unknown name."""
        if name not in self._pages:
            raise LookupError(f"list {name!r} is not registered")
        return self._pages[name]

    def pages(self) -> list["ListPage"]:
        """모든 목록."""
        return list(self._pages.values())

    def counts(self, *names: str) -> Callable[[Counts], Counts]:
        """건수 등록: decorate a function that counts the unfinished rows of the lists whose names it is given.

        A later app may count a list again: it is asked instead, because it owns the page.
        """

        def decorate(provider: Counts) -> Counts:
            self._counts[f"{provider.__module__}.{provider.__name__}"] = (provider, names)
            return provider

        return decorate

    def menu_counts(self, known: Mapping[str, int] = MappingProxyType({})) -> dict[str, int]:
        """메뉴 건수: rows per list name without any filter; every list is counted by one app, with one query or two.

        `known` are lists that this request has counted already: they are not counted twice.
        """
        owner = {name: key for key, (_, names) in self._counts.items() for name in names}
        found = dict(known)
        for key, (provider, names) in self._counts.items():
            if mine := [name for name in names if owner[name] == key and name not in known]:
                found |= provider(mine)
        return found


lists = Lists()


def get_page(name: str) -> "ListPage":
    """목록 찾기 by name. Raises LookupError."""
    return lists.page(name)
