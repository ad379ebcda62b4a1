"""Sentences as people write them: which of MultiNERD's tokens have no space between them, in English and Italian.

The rules are those of typing. They know nothing of the word splitter, which is measured with them.
"""

import re

Offsets = list[tuple[int, int]]  # the half-open character range of each token
Sides = tuple[bool, bool]  # whether a token touches the one before it, and the one after it

AT_LEFT = {*", . ; : ? ! ) ] } % » … ... ° °C °F".split(), "\u2019", "\u201d", "\u2032", "\u2033"}
AT_RIGHT = {*"( [ { « ~ #".split(), "\u2018", "\u201c"}
DASHES = {"-", "\u2013", "\u2212", "\u00d7"}  # and the multiplication sign
CURRENCIES = {*"$ £ € ¥ ₨".split()}
CLOSING = {*", . ; : ? ! ) ]".split(), ""}  # "" is the end of the sentence
CONTRACTED = re.compile(r"['\u2019](s|m|d|ve|re|ll)|n['\u2019]t", re.IGNORECASE)  # English: one token
ENDING = re.compile(r"s|m|d|t|ve|re|ll", re.IGNORECASE)  # the Italian corpus: It ' s
VOWELS = tuple("aeiouàèéìòù")
APOCOPES = {*"po de mo e a i".split()}  # a space follows their apostrophe: un po' di, de' Medici
NOT_POSSESSIVE = {*"as is was its has this does thus".split()}  # an apostrophe after them begins a quotation
DIGIT = re.compile(r"\d")
# MultiNERD has a straight quote in the place of a hard space: 30 " km.
UNIT = re.compile(r"[a-zµ]{1,3}[²³]?|°[CF]|UA|[kM]?Hz|[bm]illions?|K|s\.l\.m\.|days|(kg|km|m)/\w+")


def joined(tokens: list[str]) -> tuple[str, Offsets]:
    """The tokens with a space between them, and their ranges."""
    return spaced(tokens, [(False, False)] * len(tokens))


def written(tokens: list[str], lang: str) -> tuple[str, Offsets]:
    """A sentence in English (`en`) or Italian (`it`) as people write it, and the ranges of its tokens."""
    sides: list[Sides] = []
    inside = {'"': False, "'": False}  # a quotation
    for i, token in enumerate(tokens):
        before, after = tokens[i - 1] if i else "", tokens[i + 1] if i + 1 < len(tokens) else ""
        mark = mark_sides(before, token, after, lang)
        if mark is None:  # a quotation mark
            closes = inside[token] or after in CLOSING
            if token == "'" and not inside[token] and "'" not in tokens[i + 1 :]:  # or the only one: Rus' di Kiev
                closes = before.isalpha()
            closes &= before not in AT_RIGHT | {""}
            inside[token] = not closes
            mark = closes, not closes
        sides.append(mark)
    return spaced(tokens, sides)


def spaced(tokens: list[str], sides: list[Sides]) -> tuple[str, Offsets]:
    """The tokens with a space where neither of two neighbours touches the other, and their ranges."""
    text, offsets, touched = "", [], True
    for token, (left, right) in zip(tokens, sides, strict=True):
        text += token if left or touched else f" {token}"
        offsets.append((len(text) - len(token), len(text)))
        touched = right
    return text, offsets


def mark_sides(before: str, token: str, after: str, lang: str) -> Sides | None:
    """What a token touches, from the tokens beside it; None if it is a quotation mark, which may open or close."""
    after_number, before_number = before[-1:].isdigit(), after[:1].isdigit()
    if token == '"':
        return (True, False) if after_number and UNIT.fullmatch(after) else None
    if token == "'":
        return apostrophe_sides(before, after, lang)
    if token in DASHES:
        if after_number and before_number:  # 2-0, 4x100
            return True, True
        if token == "-" and DIGIT.search(before) and after[:1].islower():  # 1.3-litre, 20th-century, 23-year-old
            return True, True
        return False, before_number and not before[-1:].isalnum()  # -5
    if token == "+":
        return after_number and not before_number, before_number  # 18+, +1
    if token in CURRENCIES:
        return len(before) < 4 and before.isupper(), before_number  # US$20
    if token in ("/", "//"):
        return True, True
    if lang == "en":
        of_number = (after_number and token == "s") or (before.startswith("mid-") and token == "th")  # 1990s, mid-19th
        return token in AT_LEFT or of_number or CONTRACTED.fullmatch(token) is not None, token in AT_RIGHT
    elided = token[-1] in "'\u2019" and token[:-1].isalpha() and token[:-1].lower() not in APOCOPES  # l'acqua
    return token in AT_LEFT, token in AT_RIGHT or elided


def apostrophe_sides(before: str, after: str, lang: str) -> Sides | None:
    """What a straight apostrophe touches; None if it may be a quotation mark."""
    after_number, before_number = before[-1:].isdigit(), after[:1].isdigit()
    if after_number and (lang != "en" or not after[:1].isalpha()):
        return True, before_number  # 26'26", al 73' da
    if before_number:
        return False, True  # anni '70
    if not before[-1:].isalpha():
        return None
    if ENDING.fullmatch(after) or (before in ("O", "D", "d") and after[:1].isupper()):
        return True, True  # It's, O'Neal
    if lang == "en":
        possessive = before.endswith(("s", "z", "x", "in")) and before not in NOT_POSSESSIVE
        return (True, False) if possessive and after[:1].isalpha() else None
    elided = not before.endswith(VOWELS) and after.lower().startswith((*VOWELS, "h"))
    return (True, True) if elided else None  # v'era
