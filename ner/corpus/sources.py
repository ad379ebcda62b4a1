"""Where a data set's sentences are: a folder, a file, a file for each split, or the Hub."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ner.errors import InputError
from ner.files import ROOT, similar
from ner.hub_files import MissingFileError, fetch, is_repo_id

SAMPLE = ROOT / "sample"
MULTINERD = "Babelscape/multinerd"
MULTINERD_FILES = {"train": "train/train_{}.jsonl", "validation": "val/val_{}.jsonl", "test": "test/test_{}.jsonl"}
WITHOUT_HUB = "name --dataset sample, or a local file or folder, to continue without the Hub"
SPLIT_WORDS = {  # in the names of files, and of splits on the Hub
    "train": {"train"},
    "validation": {"dev", "valid", "validation", "val", "testa"},
    "test": {"test", "testb"},
}
WORDS = set().union(*SPLIT_WORDS.values())
# What differs between the names of shards of a Parquet file: numbers, and a hash that `datasets` once added.
SHARD = re.compile(r"(?<![^\W_])\d+(-[0-9a-f]{16})?(?=.*\.parquet$)")
SUFFIXES = {".jsonl", ".json", ".parquet", ".spacy", ".tsv", ".conll", ".txt", ".bio", ".iob", ".iob2"}


@dataclass(frozen=True)
class Source:
    """Where a data set is and how its files are read: the options with these names in `arguments.py`."""

    dataset: str
    languages: Sequence[str] = ("en",)
    dataset_config: str | None = None
    validation_file: str | None = None
    test_file: str | None = None
    token_column: str | None = None
    tag_column: str | None = None
    misaligned: str = "error"
    split_seed: int = 42

    def file_option(self, split: str) -> str | None:
        """The file that an option names for a split."""
        return {"validation": self.validation_file, "test": self.test_file}.get(split)

    def name(self, split: str = "train") -> str:
        """What messages and records call the data of a split."""
        return self.file_option(split) or self.dataset

    @property
    def folder(self) -> Path:
        """The local path that the data set's name means, whether or not there is one."""
        return SAMPLE if self.dataset == "sample" else Path(os.path.expanduser(self.dataset))

    @property
    def home(self) -> Path:
        """The folder that may hold the names of its labels: that of its file, if it is one."""
        return self.folder.parent if os.path.isfile(self.folder) else self.folder

    @property
    def is_hub_table(self) -> bool:
        """Whether the library `datasets` loads it: an id on the Hub other than MultiNERD's."""
        if self.dataset == MULTINERD or os.path.exists(self.folder) or not is_repo_id(self.dataset):
            return False
        return "/" not in self.dataset or not os.path.isdir(self.folder.parent)  # else it is a mistyped path


def split_files(source: Source, split: str) -> list[tuple[Path, str]]:
    """The files of a split in the order of the languages, each with the language of sentences that name none.

    Those of MultiNERD on the Hub are downloaded once and then cached. Raises `MissingFileError` where the split has no
    file, and another `InputError` where the data set cannot be found, or several files could be meant.
    """
    path = named_file(source, split)
    if path:
        return [(path, only_language(source, path))]
    require_dataset(source)
    folder, languages = source.folder, source.languages
    if os.path.isfile(folder):  # pathlib raises an error for a name that is too long
        if split != "train":
            raise MissingFileError(f"{folder}: is one file; name one for the {split} split: --{split}_file")
        return [(folder, only_language(source, folder))]
    if os.path.isdir(folder):
        return [(path, code) for code in languages for path in files_in(folder, split, code, len(languages) == 1)]
    name = MULTINERD_FILES[split]
    return [(fetch(MULTINERD, name.format(code), "dataset", WITHOUT_HUB), code) for code in languages]


def named_file(source: Source, split: str) -> Path | None:
    """The file that an option names for a split. Raises `InputError` if it is not there."""
    named = source.file_option(split)
    path = Path(os.path.expanduser(named)) if named else None
    if path and not os.path.isfile(path):
        raise InputError(f"--{split}_file: found no file {named!r}; check the path{similar(path)}")
    return path


def require_dataset(source: Source) -> None:
    """Raises `InputError` unless there is a file or folder of the data set's name, or it can be one on the Hub."""
    is_here = os.path.isfile(source.folder) or os.path.isdir(source.folder)  # unlike a pipe
    if not is_here and source.dataset != MULTINERD and not source.is_hub_table:
        raise InputError(
            f"--dataset: found no file or folder {source.dataset!r}; expected `sample`, a file, a folder, or a Hub id "
            f"OWNER/NAME{similar(source.folder)}"
        )


def only_language(source: Source, place: object) -> str:
    """The language of a file whose name does not say it. Raises `InputError` where several are wanted."""
    if len(source.languages) > 1:
        raise InputError(
            f"--languages: found {' '.join(source.languages)}, and {place} has no language in its name; expected one "
            "language, or a folder with a file for each, such as train_en.jsonl"
        )
    return source.languages[0]


def files_in(folder: Path, split: str, language: str, alone: bool) -> list[Path]:
    """The file of a split in a folder or, if there is none, in the folders within; several if they are Parquet.

    A name is divided into words. One of them says the split, as in `train.conll`, `eng.testa` and `NER-de-dev.tsv`, and
    the next one may be a language, as in `train_en.jsonl`. If the language is `alone`, names without one will do.
    """
    others: list[str] = []
    for pattern in ("*", "*/*"):
        candidates = [path for path in sorted(folder.glob(pattern)) if split_of(path) == split]
        others += [path.name for path in candidates]
        paths = [path for path in candidates if language_of(path) == "-".join(words_of(language))]
        if not paths and alone:
            paths = [path for path in candidates if not language_of(path)]
        if len({(path.parent, SHARD.sub("", path.name.lower())) for path in paths}) > 1:
            names = ", ".join(str(path.relative_to(folder)) for path in paths)
            raise InputError(
                f"{folder}: found several files for the {split} split: {names}; expected one; name it: --{split}_file"
            )
        count = re.search(r"\d-of-(\d+).*\.parquet$", paths[0].name.lower()) if paths else None
        if count and len(paths) != int(count[1]):
            raise InputError(
                f"{paths[0]}: found {len(paths)} such files; expected {int(count[1])}, as the name says; download all, "
                f"or name one: --{split}_file"
            )
        if paths:
            return paths
    beside = f", but {', '.join(others[:5])}" if others else ""
    raise MissingFileError(
        f"{folder}: found no file for the {split} split in the language {language}{beside}; expected a name such as "
        f"{split}_{language}.jsonl, or with another of the endings {' '.join(sorted(SUFFIXES))}; check --dataset and "
        f"--languages, or name the file: --{split}_file"
    )


def words_of(name: str) -> list[str]:
    """The parts of a name between characters other than letters and digits, in lower case."""
    return re.findall(r"[^\W_]+", name.lower())


def split_of(path: Path) -> str | None:
    """The split that a file's name says, None where it says none or several, or the file's ending is unknown."""
    if path.suffix.lower() not in SUFFIXES and path.suffix.lower().removeprefix(".") not in WORDS:
        return None
    words = set(words_of(path.name))
    splits = [split for split, its in SPLIT_WORDS.items() if words & its]
    is_one = len(splits) == 1 and path.is_file() and not path.name.startswith(".")
    return splits[0] if is_one else None


def language_of(path: Path) -> str:
    """The language code in a file's name, `en` in `train_en.jsonl`: two or three letters right after the split."""
    words = words_of(path.stem)
    if len(words) >= 2 and words[0] in WORDS and re.fullmatch(r"[a-z]{2,3}", words[1]):
        return "-".join(words[1:])
    return ""
