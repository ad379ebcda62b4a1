"""The word splitter: raw text to words with character offsets.

It splits as MultiNERD's tokens are split:

- A punctuation mark is a word. But hyphens, apostrophes and points inside words, numbers, initials and abbreviations
  belong to them.
- An English possessive ending is a word, and so is a Romance elision.
- Each CJK character is a word.
"""

import re

CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
# Combining accents, and characters without width, belong to the word around them.
INSIDE = "\u00ad\u0300-\u036f\u200b-\u200d\u2060\ufeff"
LETTER = rf"(?:(?![{CJK}])[\w{INSIDE}])"
APOSTROPHE = "['\u2019]"

WORD = re.compile(
    "|".join(
        (
            rf"[{CJK}]",
            rf"{APOSTROPHE}s(?!\w)",
            # l'eau, d'Italia, qu'il, dell'arte
            rf"(?<!\w)(?:[cdjlmnst]|qu|un|[dns][eau]ll|all){APOSTROPHE}(?=\w)",
            r"(?<!\w)(?:[^\W\d_]\.){2,}",  # U.S., e.g.
            # An initial or an abbreviation, unless the text ends with it.
            r"(?<!\w)(?:[^\W\d_]|mrs?|ms|drs?|prof|st|mt|jr|sr|no|vol|vs|inc|ltd|co|corp|bros|gen|sen|rev|capt|col|lt)"
            r"\.(?!\s*$)(?=\s|,)",
            r"\d+(?:[.,:]\d+)+(?!\w)",  # 1,000 and 2.5
            # A word and what hyphens, apostrophes and ampersands join to it, but not its possessive ending.
            rf"{LETTER}+(?:(?!{APOSTROPHE}s(?!\w))[-\u2010\u2011\u2013'\u2019&\u00b7]{LETTER}+)*",
            r"([^\w\s])\1*",  # punctuation, the same character repeated: ``, ..., --
        )
    ),
    re.IGNORECASE,
)


def word_offsets(text: str) -> list[tuple[int, int]]:
    """Half-open character ranges of the words of a text, in order. Between them is only white space."""
    return [match.span() for match in WORD.finditer(text)]
