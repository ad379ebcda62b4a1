"""The model card of a run folder, rendered from the run's records. No torch."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from huggingface_hub import EvalResult, ModelCardData

from ner.errors import InputError, printable
from ner.files import optional_json, write_text
from ner.hub_files import is_repo_id, public_name
from ner.markdown import escape
from ner.runs.files import BASELINE, ONNX, ONNX_FOLDERS, recorded_args
from ner.scoring.score_table import calibration_text, class_rows, macro_cells, overall_row, threshold_cells

SCORES = (("precision", "Precision"), ("recall", "Recall"), ("f1", "F1"), ("accuracy", "Token accuracy"))
LISTED_ARGUMENTS = (
    "learning_rate", "num_train_epochs", "max_steps", "per_device_train_batch_size", "gradient_accumulation_steps",
    "weight_decay", "word_dropout", "case_markers", "crf_loss", "seed", "max_length",
    "train_sampling_strategy", "early_stopping_patience",
)  # fmt: skip


@dataclass(frozen=True)
class RunRecords:
    """A run folder's `config.json`, `environment.json`, `args.yaml`, and the `metrics.json` of each scored split."""

    folder: Path
    config: dict[str, Any]
    environment: dict[str, Any]
    args: dict[str, Any]
    metrics: dict[str, dict[str, Any]]  # by split: test before validation


def write_card(run: Path) -> None:
    """Writes the model card into the run folder. Raises `InputError` where it cannot be rendered or written."""
    write_text(run / "README.md", model_card(run))


def model_card(run: Path) -> str:
    """The card's Markdown: metadata with a `model-index`, scores with intervals, training, use, limits, licence.

    Raises `InputError` where the folder holds no finished run.
    """
    records = run_records(run)
    try:
        return rendered(records)
    except InputError:
        raise
    except (KeyError, TypeError, AttributeError, IndexError, ValueError) as error:
        raise InputError(f"{run}: its records lack {error}; expected a finished run of this version") from error


def run_records(run: Path) -> RunRecords:
    """Reads the records of a finished run. Raises `InputError` where it has none, or no scores."""
    config, environment, args = record(run / "config.json"), record(run / "environment.json"), recorded_args(run)
    paths = {split: run / split / "metrics.json" for split in ("test", "validation")}
    metrics = {split: record(path) for split, path in paths.items() if path.is_file()}
    if not metrics:
        raise InputError(f"{run}: holds no scores; expected a finished run; score it with inference.py")
    return RunRecords(run, config, environment, args, metrics)


def record(path: Path) -> dict[str, Any]:
    """The object in a JSON file that every finished run has. Raises `InputError` where it is absent."""
    if not path.is_file():
        raise InputError(f"{path}: not there; expected the folder of a finished run")
    return optional_json(path)


def rendered(run: RunRecords) -> str:
    """The card, with the scores of the test split, or of validation where test was not scored."""
    name = printable(run.folder.resolve().name)
    split, metrics = next(iter(run.metrics.items()))
    exported = exports(run.folder, run.metrics.get("test", {}))
    parts = [
        f"---\n{metadata(name, run)}\n---",
        f"# {escape(name)}",
        introduction(run),
        f"## Scores\n\n{scores(split, metrics)}",
        *(f"## Confidence, {s}\n\n{confidence(m)}" for s, m in run.metrics.items() if m.get("confidence")),
        *([f"## ONNX\n\n{exported}"] if exported else []),
        f"## Training\n\n{training(run)}",
        f"## Use\n\n{USE}",
        f"## Limits\n\n{limits(run.config, metrics)}",
        f"## Licence\n\n{licence(run.args)}",
    ]
    return "\n\n".join(parts) + "\n"


def dataset_name(record: dict[str, Any]) -> str:
    """The `dataset` of a record without a local path: a Hub id, `sample`, or the last part of the path."""
    return public_name(record.get("dataset", "unknown"))


def metadata(name: str, run: RunRecords) -> str:
    """The YAML header, in the form that huggingface_hub writes and reads."""
    results = [
        EvalResult(
            task_type="token-classification",
            task_name="Named-entity recognition",
            dataset_type=dataset_name(metrics),
            dataset_name=dataset_name(metrics),
            dataset_split=split,
            metric_type=score,
            metric_name=title,
            metric_value=round(metrics["overall"][score], 4),
        )
        for split, metrics in run.metrics.items()
        for score, title in SCORES
    ]
    base, dataset = str(run.args.get("model_checkpoint", "")), dataset_name(run.args)
    data = ModelCardData(
        model_name=name,
        eval_results=results,
        language=run.args.get("languages"),
        license="cc-by-nc-sa-4.0" if dataset == "Babelscape/multinerd" else "other",
        library_name="transformers",
        pipeline_tag="token-classification",
        tags=["named-entity-recognition"],
        datasets=[dataset] if "/" in dataset else None,  # a Hub id
        base_model=base if is_repo_id(base) and not Path(base).exists() else None,
        metrics=[score for score, _ in SCORES],
    )
    return data.to_yaml(line_break="\n").strip()


def introduction(run: RunRecords) -> str:
    """What the model is, from which encoder and data, and which classes it tags."""
    classes = ", ".join(map(escape, run.config.get("classes", [])))
    masked = (
        "trained with **masked** labels: every other class of the data was labelled `O`, so it tags these only"
        if run.config.get("masked_training")
        else "trained on all classes of the data"
    )
    base = escape(public_name(run.args.get("model_checkpoint", "an encoder")).removeprefix("package:"))
    data = escape(dataset_name(run.args))
    return f"A named-entity tagger fine-tuned from {base} on {data}, {masked}.\n\nClasses: {classes}."


def scores(split: str, metrics: dict[str, Any]) -> str:
    """The table of a split's scores, in percent, with 95 % intervals of F1."""
    lines = [
        "| class | precision | recall | F1 | 95 % interval | accuracy | support |",
        "|---|--:|--:|--:|:-:|--:|--:|",
    ]

    for row in class_rows(metrics):
        cells = " | ".join(row.cells) if row.cells else "| | | |"
        lines.append(f"| {escape(row.name)} | {cells} | {row.support:,} |")
    overall = overall_row(metrics, "**all**")
    lines.append(f"| {overall.name} | {' | '.join(overall.cells)} | {overall.support:,} |")
    macro = " ".join(macro_cells(metrics))
    computed = f"Computed in {escape(metrics['precision'])}. " if "precision" in metrics else ""
    fingerprint, languages = escape(metrics["data_fingerprint"]), " ".join(map(escape, metrics.get("languages", [])))
    about = (
        f"The {split} split of {escape(dataset_name(metrics))} ({languages}): "
        f"{metrics['sentences']:,} sentences, {metrics['tokens']:,} tokens; data fingerprint "
        f"`{fingerprint}`. {computed}Entity-level scores in percent, equal to seqeval's default mode. "
        "Intervals are Wilson's, for other sentences of the same kind; they say nothing about other seeds. A class's "
        "accuracy is token accuracy with every other class as `O`: near 100 for any rare class."
    )
    below = (
        f"Macro F1, the mean over the classes with gold entities: {macro}. "
        f"Invalid transitions to an `I-` tag: {metrics['invalid_transitions']:,}."
    )
    return "\n".join([about, "", *lines, "", below])


def confidence(metrics: dict[str, Any]) -> str:
    """How far the scores of entities can be trusted: calibration, and the table of thresholds."""
    record = metrics["confidence"]
    about = (
        f"{calibration_text(record)} "
        f"With `--min_score`, `inference.py` leaves out entities with a lower score. Of the {record['entities']:,} "
        "predicted entities, coverage is the share that is left, and precision the share of these that is right; both "
        "in percent."
    )
    rows = [f"| {' | '.join(cells)} |" for cells in threshold_cells(record)]
    return "\n".join([about, "", "| least score | precision | coverage |", "|--:|--:|--:|", *rows])


def exports(run: Path, test_metrics: dict[str, Any]) -> str:
    """The table of the exported models and of the run's own weights in float32, empty if no export was scored.

    It has a row for the run's own `test_metrics` too, where they are of the same sentences in bfloat16. The sizes are
    in MB, F1 in percent.
    """
    baseline = optional_json(run / BASELINE)
    if not baseline:
        return ""
    size = sum(path.stat().st_size for path in run.glob("model*.safetensors"))
    variants = [("this run in float32, safetensors", size, baseline)]
    if test_metrics.get("precision") == "bfloat16":
        variants.append(("the same in bfloat16", size, test_metrics))
    for folder, precision in zip(ONNX_FOLDERS, ("float32", "int8"), strict=True):
        metrics = optional_json(run / folder / "test" / "metrics.json")
        if metrics:
            variants.append((f"`{folder}/`, {precision}", (run / folder / ONNX).stat().st_size, metrics))
    comparable = [v for v in variants if v[2].get("data_fingerprint") == baseline["data_fingerprint"]]
    if not any(name.startswith("`") for name, *_ in comparable):
        return ""
    lines = ["The same model for onnxruntime, scored on the same test sentences, F1 in percent.", ""]
    lines += ["| variant | MB | test F1 | difference in points |", "|---|--:|--:|--:|"]
    for name, size, metrics in comparable:
        f1, own_f1 = (100 * m["overall"]["f1"] for m in (metrics, baseline))
        difference = "" if metrics is baseline else f"{f1 - own_f1:+.2f}"
        lines.append(f"| {name} | {size / 1e6:.1f} | {f1:.2f} | {difference} |")
    return "\n".join(lines)


def training(run: RunRecords) -> str:
    """The table of how the run was trained: rows of the data, options, hardware and versions."""
    args, environment = run.args, run.environment
    rows, packages = environment["rows"], environment["packages"]
    rare = " or ".join(map(escape, args.get("upsample_categories", [])))
    which = (
        f"as many random sentences as contain {rare}" if args.get("upsample_at_random") else f"sentences with {rare}"
    )
    up = f"{which} appear {args.get('upsample_factor')} times: {rows['repeated']:,} more rows"
    hardware = ", ".join(environment["accelerators"]) or f"{environment['processor']}, {environment['threads']} threads"
    facts = [
        ("update steps", f"{environment['update_steps']:,}"),
        ("sentences read", f"{rows['read']:,}"),
        ("dropped", f"{rows['duplicates_dropped']:,} duplicates, {rows['leaks_dropped']:,} held-out ones"),
        ("up-sampling", up if args.get("upsample") else "no"),
        ("training rows", f"{rows['training_rows']:,}"),
        ("training data fingerprint", f"`{escape(environment['data_fingerprint'])}`"),
        *((name, escape(args[name])) for name in LISTED_ARGUMENTS if args.get(name) is not None),
        *([("precision", escape(environment["precision"]))] if "precision" in environment else []),
        ("hardware", f"{environment['processes']} process(es) on {escape(hardware)}"),
        ("seconds", f"{environment['train_seconds']:,}"),
        ("versions", ", ".join(f"{escape(name)} {escape(number)}" for name, number in packages.items())),
    ]
    if "validation" in run.metrics:
        f1 = 100 * run.metrics["validation"]["overall"]["f1"]
        facts.append(("validation F1 of these weights", f"{f1:.1f}"))
    return "\n".join(["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in facts)])


USE = """Use it with the scripts that it was trained with. They keep every token and give exact character offsets:

    python inference.py --checkpoint THIS_REPOSITORY --text "Rabies was studied by Louis Pasteur in Paris."

It is meant for research on named-entity recognition: above all for comparing training data, class sets and
up-sampling on equal terms. `transformers.pipeline` loads it too, but splits text into other words, allows
sequences of labels that break the rules of BIO, and gives other scores."""


def limits(config: dict[str, Any], metrics: dict[str, Any]) -> str:
    """What a reader must not conclude from the scores, as a list."""
    lines = [
        "- This is one checkpoint from one seed. Test a difference on the same sentences before you rely on it.",
        "- Scores on data of another kind, time or language will be lower.",
        "- Labels that were made automatically or mapped from other sources have errors, which lower the scores.",
    ]
    if config.get("masked_training"):
        lines.append(
            "- Compare it with a tagger of more classes on the shared classes only: fewer classes score higher."
        )
    few = [name for name, values in metrics["per_class"].items() if values and values["support"] < 100]
    if few:
        lines.append(f"- The scores of {', '.join(map(escape, few))} come from fewer than 100 entities each.")
    return "\n".join(lines)


def licence(args: dict[str, Any]) -> str:
    """The licence of the weights, as far as the data set tells it."""
    if dataset_name(args) == "Babelscape/multinerd":
        return (
            "MultiNERD is licensed under CC BY-NC-SA 4.0 (S. Tedeschi, R. Navigli, MultiNERD, Findings of NAACL 2022); "
            "weights trained on it are shared under the same terms. The base model's licence applies too."
        )
    return (
        "The licences of the training data and of the base model apply: see their sources before sharing the weights."
    )
