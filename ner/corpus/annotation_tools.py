"""Reads what annotation tools export: texts with spans, as doccano, Prodigy and Label Studio write them.

A record is a sentence, and its words come from the word splitter.
"""

import json
import logging
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow as pa

from ner.corpus.rows import COLUMNS, checked_content
from ner.corpus.text_spans import Span, bio_tags, from_utf16, report_misfits
from ner.errors import InputError, message_of
from ner.word_splitter import word_offsets

log = logging.getLogger("ner")
DOCCANO_SPANS = ("label", "labels", "entities")  # the names of the field, which depend on version and project
Found = tuple[Any, Any, Any]  # a record's text, its spans as the tool writes them, its language: not checked yet
Reading = tuple[list[str], list[str]]  # the tags of a text's words, and a description of each span that does not fit


def annotation_tool(path: Path) -> str | None:
    """The tool that wrote a JSON or JSONL file, judged by its first record: a key of `TOOLS`, or None.

    Raises `InputError` for Label Studio's JSON-MIN.
    """
    record: Any = None
    with suppress(InputError):  # not JSON, which is for the reader of the file to report
        _, record = next(records(path), (0, None))
    match record:
        case {"tokens": [str(), *_]}:
            return None
        case {"annotator": _, "annotation_id": _}:
            raise InputError(f"{path}: is Label Studio's JSON-MIN; expected its JSON export; export it again as JSON")
        case {"data": dict(), "annotations": list()}:
            return "Label Studio"
        case {"text": str(), "spans": list()} | {"text": str(), "answer": str()}:
            return "Prodigy"
        case {"text": str()} | {"data": str()}:
            fields = [field for key in DOCCANO_SPANS if isinstance(field := record.get(key), list)]
            return "doccano" if fields and not any(isinstance(item, str) for of in fields for item in of) else None
    return None


def records(path: Path) -> Iterator[tuple[int, Any]]:
    """The elements of a JSON list with their numbers, or the values of JSON lines with their lines."""
    text = checked_content(path).decode()
    is_list = text.lstrip().startswith("[")
    for number, line in enumerate([text] if is_list else text.split("\n"), 1):
        if line.strip():
            try:
                content = json.loads(line, object_pairs_hook=unique_keys)
            except (ValueError, RecursionError) as error:
                raise InputError(
                    f"{path}:{number}: cannot be read as JSON: {message_of(error, 200)}; correct the line, or get the "
                    "file again"
                ) from None
            yield from enumerate(content, 1) if is_list else [(number, content)]


def unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object. Raises `ValueError` for a key that is there twice."""
    if twice := [key for key, count in Counter(key for key, _ in pairs).items() if count > 1]:
        raise ValueError(f"the key {twice[0]!r} is there twice in an object")
    return dict(pairs)


def span_table(path: Path, tool: str, misaligned: str = "error") -> pa.Table:
    """The sentences of an export of a tool.

    Records that an annotator skipped or rejected are left out and counted. Raises `InputError` for a wrong record, and
    for spans that do not fit the words unless `misaligned` is "skip".
    """
    rows: list[dict[str, Any]] = []
    readings: list[list[Reading]] = []  # of each row: with offsets in characters, and in units where these differ
    notes: Counter[str] = Counter()
    total = 0
    for line, record in records(path):
        try:
            found = TOOLS[tool](record, notes)
            if found is None:
                continue
            text, items, lang = found
            if not isinstance(text, str):
                raise ValueError("found no text")
            pairs = [(span, item) for item in items or [] for span in spans_of(item)]
            spans = [span for span, _ in pairs]
            quotes = [item.get("text") if isinstance(item, dict) else None for _, item in pairs]
            lang = str(lang) if lang else ""
            "".join((text, lang, *(name for _, _, name in spans))).encode()  # fails at half a surrogate pair
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise InputError(
                f"{path}:{line}: not a record of {tool}: {message_of(error, 200)}; "
                "expected a text, and spans with start, end and class; fix the record"
            ) from None
        words, total = word_offsets(text), total + len(spans)
        units = from_utf16(text, spans) if max(text, default="") > "\uffff" else spans
        both = [spans] if units == spans else [spans, units]
        readings.append([reading(text, words, each, quotes) for each in both])
        rows.append({"line": [line], "tokens": [text[start:end] for start, end in words], "lang": lang or None})
    for note, count in notes.items():
        log.info("%s: %s: %d", path, note, count)
    misfits, chosen = [], -1 if in_units(path, tool, readings) else 0
    for row, each in zip(rows, readings, strict=True):
        row["tags"], wrong = each[chosen]
        misfits += [f"{path}:{row['line'][0]}: {description}" for description in wrong]
    report_misfits(misfits, total, misaligned)
    return pa.Table.from_pylist([row for row in rows if row["tokens"]], COLUMNS)


def reading(text: str, words: list[tuple[int, int]], spans: list[Span], quotes: list[Any]) -> Reading:
    """The tags of a text's words, and a description of each span that does not fit, or whose text is not its quote."""
    fitting, others = [], []
    for (start, end, name), quote in zip(spans, quotes, strict=True):
        covered = text[max(start, 0) : max(end, 0)]
        if isinstance(quote, str) and quote and words_in(covered) != words_in(quote):
            others.append(f"{covered[:60]!r} ({start} to {end}, {name}) is {quote!r:.60} in the export")
        else:
            fitting.append((start, end, name))
    tags, misfits = bio_tags(text, words, fitting)
    return tags, others + misfits


def words_in(quoted: str) -> list[str]:
    """The words of a text that Label Studio quotes, with a backslash and `n` for each line end."""
    return quoted.replace("\\n", " ").split()


def in_units(path: Path, tool: str, readings: list[list[Reading]]) -> bool:
    """Whether the offsets of an export are read as UTF-16 code units, of which an emoji has two, not as characters.

    No export says which. doccano counts code units, as JavaScript does, and so did Label Studio until 2022; but spans
    that were imported may count characters. So a file is read in the way in which more spans fit the words.
    """
    both = [each for each in readings if len(each) > 1]
    characters, units = (sum(len(each[i][1]) for each in both) for i in (0, 1))
    are_units = units < characters or (units == characters and tool == "doccano")
    if both:
        log.info(
            "%s: after emoji, offsets count %s: %d spans would not fit words in characters, %d in UTF-16 code units",
            path, "UTF-16 code units" if are_units else "characters", characters, units,
        )  # fmt: skip
    return are_units


def spans_of(item: Any) -> list[Span]:
    """A tool's span, once for each of its classes. Raises `ValueError` if it is none."""
    match item:
        case [int(start), int(end), names]:
            pass
        case {"start": int(start), "end": int(end)} | {"start_offset": int(start), "end_offset": int(end)}:
            names = item.get("label", item.get("labels", ""))
        case _:
            raise ValueError(f"found {item!r}, which is no span")
    names = names if isinstance(names, list) else [names]
    if not all(isinstance(name, str) for name in names):
        raise ValueError(f"found {item!r}, whose class is no text")
    return [(start, end, " ".join(name.split())) for name in names]


def doccano(record: Any, notes: Counter[str]) -> Found:
    """`text`, or `data` in older versions, and spans as [start, end, class] or with `start_offset` and `end_offset`."""
    fields = [key for key in DOCCANO_SPANS if key in record]
    if not fields:
        raise ValueError(f"found no {', '.join(DOCCANO_SPANS)}")
    return record.get("text", record.get("data")), record[fields[0]], record.get("lang")


def prodigy(record: Any, notes: Counter[str]) -> Found | None:
    """`text` and `spans`. Left out are rejected and ignored records, and answers about a single span (`ner.teach`),
    which do not show the other entities of a text."""
    if record.get("answer", "accept") != "accept":
        notes["records left out because their answer is not accept"] += 1
    elif record.get("_view_id") == "ner":
        notes["records left out because they answer about one span only"] += 1
    else:
        return record.get("text"), record.get("spans"), record.get("lang")
    return None


def label_studio(record: Any, notes: Counter[str]) -> Found | None:
    """The text in `data` and the spans of an annotation. Raises `ValueError` for labels of images or HTML."""
    annotations = [a for a in record["annotations"] if not a.get("was_cancelled")]
    if not annotations:
        notes["tasks left out because no annotation was submitted"] += 1
        return None
    if len(annotations) > 1:
        notes["tasks with several annotations, of which the ground truth is read, else the first"] += 1
    annotation = max(annotations, key=lambda a: bool(a.get("ground_truth")))
    regions = [region for region in annotation["result"] if region.get("type", "").endswith("labels")]
    if other := {region["type"] for region in regions} - {"labels"}:
        raise ValueError(f"found {' and '.join(sorted(other))}, which are not labels of plain text")
    if len({region.get("to_name") for region in regions}) > 1:
        raise ValueError("found labels of several texts")
    fields = {key: value for key, value in record["data"].items() if isinstance(value, str) and key != "lang"}
    if "text" not in fields and len(fields) != 1:
        raise ValueError(f"found the fields {', '.join(fields)}, and none is called text")
    text = fields["text"] if "text" in fields else next(iter(fields.values()))
    return text, [region["value"] for region in regions], record["data"].get("lang")


TOOLS: dict[str, Callable[[Any, Counter[str]], Found | None]] = {
    "doccano": doccano, "Prodigy": prodigy, "Label Studio": label_studio,
}  # fmt: skip
