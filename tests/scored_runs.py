"""Run folders for `report`, made without a model: random sentences, and predictions with a share of wrong tags."""

import json
import random
from pathlib import Path

import yaml

import report
from ner.labels import label_names

CLASSES = ["PER", "ORG", "LOC"]


def sentences(rng: random.Random, count: int = 80) -> list[dict]:
    rows = []
    for i in range(count):
        tags = [t for _ in range(3) for t in rng.choice((["O"], ["B-PER", "I-PER"], ["B-ORG"], ["B-LOC", "I-LOC"]))]
        rows.append(
            {"id": i, "lang": rng.choice(("de", "en")), "tokens": [f"w{i}.{j}" for j in range(len(tags))], "gold": tags}
        )
    return rows


def with_noise(rows: list[dict], rate: float, seed: int) -> list[dict]:
    rng, names = random.Random(seed), label_names(CLASSES)
    return [row | {"predicted": [rng.choice(names) if rng.random() < rate else t for t in row["gold"]]} for row in rows]


ROWS = with_noise(sentences(random.Random(0)), 0.3, 1)


def without(rows: list[dict], *classes: str) -> list[dict]:
    """The same with `O` for the tags of some classes."""
    return [r | {s: ["O" if t[2:] in classes else t for t in r[s]] for s in ("gold", "predicted")} for r in rows]


def write_run(folder: Path, rows: list[dict], classes: list[str] | None = None, **args: object) -> Path:
    (folder / "test").mkdir(parents=True)
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "test" / "predictions.jsonl").write_text(text)
    if classes:
        (folder / "config.json").write_text(json.dumps({"id2label": dict(enumerate(label_names(classes)))}))
    if args:
        (folder / "args.yaml").write_text(yaml.safe_dump(args | {"output_dir": str(folder)}))
    return folder


def report_of(tmp_path, *arguments: object) -> dict:
    report.main([*map(str, arguments), "--output_dir", str(tmp_path / "out")])
    return json.loads((tmp_path / "out" / "report.json").read_text())


def table_of(text: str, title: str) -> dict[str, list[str]]:
    """A table of a Markdown text: the cells of each row, by the row's name."""
    lines = text.split(f"**{title}**\n\n")[1].split("\n\n")[0].splitlines()
    return {name: cells for name, *cells in (line[2:-2].split(" | ") for line in lines)}
