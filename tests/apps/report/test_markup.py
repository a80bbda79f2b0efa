from hypothesis import given
from hypothesis import strategies as st

from contraview.apps.report.markup import Markup, table, tag


def test_text_is_escaped_and_markup_is_not():
    inner = tag("b", "a<b")
    assert inner == "<b>a&lt;b</b>"
    assert tag("p", inner, " & ", 3, None, class_="x") == ('<p class="x"><b>a&lt;b</b> &amp; 3</p>')


def test_attributes_cannot_be_left():
    assert tag("i", aria_label='"><script>') == '<i aria-label="&quot;&gt;&lt;script&gt;"></i>'


@given(st.text())
def test_no_text_makes_a_tag(text):
    shown = tag("p", text, title=text)
    assert shown.count("<") == shown.count(">") == 2
    assert shown.count('"') == 2


def test_a_cell_that_looks_like_markup_is_text():
    made = table(["name", "count"], [["<td>", 1], [Markup("<td>2</td>"), 3]], numbers=range(1, 2))
    assert "<td>&lt;td&gt;</td>" in made
    assert "<tr><td>2</td>" in made
    assert '<td class="number">3</td>' in made


def test_terminal_sequences_and_turned_text_are_visible_and_lines_stay_lines():
    shown = tag("p", "a\x1b[31m\u202eb\nc")
    assert shown == "<p>a\\x1b[31m\\u202eb\nc</p>"
