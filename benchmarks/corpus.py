"""Makes a corpus of MultiNERD's size from a smaller one, to measure with.

    python -m benchmarks.corpus --source FOLDER [FOLDER ...] --output FOLDER [--sentences 1300000]

The folders are laid out like MultiNERD, with its numbers as tags. Each made sentence is the beginning of one sentence
and the end of another of similar length, not cut within an entity: so lengths and entities are distributed as in the
source, and tags are valid. No two sentences have the same tokens. A language that is in no source takes the
sentences of one that is, its words written in other letters. Words that the source has once get various endings,
because a larger corpus has more distinct words. The same command makes the same files.
"""

import argparse
import hashlib
import json
import random
import string
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

LANGUAGES = ("de", "en", "es", "fr", "it", "nl", "pl", "pt", "ru", "zh")
SPLITS = ("train", "val", "test")
SHARE = 1 / 8  # validation and test each, of training: as in MultiNERD's English
NEIGHBOURS = 200  # how far apart, in the order of their lengths, two sentences may be that are joined
ENDINGS = [a + b for a in "aeiou" for b in "lnrst"]
VOWELS, CONSONANTS = "aeiou", "bcdfghjklmnpqrstvwxyz"
LATIN, CYRILLIC = string.ascii_lowercase, "абцдефгхийклмнопярстувшщыз"
HAN_FIRST, HAN = 0x4E00, 20_000  # the first Chinese character, and how many there are


@dataclass(frozen=True)
class Source:
    """Sentences in the order of their lengths, and how often each word occurs in them."""

    sentences: list[tuple[list[str], list[int]]]
    counts: Counter[str]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", type=Path, nargs="+", required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--sentences", type=int, default=1_300_000, help="of training, in all languages together")
    options = parser.parse_args()
    write_corpus(options.source, options.output, options.sentences)


def write_corpus(folders: list[Path], output: Path, sentences: int) -> None:
    """Writes a folder with `sentences` training sentences, an equal number in each of the ten languages."""
    sources = read_sources(folders)
    per_language = sentences // len(LANGUAGES)
    sizes = dict(zip(SPLITS, (per_language, *[round(per_language * SHARE)] * 2), strict=True))
    seen: set[bytes] = set()
    for split in SPLITS:
        (output / split).mkdir(parents=True, exist_ok=True)
    for number, language in enumerate(LANGUAGES):
        source = sources.get(language) or list(sources.values())[number % len(sources)]
        write_word = str if language in sources else spelling(language, number + 1, source.counts)
        rows = recombined(source, write_word, random.Random(language), seen)
        for split, size in sizes.items():
            with open(output / split / f"{split}_{language}.jsonl", "w", encoding="utf-8") as file:
                for _ in range(size):
                    tokens, tags = next(rows)
                    row = {"tokens": tokens, "ner_tags": tags, "lang": language}
                    file.write(json.dumps(row, ensure_ascii=False) + "\n")


def read_sources(folders: list[Path]) -> dict[str, Source]:
    """The sentences of all splits of all folders, by language."""
    sentences: dict[str, list[tuple[list[str], list[int]]]] = {}
    for path in sorted(chain.from_iterable(folder.glob("*/*_??.jsonl") for folder in folders)):
        for line in path.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            if row["tokens"]:
                sentences.setdefault(path.stem[-2:], []).append((row["tokens"], row["ner_tags"]))
    if not sentences:
        raise SystemExit(f"{folders[0]}: found no file like train/train_en.jsonl; expected MultiNERD's layout")
    return {
        language: Source(sorted(rows, key=lambda row: len(row[0])), Counter(w for tokens, _ in rows for w in tokens))
        for language, rows in sentences.items()
    }


def recombined(
    source: Source, write_word: Callable[[str], str], rng: random.Random, seen: set[bytes]
) -> Iterator[tuple[list[str], list[int]]]:
    """Tokens and tags of sentences without end, none of which is in `seen`; each is added to it."""
    rows, written = source.sentences, {word: write_word(word) for word in source.counts}
    endings = ["", *map(write_word, ENDINGS)]
    rare = {word for word, count in source.counts.items() if count == 1 and word.isalpha()}
    while True:
        place = rng.randrange(len(rows))
        tokens, tags = rows[place]
        others, other_tags = rows[min(max(0, place + rng.randint(-NEIGHBOURS, NEIGHBOURS)), len(rows) - 1)]
        cut = rng.randint(0, min(len(tokens), len(others)))
        if not any(is_inside(tag) for tag in tags[cut : cut + 1] + other_tags[cut : cut + 1]):
            made = [
                written[word] + rng.choice(endings) if word in rare else written[word]
                for word in tokens[:cut] + others[cut:]
            ]
            key = hashlib.blake2b("\n".join(made).encode(), digest_size=12).digest()
            if key not in seen:
                seen.add(key)
                yield made, tags[:cut] + other_tags[cut:]


def is_inside(tag: int) -> bool:
    """True for the number of an I- tag: O is 0, then B- and I- take turns."""
    return tag > 0 and tag % 2 == 0


def spelling(language: str, number: int, counts: Counter[str]) -> Callable[[str], str]:
    """How a word is written in a language of its own: different words differently."""
    if language == "zh":
        by_frequency = sorted(counts, key=counts.__getitem__, reverse=True)
        rank = {word: i for i, word in enumerate([*by_frequency, *ENDINGS])}
        return lambda word: han(rank[word]) if any(map(str.isalpha, word)) else word
    letters = replaced(LATIN, CYRILLIC) if language == "ru" else moved(VOWELS, number) | moved(CONSONANTS, number)
    return lambda word: word.translate(letters)


def moved(letters: str, by: int) -> dict[int, int]:
    """A table for `str.translate` from each letter to the one `by` places further on."""
    by %= len(letters)
    return replaced(letters, letters[by:] + letters[:by])


def replaced(letters: str, others: str) -> dict[int, int]:
    """A table for `str.translate` from letters to others, small and capital."""
    return str.maketrans(letters + letters.upper(), others + others.upper())


def han(rank: int) -> str:
    """A word of one or two Chinese characters, another one for each rank."""
    common, rest = 3_000, HAN - 3_000
    if rank < common:
        return chr(HAN_FIRST + rank)
    first, second = divmod(rank - common, rest)
    return chr(HAN_FIRST + first) + chr(HAN_FIRST + common + second)


if __name__ == "__main__":
    main()
