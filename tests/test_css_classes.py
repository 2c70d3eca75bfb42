"""A class that a template writes exists in our style sheets: a name that no rule knows is a page without its looks."""

import re
from pathlib import Path

from django.conf import settings

from shipping.states import ColouredChoices

HOOKS = {"dirty": "guard.js asks before a form with it is left"}
"""Classes without a rule of their own: what they are for."""

CLASS = re.compile(r"""(?<![-\w])class=(?:"([^"]*)"|'([^']*)')""")
MARK = re.compile(r"\{#.*?#\}|\{%.*?%\}", re.S)
VALUE = "\N{REPLACEMENT CHARACTER}"
SELECTOR = re.compile(r"\.(-?[A-Za-z_][\w-]*)")


def written_classes(html: str) -> set[str]:
    """Names in class attributes, both arms of an if; names that are put together from a value are left out."""
    bare = re.sub(r"\{\{.*?\}\}", VALUE, MARK.sub(" ", html), flags=re.S)
    return {name for found in CLASS.findall(bare) for name in " ".join(found).split() if VALUE not in name}


def styled_classes() -> set[str]:
    """Names in the selectors of static/css; what stands inside braces or in a comment is no selector."""
    found: set[str] = set()
    for sheet in Path(settings.BASE_DIR, "static/css").glob("*.css"):
        rules = re.sub(r"/\*.*?\*/", "", sheet.read_text(encoding="utf-8"), flags=re.S)
        for prelude in re.findall(r"([^{};]+)\{", rules):
            found.update(SELECTOR.findall(prelude))
    return found


def test_every_class_of_a_template_has_a_rule():
    styled = styled_classes() | set(HOOKS)
    missing = {
        str(path.relative_to(settings.BASE_DIR)): sorted(unknown)
        for path in Path(settings.BASE_DIR, "templates").rglob("*.html")
        if (unknown := written_classes(path.read_text(encoding="utf-8")) - styled)
    }
    assert missing == {}


def test_every_colour_of_a_box_and_of_what_couriers_say_has_a_rule():
    colours = {one.css for kind in ColouredChoices.__subclasses__() for one in kind}
    assert len(colours) >= 5
    assert colours - styled_classes() == set()


def test_a_hook_is_really_written_and_really_without_a_rule():
    written: set[str] = set()
    for path in Path(settings.BASE_DIR, "templates").rglob("*.html"):
        written |= written_classes(path.read_text(encoding="utf-8"))
    assert set(HOOKS) <= written
    assert not set(HOOKS) & styled_classes()


def test_the_names_are_read_out_of_conditions_and_values():
    html = '<b class="a{% if x %} b{% else %} c{% endif %} s-{{ state }} d" data-class="no"></b>'
    assert written_classes(html) == {"a", "b", "c", "d"}
