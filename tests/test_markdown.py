"""Text from data inside Markdown: nothing is taken for markup, and ordinary names stay readable."""

import pytest

from ner.markdown import escape


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("distilbert_default_2", "distilbert_default_2"),
        ("p < 0.001 & more", "p < 0.001 & more"),
        (12, "12"),
        ("_a_ __b c__d", r"\_a\_ \_\_b c\_\_d"),
        ("<b>|&amp;", r"&lt;b&gt;\|&amp;amp;"),
        ("</b><!-- <?x", "&lt;/b&gt;&lt;!-- &lt;?x"),
        ("![a](b) *c* `d` #e \\", r"!\[a\](b) \*c\* \`d\` \#e " + "\\\\"),
        ("two\nlines\t\x1b[0m", "two lines \ufffd\\[0m"),
    ],
)
def test_markup_is_escaped_and_names_stay_readable(value: object, expected: str) -> None:
    assert escape(value) == expected
