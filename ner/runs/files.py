"""The names of the files of a run folder, and of the options that it does not record."""

SPLITS = ("validation", "test")  # those that are scored
METRICS, PREDICTIONS = "metrics.json", "predictions.jsonl"  # of a scored split
SCORES = "scores"  # holds a folder like a split's for each score of other data, or of part of a split
CARD, MANIFEST = "README.md", "manifest.json"  # the last two files of a training
ONNX, ONNX_FOLDERS = "model.onnx", ("onnx", "onnx_int8")  # the exported models; each folder is a complete checkpoint
BASELINE = "onnx/run_in_float32.json"  # test metrics of the run's own weights in float32, for comparison with exports
WEIGHTS = "model.safetensors"
STATE = "trainer_state.json"  # what Trainer logged; the last file that it writes into a checkpoint
INDEX = "model.safetensors.index.json"  # of a large model: which shard holds which weights
TOKENIZER = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json")  # a fast one's

# Options that `args.yaml` does not have, because they do not belong to the experiment: they say how the run was started
# and where it was pushed. Those named `hub_...` are not recorded either: one of them is a token.
NOT_RECORDED = {"resume_from_checkpoint", "disable_tqdm", "local_rank", "push_to_hub", "report_to"}

# What is pushed beside the model card, as patterns within the run folder, in which `*` does not match a slash.
# Of the scores only metrics.json: predictions.jsonl holds the text of the data.
CHECKPOINT = ("config.json", "args.yaml", *TOKENIZER, *(f"{split}/{METRICS}" for split in SPLITS))
PUSHED = (
    *CHECKPOINT, "environment.json", WEIGHTS, "model-*-of-*.safetensors", INDEX, BASELINE,
    *(f"{folder}/{name}" for folder in ONNX_FOLDERS for name in (*CHECKPOINT, ONNX)),
)  # fmt: skip
