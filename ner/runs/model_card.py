"""The model card of a run folder, rendered from the run's records by `templates/model_card.md.j2`. No torch."""

import logging
import re
from pathlib import Path
from typing import Any

from huggingface_hub import EvalResult, ModelCardData

from ner.corpus.sources import MULTINERD
from ner.errors import InputError, printable
from ner.files import optional_record, write_text
from ner.hub_files import is_repo_id, public_name
from ner.markdown import templates
from ner.runs.files import BASELINE, CARD, METRICS, ONNX, ONNX_FOLDERS
from ner.runs.folder import is_finished, owner_of
from ner.runs.manifest import fault, read_manifest, write_manifest
from ner.scoring.score_table import ABOUT_CONFIDENCE, CONFIDENCE, class_table, confidence_cells, language_table, percent

log = logging.getLogger("ner")
SCORES = {"precision": "Precision", "recall": "Recall", "f1": "F1", "accuracy": "Token accuracy"}
TEMPLATES = templates(Path(__file__).parent / "templates")
TEMPLATES.filters |= {
    "public_name": public_name, "percent": percent, "commas": "{:,}".format,
    "paragraph": lambda text: f"{' '.join(text.split())}\n",
}  # fmt: skip


def write_card(run: Path) -> None:
    """Writes the model card into the run folder. Raises `InputError` as `model_card` does."""
    write_text(run / CARD, model_card(run))


def enter_scores(run: Path, place: str) -> None:
    """Shows new scores of a run, or of its export, in the model card, and enters them into the manifest."""
    owner = owner_of(run)
    if is_finished(owner):
        new = f"{(run / place).absolute().relative_to(owner.absolute()).as_posix()}/"
        if (owner / CARD).exists() and fault(owner, CARD, read_manifest(owner).get(CARD, {})):
            log.warning(
                "%s was edited, so it stays without these scores; to have it made anew, delete it", owner / CARD
            )
            write_manifest(owner, (new,))
        else:
            write_card(owner)
            write_manifest(owner, (CARD, new))


def model_card(run: Path) -> str:
    """The card's Markdown: metadata with a `model-index`, scores with intervals, training, use, limits, licence.

    The scores are those of the test split, or of validation where test was not scored. Raises `InputError` where the
    folder holds no finished run.
    """
    config, environment = optional_record(run / "config.json"), optional_record(run / "environment.json")
    args = optional_record(run / "args.yaml")
    scored = {split: found for split in ("test", "validation") if (found := optional_record(run / split / METRICS))}
    if not (config and environment and args and scored):
        raise InputError(f"{run}: lacks a config.json, environment.json, args.yaml or scores; expected a finished run")
    name, (split, metrics) = printable(run.resolve().name), next(iter(scored.items()))
    few = [name for name, values in metrics["per_class"].items() if values and values["support"] < 100]
    records = {split: record for split, each in scored.items() if (record := each.get("confidence"))}
    return TEMPLATES.get_template("model_card.md.j2").render(
        name=name, metadata=metadata(name, args, scored), config=config, environment=environment, args=args,
        split=split, metrics=metrics, scored=scored, few=few, exports=export_table(run),
        classes=class_table(metrics), languages=language_table(metrics), about_confidence=ABOUT_CONFIDENCE,
        confidence=[["split", *CONFIDENCE], *([each, *confidence_cells(of)] for each, of in records.items())],
    )  # fmt: skip


def metadata(name: str, args: dict[str, Any], scored: dict[str, dict[str, Any]]) -> str:
    """The YAML header, in the form that huggingface_hub writes and reads."""
    base, dataset = args["model_checkpoint"], public_name(args["dataset"])
    results = [
        EvalResult(
            task_type="token-classification",
            task_name="Named-entity recognition",
            dataset_type=public_name(metrics["dataset"]),
            dataset_name=public_name(metrics["dataset"]),
            dataset_config=args.get("dataset_config") if public_name(metrics["dataset"]) == dataset else None,
            dataset_split=split,
            metric_type=score,
            metric_name=title,
            metric_value=round(metrics["overall"][score], 4),
        )
        for split, metrics in scored.items()
        for score, title in SCORES.items()
    ]
    data = ModelCardData(
        model_name=name,
        eval_results=results,
        language=list(dict.fromkeys(re.split("[-_]", code)[0].lower() for code in args["languages"])),  # ISO 639
        license="cc-by-nc-sa-4.0" if dataset == MULTINERD else "other",
        library_name="transformers",
        pipeline_tag="token-classification",
        tags=["named-entity-recognition"],
        datasets=[dataset] if "/" in dataset else None,  # a Hub id
        base_model=base if is_repo_id(base) and not Path(base).exists() else None,
        metrics=list(SCORES),
    )
    return data.to_yaml(line_break="\n").strip()


def export_table(run: Path) -> list[list[str]]:
    """The table of the run's own weights in float32 and of the exported models; empty if no export was scored.

    A row has a name, the size in MB, F1 in percent, and the difference to float32 in points. Scores of other sentences
    are left out.
    """
    baseline = optional_record(run / BASELINE)
    if not baseline:
        return []
    variants = [("this run in float32, safetensors", "model*.safetensors", BASELINE)]
    for folder, precision in zip(ONNX_FOLDERS, ("float32", "int8"), strict=True):
        variants.append((f"{folder}/, {precision}", f"{folder}/{ONNX}", f"{folder}/test/{METRICS}"))
    rows = [["variant", "MB", "test F1", "difference in points"]]
    for name, weights, place in variants:
        metrics = optional_record(run / place)
        if metrics.get("data_fingerprint") == baseline["data_fingerprint"]:
            size = sum(path.stat().st_size for path in run.glob(weights))
            f1, own_f1 = (100 * m["overall"]["f1"] for m in (metrics, baseline))
            rows.append([name, f"{size / 1e6:.1f}", f"{f1:.2f}", f"{f1 - own_f1:+.2f}"])
    return rows
