"""The model card of a run folder, from what the folder records. No torch."""

from pathlib import Path
from typing import Any

from huggingface_hub import EvalResult, ModelCardData

from ner.errors import InputError, printable
from ner.hub_files import is_repo_id, public_name
from ner.markdown import escape as text
from ner.runs.files import BASELINE, ONNX, ONNX_FOLDERS, optional_json, recorded_args
from ner.scoring.score_table import class_rows, macro_cells, overall_row

SCORES = (("precision", "Precision"), ("recall", "Recall"), ("f1", "F1"), ("accuracy", "Token accuracy"))
SHOWN_ARGUMENTS = (
    "learning_rate", "num_train_epochs", "max_steps", "per_device_train_batch_size", "gradient_accumulation_steps",
    "weight_decay", "seed", "max_length", "train_sampling_strategy", "early_stopping_patience",
)  # fmt: skip


def model_card(run: Path) -> str:
    """The card's Markdown: metadata with a `model-index`, scores with intervals, training, use, limits, licence.

    Raises `InputError` where the folder holds no finished run.
    """
    config, environment = record(run / "config.json"), record(run / "environment.json")
    args = recorded_args(run)
    scored = {
        s: record(run / s / "metrics.json") for s in ("test", "validation") if (run / s / "metrics.json").is_file()
    }
    if not scored:
        raise InputError(f"{run}: holds no scores; expected a finished run; score it with inference.py")
    split, metrics = next(iter(scored.items()))
    try:
        exported = exports(run, scored.get("test", {}))
        return rendered(printable(run.resolve().name), config, environment, args, scored, split, metrics, exported)
    except InputError:
        raise
    except (KeyError, TypeError, AttributeError, IndexError, ValueError) as error:
        raise InputError(f"{run}: its records lack {error}; expected a finished run of this version") from error


def rendered(
    name: str,
    config: dict[str, Any],
    environment: dict[str, Any],
    args: dict[str, Any],
    scored: dict[str, dict[str, Any]],
    split: str,
    metrics: dict[str, Any],
    exported: str,
) -> str:
    parts = [
        f"---\n{metadata(name, args, scored)}\n---",
        f"# {text(name)}",
        introduction(config, args),
        f"## Scores\n\n{scores(split, metrics)}",
        *([f"## ONNX\n\n{exported}"] if exported else []),
        f"## Training\n\n{training(args, environment, scored)}",
        f"## Use\n\n{USE}",
        f"## Limits\n\n{limits(config, metrics)}",
        f"## Licence\n\n{licence(args)}",
    ]
    return "\n\n".join(parts) + "\n"


def record(path: Path) -> dict[str, Any]:
    """The object in a JSON file that every finished run has."""
    if not path.is_file():
        raise InputError(f"{path}: not there; expected the folder of a finished run")
    return optional_json(path)


def dataset_name(record: dict[str, Any]) -> str:
    """The `dataset` of a record as strangers may see it: a Hub id, `sample`, or the last part of a local path."""
    return public_name(record.get("dataset", "unknown"))


def on_hub(args: dict[str, Any]) -> bool:
    return "/" in dataset_name(args)


def metadata(name: str, args: dict[str, Any], scored: dict[str, dict[str, Any]]) -> str:
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
        for split, metrics in scored.items()
        for score, title in SCORES
    ]
    base = str(args.get("model_checkpoint", ""))
    data = ModelCardData(
        model_name=name,
        eval_results=results,
        language=args.get("languages"),
        license="cc-by-nc-sa-4.0" if dataset_name(args) == "Babelscape/multinerd" else "other",
        library_name="transformers",
        pipeline_tag="token-classification",
        tags=["named-entity-recognition"],
        datasets=[dataset_name(args)] if on_hub(args) else None,
        base_model=base if is_repo_id(base) and not Path(base).exists() else None,
        metrics=[score for score, _ in SCORES],
    )
    return data.to_yaml(line_break="\n").strip()


def introduction(config: dict[str, Any], args: dict[str, Any]) -> str:
    classes = ", ".join(map(text, config.get("classes", [])))
    masked = (
        "trained with **masked** labels: every other class of the data stood as `O`, so it tags these only"
        if config.get("masked_training")
        else "trained on all classes of the data"
    )
    base = text(public_name(args.get("model_checkpoint", "an encoder")).removeprefix("package:"))
    return (
        f"A named-entity tagger fine-tuned from {base} on {text(dataset_name(args))}, {masked}.\n\nClasses: {classes}."
    )


def scores(split: str, metrics: dict[str, Any]) -> str:
    """The table of a split's scores, in percent, with 95 % intervals of F1."""
    lines = [
        "| class | precision | recall | F1 | 95 % interval | accuracy | support |",
        "|---|--:|--:|--:|:-:|--:|--:|",
    ]

    for row in class_rows(metrics):
        cells = " | ".join(row.cells) if row.cells else "| | | |"
        lines.append(f"| {text(row.name)} | {cells} | {row.support:,} |")
    overall = overall_row(metrics, "**all**")
    lines.append(f"| {overall.name} | {' | '.join(overall.cells)} | {overall.support:,} |")
    macro = " ".join(macro_cells(metrics))
    computed = f"Computed in {text(metrics['precision'])}. " if "precision" in metrics else ""
    fingerprint = text(metrics["data_fingerprint"])
    about = (
        f"The {split} split of {text(dataset_name(metrics))} ({' '.join(map(text, metrics.get('languages', [])))}): "
        f"{metrics['sentences']:,} sentences, {metrics['tokens']:,} tokens; data fingerprint "
        f"`{fingerprint}`. {computed}Entity-level scores in percent, equal to seqeval's default mode. "
        "Intervals are Wilson's, for other sentences of the same kind; they say nothing of another seed. A class's "
        "accuracy is token accuracy with every other class as `O`: near 100 for any rare class."
    )
    below = (
        f"Macro F1, the mean over the classes with gold entities: {macro}. "
        f"Invalid transitions to an `I-` tag: {metrics['invalid_transitions']:,}."
    )
    return "\n".join([about, "", *lines, "", below])


def exports(run: Path, metrics: dict[str, Any]) -> str:
    """The table of the exported models beside the run's own weights in float32, or nothing where none was scored.

    It holds the run's test `metrics` too, where they are of the same sentences in bfloat16.
    """
    baseline = optional_json(run / BASELINE)
    size = sum(path.stat().st_size for path in run.glob("model*.safetensors"))
    rows = [("this run in float32, safetensors", size, baseline), ("the same in bfloat16", size, metrics)]
    if metrics.get("precision") != "bfloat16":
        rows.pop()
    for folder, name in zip(ONNX_FOLDERS, ("float32", "int8"), strict=True):
        found = optional_json(run / folder / "test" / "metrics.json")
        rows.append((f"`{folder}/`, {name}", (run / folder / ONNX).stat().st_size if found else 0, found))
    rows = [row for row in rows if baseline and row[2].get("data_fingerprint") == baseline["data_fingerprint"]]
    if not any(name.startswith("`") for name, *_ in rows):
        return ""
    lines = ["The same model for onnxruntime, scored on the same test sentences, F1 in percent.", ""]
    lines += ["| variant | MB | test F1 | difference in points |", "|---|--:|--:|--:|"]
    for name, size, found in rows:
        f1, own = (100 * m["overall"]["f1"] for m in (found, baseline))
        lines.append(f"| {name} | {size / 1e6:.1f} | {f1:.2f} | {'' if found is baseline else f'{f1 - own:+.2f}'} |")
    return "\n".join(lines)


def training(args: dict[str, Any], environment: dict[str, Any], scored: dict[str, dict[str, Any]]) -> str:
    rows, packages = environment["rows"], environment["packages"]
    rare = " or ".join(map(text, args.get("upsample_categories", [])))
    up = f"sentences with {rare} stood {args.get('upsample_factor')} times: {rows['repeated']:,} rows more"
    hardware = ", ".join(environment["accelerators"]) or f"{environment['processor']}, {environment['threads']} threads"
    facts = [
        ("update steps", f"{environment['update_steps']:,}"),
        ("sentences read", f"{rows['read']:,}"),
        (
            "dropped",
            f"{rows['duplicates_dropped']:,} duplicates, {rows['leaks_dropped']:,} held-out ones",
        ),
        ("up-sampling", up if args.get("upsample") else "no"),
        ("training rows", f"{rows['training_rows']:,}"),
        ("training data fingerprint", f"`{text(environment['data_fingerprint'])}`"),
        *((name, text(args[name])) for name in SHOWN_ARGUMENTS if args.get(name) is not None),
        *([("precision", text(environment["precision"]))] if "precision" in environment else []),
        ("hardware", f"{environment['processes']} process(es) on {text(hardware)}"),
        ("seconds", f"{environment['train_seconds']:,}"),
        ("versions", ", ".join(f"{text(name)} {text(number)}" for name, number in packages.items())),
    ]
    if "validation" in scored:
        facts.append(("validation F1 of the best checkpoint", f"{100 * scored['validation']['overall']['f1']:.1f}"))
    return "\n".join(["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in facts)])


USE = """With the scripts it was trained with, which keep every token and give exact character offsets:

    python inference.py --checkpoint THIS_REPOSITORY --text "Rabies was studied by Louis Pasteur in Paris."

It is meant for research on named-entity recognition: above all for comparing training data, class sets and
up-sampling on equal terms. `transformers.pipeline` loads it too, but splits words otherwise than the evaluation."""


def limits(config: dict[str, Any], metrics: dict[str, Any]) -> str:
    lines = [
        "- One checkpoint from one seed: a difference to another is none until it is tested on the same sentences.",
        "- Scores on data of another kind, time or language will be lower.",
        "- Labels that were made automatically or mapped from other sources have errors, which count as the tagger's.",
    ]
    if config.get("masked_training"):
        lines.append("- Beside a tagger of more classes, compare the shared classes only: fewer classes score higher.")
    few = [name for name, values in metrics["per_class"].items() if values and values["support"] < 100]
    if few:
        lines.append(f"- Fewer than 100 entities stand behind the scores of {', '.join(map(text, few))}.")
    return "\n".join(lines)


def licence(args: dict[str, Any]) -> str:
    if dataset_name(args) == "Babelscape/multinerd":
        return (
            "MultiNERD is licensed under CC BY-NC-SA 4.0 (S. Tedeschi, R. Navigli, MultiNERD, Findings of NAACL 2022); "
            "weights trained on it are shared under the same terms. The base model's licence applies too."
        )
    return (
        "The licences of the training data and of the base model apply: see their sources before sharing the weights."
    )
