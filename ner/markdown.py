"""Text from data and options inside Markdown."""

import re

from ner.errors import printable


def escape(value: object) -> str:
    """A value as one line of Markdown text, so that neither Markdown nor HTML takes it for markup.

    What cannot begin markup stays as it is: an underscore within a word, and `<` or `&` before a space.
    """
    text = printable(" ".join(str(value).split()))
    text = re.sub(r"&(?=[#\w])", "&amp;", text)
    text = re.sub(r"<(?=[a-zA-Z/!?])", "&lt;", text).replace(">", "&gt;")
    return re.sub(r"[\\`*\[\]|#]|(?<![^\W_])_|_(?![^\W_])", r"\\\g<0>", text)
