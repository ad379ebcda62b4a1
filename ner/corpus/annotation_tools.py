"""Reads what annotation tools export: texts with spans, as doccano, Prodigy and Label Studio write them.

A record is a sentence, and its words come from the word splitter.
"""

import io
import json
import logging
from collections import Counter
from collections.abc import Callable, Iterator
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


def annotation_tool(path: Path, content: bytes) -> str | None:
    """The tool that wrote the `json_lines` of a file, judged by the first record: a key of `TOOLS`, or None."""
    _, record = next(records(path, content), (0, {}))
    match record:
        case {"tokens": [str(), *_]}:
            return None
        case {"data": dict(), "annotations": list()}:
            return "Label Studio"
        case {"text": str(), "spans": list()} | {"text": str(), "answer": str()}:
            return "Prodigy"
        case {"text": str()} | {"data": str()}:
            fields = [field for key in DOCCANO_SPANS if isinstance(field := record.get(key), list)]
            return "doccano" if fields and not any(isinstance(item, str) for of in fields for item in of) else None
    return None


def json_lines(path: Path) -> bytes:
    """The content of a JSON file as JSON lines. Line N of a list is its record N."""
    content = checked_content(path)
    if not content.lstrip().startswith(b"["):
        return content
    return "\n".join(map(json.dumps, parsed(path, content))).encode()


def parsed(path: Path, content: bytes, first: int = 1) -> Any:
    """The value of a text in JSON, from the line `first` of a file. Raises `InputError`, with the line, for another."""
    try:
        return json.loads(content, object_pairs_hook=unique_keys)
    except (ValueError, RecursionError) as error:
        line, problem = first + getattr(error, "lineno", 1) - 1, getattr(error, "msg", error)
        raise InputError(f"{path}:{line}: cannot be read as JSON: {problem}; correct the line") from None


def unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object. Raises `ValueError` for a key that is there twice."""
    keys = [key for key, _ in pairs]
    if len(set(keys)) < len(keys):
        raise ValueError(f"the key {max(keys, key=keys.count)!r} is there twice in an object")
    return dict(pairs)


def records(path: Path, content: bytes) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects in the `json_lines` of a file, with the numbers of their lines."""
    for number, line in enumerate(io.BytesIO(content), 1):
        if line.strip():
            record = parsed(path, line.strip(), number)
            if not isinstance(record, dict):
                raise InputError(f"{path}:{number}: found no JSON object; expected a record; fix it")
            yield number, record


def span_table(path: Path, content: bytes, tool: str, misaligned: str) -> pa.Table:
    """The sentences in the `json_lines` of an export of a tool.

    Records that an annotator skipped or rejected are left out and counted. Raises `InputError` for a wrong record, and
    for spans that do not fit the words unless `misaligned` is "skip".
    """
    rows: list[dict[str, Any]] = []
    misfits: list[str] = []
    notes: Counter[str] = Counter()
    total = 0
    for line, record in records(path, content):
        try:
            found = TOOLS[tool](record, notes)
            if found is None:
                continue
            text, items, lang = found
            words = word_offsets(text)
            spans = [span for item in items or [] for span in spans_of(item)]
            pa.array([text, lang or None, *(name for *_, name in spans)], pa.string())  # raises if it is no UTF-8 text
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise InputError(
                f"{path}:{line}: not a record of {tool}: {message_of(error, 200)}; "
                "expected a text, and spans with start, end and class; fix the record"
            ) from None
        # Label Studio's JSON_MIN looks like doccano's, but for the key `labels`.
        if tool == "doccano" and not any(isinstance(item, dict) and "labels" in item for item in items or []):
            spans = from_utf16(text, spans)
        tags, wrong = bio_tags(text, words, spans)
        total += len(spans)
        misfits += [f"{path}:{line}: {description}" for description in wrong]
        tokens = [text[start:end] for start, end in words]
        rows.append({"line": [line], "tokens": tokens, "tags": tags, "lang": lang or None})
    for note, count in notes.items():
        log.info("%s: %s: %d", path, note, count)
    report_misfits(misfits, total, misaligned)
    return pa.Table.from_pylist([row for row in rows if row["tokens"]], COLUMNS)


def spans_of(item: Any) -> list[Span]:
    """A tool's span, once for each of its classes. Raises `ValueError` if it is none."""
    match item:
        case [int(start), int(end), names]:
            pass
        case {"start": int(start), "end": int(end)} | {"start_offset": int(start), "end_offset": int(end)}:
            names = item.get("label", item.get("labels", ""))
        case _:
            raise ValueError(f"found {item!r}, which is no span")
    return [(start, end, " ".join(name.split())) for name in (names if isinstance(names, list) else [names])]


def doccano(record: Any, notes: Counter[str]) -> Found:
    """`text`, or `data` in older versions, and spans as [start, end, class] or with `start_offset` and `end_offset`."""
    field = next((key for key in DOCCANO_SPANS if key in record), "label")
    return record.get("text", record.get("data")), record[field], record.get("lang")


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
    """The text in `data` and the spans of an annotation. Raises an error where their text cannot be told."""
    annotations = [a for a in record["annotations"] if not a.get("was_cancelled")]
    if not annotations:
        notes["tasks left out because no annotation was submitted"] += 1
        return None
    if len(annotations) > 1:
        notes["tasks with several annotations, of which the ground truth is read, else the first"] += 1
    annotation = max(annotations, key=lambda a: bool(a.get("ground_truth")))
    regions = [region for region in annotation["result"] if region.get("type", "").endswith("labels")]
    if len({region.get("to_name") for region in regions}) > 1:
        raise ValueError("found labels of several texts; expected those of one")
    fields = {key: value for key, value in record["data"].items() if isinstance(value, str) and key != "lang"}
    if len(fields) != 1 and "text" not in fields:
        raise ValueError(f"found the fields {', '.join(fields)}; expected one text, or one that is called text")
    text = next(iter(fields.values())) if len(fields) == 1 else fields["text"]
    return text, [region["value"] for region in regions], record["data"].get("lang")


TOOLS: dict[str, Callable[[Any, Counter[str]], Found | None]] = {
    "doccano": doccano, "Prodigy": prodigy, "Label Studio": label_studio,
}  # fmt: skip
