"""Tables that a run prepared, stored for later runs under a hash of everything that determines their content.

An entry is an Arrow stream: a batch for each table, the rest as JSON in the schema, and a checksum at the end. The ten
most recently used entries are kept.
"""

import hashlib
import io
import json
import logging
import os
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import pyarrow as pa

log = logging.getLogger("ner")
ROOT = Path(__file__).parents[2]
ENTRIES = 10  # the runs of configs/ need nine: rows and model inputs of each, some of them shared

Content = tuple[list[pa.Table], dict[str, Any]]  # tables of one schema; all else, as values that JSON can hold


def load_or_make(name: str, decisive: list[Any], make: Callable[[], Content]) -> Content:
    """What `make` returns, or returned in an earlier run with equal code and equal `decisive` values (of JSON).

    `make` should not log: its caller logs from the content, which is the same from the cache. Of several processes on
    a machine, only the first one writes an entry.
    """
    key = json.dumps([code_hash(), *decisive]).encode()
    entry = cache_folder() / f"{name}-{sha256(key)[:32]}.arrow"
    content = load(entry)
    if content is not None:
        log.info("%s: from the cache, %s; --cache false prepares them again", name, entry)
        return content
    tables, facts = make()
    if os.environ.get("LOCAL_RANK", "0") == "0":
        store(entry, tables, facts)
    return tables, facts


def code_hash() -> str:
    """A hash over `data.py` and all code in `ner/`, so that changed code never uses an old entry."""
    digest = hashlib.sha256()
    for path in [ROOT / "data.py", *sorted(ROOT.glob("ner/**/*.py"))]:
        digest.update(f"{path.relative_to(ROOT).as_posix()} {sha256(path.read_bytes())}\n".encode())
    return digest.hexdigest()


def cache_folder() -> Path:
    """Where entries are: in `$XDG_CACHE_HOME`, else in `~/.cache`."""
    return Path(os.path.expanduser(os.environ.get("XDG_CACHE_HOME") or "~/.cache")) / "multinerd-class-masking"


def load(entry: Path) -> Content | None:
    """The tables of an entry, mapped into memory, and its facts; None where it does not exist or is damaged."""
    try:
        content = pa.memory_map(str(entry)).read_buffer()
        os.utime(entry)  # the least recently used entries are removed first
    except OSError:
        return None
    if hashlib.sha256(content[:-32]).digest() != content[-32:].to_pybytes():
        return None
    with pa.ipc.open_stream(content) as reader:
        tables = [pa.Table.from_batches([batch]).replace_schema_metadata(None) for batch in reader]
        return tables, json.loads(reader.schema.metadata[b"json"])


def store(entry: Path, tables: list[pa.Table], facts: dict[str, Any]) -> None:
    """Writes an entry under a temporary name and renames it, so that others see it whole or not at all."""
    unfinished = entry.with_suffix(f".{uuid.uuid4().hex}")
    try:
        entry.parent.mkdir(parents=True, exist_ok=True)
        try:
            with open(unfinished, "wb") as file:
                file.write(write_stream(file, tables, facts).digest())
            unfinished.replace(entry)
        finally:
            unfinished.unlink(missing_ok=True)
        for old in sorted(entry.parent.iterdir(), key=lambda path: path.stat().st_mtime)[:-ENTRIES]:
            old.unlink(missing_ok=True)
    except OSError as error:  # training continues without a cache
        log.info("not stored in the cache: %s", error)


class Hashing(io.RawIOBase):
    """Hands all that is written to a file, if there is one, and hashes it."""

    def __init__(self, file: IO[bytes] | None):
        self.file, self.hash = file, hashlib.sha256()

    def writable(self) -> bool:
        return True

    def write(self, content: Any) -> int:
        self.hash.update(content)
        if self.file is not None:
            self.file.write(content)
        return len(content)


def write_stream(file: IO[bytes] | None, tables: list[pa.Table], facts: dict[str, Any] | None = None) -> Any:
    """Writes tables of one schema as an Arrow stream, a batch each, with `facts` as JSON in the schema.

    Returns the hash of what was written, which is all that it does without a file: no copy of the tables is made.
    """
    sink = Hashing(file)
    with pa.ipc.new_stream(sink, tables[0].schema.with_metadata({"json": json.dumps(facts)})) as writer:
        for table in tables:
            writer.write_table(table.combine_chunks())
    return sink.hash


def sha256(content: bytes | pa.Buffer) -> str:
    """The SHA-256 of some bytes, 64 hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()
