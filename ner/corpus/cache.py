"""Tables kept on disk for the next run, under a hash over all that decides their content.

An entry is an Arrow stream, a batch for each table, with the rest as JSON in its schema, and a checksum at the end.
"""

import hashlib
import json
import logging
import os
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa

log = logging.getLogger("ner")
ENTRIES = 10  # those of configs/ need nine: rows and model inputs of each, some of them shared

Content = tuple[list[pa.Table], dict[str, Any]]  # tables of one schema; what else there is, for JSON


def kept(kind: str, decisive: list, make: Callable[[], Content]) -> Content:
    """What `make` gives, or gave in an earlier call with equal `decisive` values (JSON); both log the same lines."""
    entry = cache_folder() / f"{kind}-{sha256(json.dumps(decisive).encode())[:32]}.arrow"
    found = loaded(entry)
    if found is not None:
        tables, (lines, rest) = found
        log.info("%s: from the cache, %s; --cache false prepares them anew", kind, entry)
        for level, text in lines:
            log.log(level, "%s", text)
        return tables, rest
    listener = Listener()
    log.addHandler(listener)
    try:
        tables, rest = make()
    finally:
        log.removeHandler(listener)
    if log.isEnabledFor(logging.INFO):  # of several processes, those that are silent have no lines to keep
        store(entry, stream(tables, [listener.lines, rest]))
    return tables, rest


class Listener(logging.Handler):
    """Collects what is logged, as pairs of level and text."""

    def __init__(self):
        super().__init__()
        self.lines: list[tuple[int, str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append((record.levelno, record.getMessage()))


def cache_folder() -> Path:
    return Path(os.path.expanduser(os.environ.get("XDG_CACHE_HOME") or "~/.cache")) / "multinerd-class-masking"


def loaded(entry: Path) -> tuple[list[pa.Table], list] | None:
    """The tables of an entry, mapped into memory, and its JSON; None where it is not there, or damaged."""
    try:
        content = pa.memory_map(str(entry)).read_buffer()
        os.utime(entry)  # the entries that were used longest ago are dropped first
    except OSError:
        return None
    if hashlib.sha256(content[:-32]).digest() != content[-32:].to_pybytes():
        return None
    with pa.ipc.open_stream(content) as reader:
        tables = [pa.Table.from_batches([batch]).replace_schema_metadata(None) for batch in reader]
        return tables, json.loads(reader.schema.metadata[b"json"])


def store(entry: Path, content: pa.Buffer) -> None:
    """Writes an entry under a name of its own and renames it, so that it is there whole or not at all."""
    unfinished = entry.with_suffix(f".{uuid.uuid4().hex}")
    try:
        entry.parent.mkdir(parents=True, exist_ok=True)
        try:
            unfinished.write_bytes(b"".join([content, hashlib.sha256(content).digest()]))
            unfinished.replace(entry)
        finally:
            unfinished.unlink(missing_ok=True)
        for old in sorted(entry.parent.iterdir(), key=lambda path: path.stat().st_mtime)[:-ENTRIES]:
            old.unlink(missing_ok=True)
    except OSError as error:  # a folder that can't be written is no reason not to train
        log.info("not kept for the next run: %s", error)


def stream(tables: list[pa.Table], rest: Any = None) -> pa.Buffer:
    """Tables of one schema as an Arrow stream, a batch each."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, tables[0].schema.with_metadata({"json": json.dumps(rest)})) as writer:
        for table in tables:
            writer.write_table(table.combine_chunks())
    return sink.getvalue()


def sha256(content: bytes | pa.Buffer) -> str:
    return hashlib.sha256(content).hexdigest()
