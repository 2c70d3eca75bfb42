"""The row that Python draws and the row template are one and the same."""

from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from core.lists.view import Row, Tr


def row(css: str, lines: int) -> Row:
    cells = SafeString("<td>수건 &lt;대&gt;</td>")
    trs = tuple(Tr(f"20251121-0000001-0{line + 1}", "READY", cells) for line in range(lines))
    return Row(7, 3, "20251121-0000001", "READY", css, "20251121-0000001", trs)


def test_the_row_drawn_in_python_equals_the_row_template():
    for css, lines in (("", 1), ("", 3), ("moved", 2), ("late moved", 1)):
        one = row(css, lines)
        assert one.html == render_to_string("generic/_row.html", {"row": one}).strip()


def test_a_row_of_the_poll_replaces_itself_inside_a_template():
    answer = render_to_string("generic/_rows.html", {"rows": [row("moved", 2)], "since": "17"})
    assert answer.count("<template>") == answer.count("<tbody") == 1
    assert 'id="row-7" class="moved"' in answer
    assert 'hx-swap-oob="true"' in answer
    assert '<meta id="since" content="17" hx-swap-oob="true">' in answer
