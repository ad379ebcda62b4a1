"""The word splitter: raw text to words with character offsets.

It splits as MultiNERD's tokens are split, in English and Italian:

- A punctuation mark is a word. But hyphens, apostrophes and points inside words, numbers, initials and abbreviations
  belong to them. A hyphen or an apostrophe between digits does not: 2|-|1.
- An English contraction or possessive ending is a word (do|n't, Anna|'s), and so is a Romance elision (l'|eau).
- The s of a decade is a word: 1990|s.
- Each CJK character is a word, and so is each Thai, Lao, Burmese or Khmer letter with its marks.
"""

import re
from unicodedata import category

UNSPACED = (  # Japanese and Chinese; Thai and Lao; Burmese; Khmer: no spaces between words
    "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"
)
# Combining marks, and characters without width, belong to the word around them. `\w` has no marks, which are vowels in
# many scripts.
MARKS = "".join(c for c in map(chr, (*range(0x300, 0x1E00), *range(0xA66F, 0xABEE))) if category(c)[0] == "M")
INSIDE = MARKS + "\u00ad\u200b-\u200d\u2060\ufeff"
LETTERS = rf"[{INSIDE}]*[^\W{UNSPACED}]+(?:[{INSIDE}][^\W{UNSPACED}]*)*"  # or digits
APOSTROPHE = "['\u2019]"
QUOTES = "'\"\u2018\u2019\u201c\u201d"
JOINER = r"[-\u2010\u2011\u2013'\u2019&\u00b7]"  # hyphens, apostrophes, ampersand and middle dot
ENDING = rf"{APOSTROPHE}(?i:s|d|m|ll|re|ve)(?!\w)"
NOT = rf"(?i:n{APOSTROPHE}t)(?!\w)"
PART = rf"{LETTERS}(?<!\d0s)(?!(?<=[nN]){APOSTROPHE}[tT](?!\w))"  # it ends before n't, and before the s of 1990s
# Before an apostrophe: l'eau, d'Italia, dell'arte, quest'anno, un po' di
ELIDED = (
    r"[cdjlmnst]|qu|un|all|[dns][aeu]ll|quell|quest|anch|senz|tutt|tant|sant|(?:ven|tren|quaran|cinquan|sessan)t"
    r"|com|cos|dov|(?:po|de)(?=.(?!\w))"
)
# They end with a point, unless the text ends with it.
ABBREVIATIONS = (
    "mrs?|ms|drs?|prof|st|mt|jr|sr|no|vol|vs|inc|ltd|co|corp|bros|gen|sen|rev|gov|capt|col|lt|var|cfr?|etc|ecc"
)

WORD = re.compile(
    "|".join(
        (
            rf"[^\W\d{UNSPACED}]{{2,}}+(?=[\s,])",  # most words, to save time
            NOT,
            rf"(?<!\w)(?i:{ELIDED})(?!{ENDING}){APOSTROPHE}(?=\w)",
            rf"(?<![\w{QUOTES}])(?i:{ELIDED})(?!{ENDING}){APOSTROPHE}",  # after a quote, it may be the closing one
            r"(?<!\w)(?:[Pp]h\.D\.|(?:[^\W\d_]\.){2,})",  # U.S., e.g., Ph.D.
            rf"(?<!\w)(?:[^\W\d_]|(?i:{ABBREVIATIONS}))\.(?!\s*$)(?=\s|,)",
            r"\d+(?:[.,:]\d+)+(?!\w)",  # 1,000 and 2.5
            rf"{PART}(?:(?!{ENDING}|(?<=\d)[^&]\d){JOINER}{PART})*",
            r"(?<=\d0)s",
            rf"[{UNSPACED}][{MARKS}]*",
            rf"[{INSIDE}]+",  # without a letter: all at once, because LETTERS looks through all of them
            rf"{ENDING}(?!{APOSTROPHE})",
            r"°[CF](?!\w)",
            r"([^\w\s\",()\[\]])\1*",  # punctuation, the same character repeated: ``, ..., --
            r"[\",()\[\]]",
        )
    )
)


def word_offsets(text: str) -> list[tuple[int, int]]:
    """Half-open character ranges of the words of a text, in order. Between them is only white space."""
    return [match.span() for match in WORD.finditer(text)]
