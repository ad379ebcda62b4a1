"""Where words begin and end in raw text."""

import json
import random

import pytest
from conftest import STANDIN

from ner.corpus.sources import SAMPLE
from ner.word_splitter import word_offsets

CORPORA = [path for path in (*sorted(SAMPLE.rglob("*.jsonl")), STANDIN) if path.is_file()]  # STANDIN is not published


def words(text: str) -> list[str]:
    return [text[start:end] for start, end in word_offsets(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Rabies (a disease), kills.", "Rabies|(|a|disease|)|,|kills|."),
        ("O'Neill's dog isn't Jean-Luc's.", "O'Neill|'s|dog|is|n't|Jean-Luc|'s|."),
        ("I'm sure they've won, but CAN’T say", "I|'m|sure|they|'ve|won|,|but|CA|N’T|say"),
        ("I 'm sure you do n't , Anna 's cat", "I|'m|sure|you|do|n't|,|Anna|'s|cat"),
        ("In the 1990s and mid-1980s, 6502s", "In|the|1990|s|and|mid-1980|s|,|6502s"),
        ("a 2-1 win in 1998–99, a Boeing 737-800", "a|2|-|1|win|in|1998|–|99|,|a|Boeing|737|-|800"),
        ("an F-117, COVID-19 and 26'30''", "an|F-117|,|COVID-19|and|26|'|30|''"),
        ("US$1,500.50 or £3m at 20°C (68 °F)", "US|$|1,500.50|or|£|3m|at|20|°C|(|68|°F|)"),
        ('He said "","" (so) ((there)).', 'He|said|"|"|,|"|"|(|so|)|(|(|there|)|)|.'),
        ("Ph.D. etc. in Rome", "Ph.D.|etc.|in|Rome"),
        ("The players' U.S. tour, e.g. at St. John's", "The|players|'|U.S.|tour|,|e.g.|at|St.|John|'s"),
        ("J. R. Soto Jr. paid 1,000.50 for it.", "J.|R.|Soto|Jr.|paid|1,000.50|for|it|."),
        ("l’eau d'Italia qu'il dell'arte", "l’|eau|d'|Italia|qu'|il|dell'|arte"),
        ("Quest'anno a Sant'Elmo, un po' di", "Quest'|anno|a|Sant'|Elmo|,|un|po'|di"),
        ("vitamin 'D' or 'all', rock 'n' roll", "vitamin|'|D|'|or|'|all|'|,|rock|'|n|'|roll"),
        ("nell' arte , all'«una» e trent' anni", "nell'|arte|,|all'|«|una|»|e|trent'|anni"),
        ("De'Andre, un's, all's well", "De'Andre|,|un|'s|,|all|'s|well"),
        ("R&B and AT&T... 20% ``so''", "R&B|and|AT&T|...|20|%|``|so|''"),
        ("北京大学 in 2010年", "北|京|大|学|in|2010|年"),
        ("北京\u200b大学", "北|京|\u200b|大|学"),
        ("a \u0301\u0302\u0301 b", "a|\u0301\u0302\u0301|b"),
        ("Stevens–Johnson naïve Gro\u0308ße Ber\u00adlin", "Stevens–Johnson|naïve|Gro\u0308ße|Ber\u00adlin"),
        ("भारत की राजधानी, กรุงเทพมหานคร שָׁלוֹם", "भारत|की|राजधानी|,|ก|รุ|ง|เ|ท|พ|ม|ห|า|น|ค|ร|שָׁלוֹם"),
        ("vitamin C. ", "vitamin|C|."),
    ],
)
def test_words(text, expected):
    assert "|".join(words(text)) == expected


def test_words_are_ordered_disjoint_and_leave_only_white_space():
    rng = random.Random(0)
    alphabet = "aBnts09 .,'-’é\u0301\u200b\u00ad北\t\u2028\x85\x1f😀$&·م"
    for _ in range(10_000):
        text = "".join(rng.choices(alphabet, k=rng.randint(0, 25)))
        end = 0
        for start, stop in word_offsets(text):
            assert end <= start < stop
            assert not text[end:start].strip()
            end = stop
        assert not text[end:].strip()


@pytest.mark.parametrize("path", CORPORA, ids=lambda path: path.name)
def test_every_border_of_a_token_is_a_border_of_a_word(path):
    for line in path.open(encoding="utf-8"):
        tokens, place = json.loads(line)["tokens"], 0
        text = " ".join(tokens)
        ends = {end for _, end in word_offsets(text)}
        for token in tokens:
            place = text.index(token, place) + len(token)
            assert place in ends, (text, token)
