"""How compared runs differ apart from what the experiment varies: precision, batches, versions, data, hardware."""

from typing import Any

from ner.report.run_reader import Run

# Arguments that an experiment varies.
VARIED = (
    "masked_training", "selected_categories", "upsample", "upsample_categories", "upsample_factor",
    "upsample_at_random", "seed", "output_dir",
)  # fmt: skip
# Arguments that change no number, or that have a row of their own.
NOT_COMPARED = (
    "learning_rate", "per_device_train_batch_size", "gradient_accumulation_steps", "bf16", "fp16",
    "overwrite_output_dir", "resume_from_checkpoint", "push_to_hub", "hub_model_id", "cache", "disable_tqdm",
)  # fmt: skip
DEFAULT = "default"  # of transformers: args.yaml does not record it


def setup_comparison(runs: list[Run]) -> dict[str, Any]:
    """How alike the runs were made.

    `differing` is a list of {"what": fact, "values": {run: text, or None if it did not record the fact}}, `agreeing`
    names the facts in which all runs agree, and `unrecorded` those that no run recorded.
    """
    result: dict[str, Any] = {"differing": [], "agreeing": [], "unrecorded": []}

    def compare(what: str, values: list[str | None]) -> None:
        if len(set(values)) > 1:
            by_run = dict(zip((run.name for run in runs), values, strict=True))
            result["differing"].append({"what": what, "values": by_run})
        else:
            result["unrecorded" if values[0] is None else "agreeing"].append(what)

    facts = [recorded_facts(run) for run in runs]
    for what in facts[0]:
        compare(what, [each[what] for each in facts])
    for what, singular, records, missing in (
        ("other arguments", "argument", [other_arguments(run) for run in runs], DEFAULT),
        ("package versions", "version of", [run.environment.get("packages") for run in runs], None),
    ):
        known = [each if isinstance(each, dict) and each else None for each in records]
        keys = sorted({key for each in known if each for key in each}, key=str)
        values = {k: [None if each is None else fact_text(each.get(k)) or missing for each in known] for k in keys}
        differing = {k: v for k, v in values.items() if len({x for x, each in zip(v, known, strict=True) if each}) > 1}
        if not differing:
            compare(what, [None if each is None else "recorded" for each in known])
        for key, texts in differing.items():
            compare(f"{singular} {key}", texts)
    return result


def recorded_facts(run: Run) -> dict[str, str | None]:
    """How a run was trained and scored, as its folder records it; None for what it does not record."""
    environment, args = run.environment, run.args
    sizes = args.get("per_device_train_batch_size"), args.get("gradient_accumulation_steps", 1)
    factors = [*sizes, environment.get("processes")]
    batch = None
    if all(isinstance(n, int) for n in factors):
        batch = f"{factors[0] * factors[1] * factors[2]:,}"
    accelerators = environment.get("accelerators")
    facts = {
        "precision of training": training_precision(run),
        "precision of scoring": run.metrics.get("precision"),
        "constrained decoding": run.metrics.get("constrained_decoding"),
        "sentences per update": batch,
        "updates": environment.get("update_steps"),
        "learning rate": args.get("learning_rate"),
        "training data": environment.get("data_fingerprint"),
        "test data": run.metrics.get("data_fingerprint"),
        "Python": environment.get("python"),
        "device": environment.get("device"),
        "CPU": environment.get("processor"),
        "threads": environment.get("threads"),
        "accelerators": "none" if accelerators == [] else accelerators,
        "git commit": environment.get("git_commit"),
    }
    return {what: fact_text(value) for what, value in facts.items()}


def training_precision(run: Run) -> str | None:
    """The recorded precision; older runs only recorded whether it was bfloat16."""
    if "precision" in run.environment or "bfloat16" not in run.environment:
        return run.environment.get("precision")
    if run.environment["bfloat16"]:
        return "bfloat16"
    return "float16" if run.args.get("fp16") else "float32"


def other_arguments(run: Run) -> dict[str, Any]:
    """The recorded arguments that are neither varied by an experiment nor compared elsewhere."""
    return {k: v for k, v in run.args.items() if k not in (*VARIED, *NOT_COMPARED)}


def fact_text(value: Any) -> str | None:
    """A recorded value as text; None if it is None."""
    if value is None:
        return None
    if isinstance(value, float):
        return f"{value:.10g}"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
