"""The training losses. Trainer calls each with the number of words in the whole batch, which may span several steps of
accumulation and several processes.

Words whose label is `UNLABELLED` add nothing to the loss, but still count in the mean: so each other word weighs as
much as it would if they were labelled.
"""

import torch
from torch.nn import functional

from ner.encoder.encoding import IGNORED, UNLABELLED

CROSS_ENTROPY = 1.0  # its weight in the CRF loss, beside 1 for the sequences; studies/levers.py varies it
IMPOSSIBLE = -1e6  # the score of a label that is excluded: finite, so that no gradient becomes NaN
LEAST = -60.0  # no label is less probable than exp(LEAST), so that nothing is divided by 0


def mean_loss(
    outputs: dict[str, torch.Tensor],
    labels: torch.Tensor,
    num_items_in_batch: torch.Tensor | int | None = None,
    *,
    label_smoothing: float,
) -> torch.Tensor:
    """Cross-entropy as the mean over words."""
    logits = outputs["logits"].flatten(0, 1).float()
    targets = labels.where(labels != UNLABELLED, IGNORED).flatten()
    total = functional.cross_entropy(
        logits, targets, ignore_index=IGNORED, reduction="sum", label_smoothing=label_smoothing
    )
    return per_word(total, labels, num_items_in_batch)


def crf_loss(
    outputs: dict[str, torch.Tensor],
    labels: torch.Tensor,
    num_items_in_batch: torch.Tensor | int | None = None,
    *,
    cross_entropy: float = CROSS_ENTROPY,
) -> torch.Tensor:
    """The negative log-probability of the gold tags among all sequences that `ner.tagging.decoding` allows, averaged
    with the cross-entropy of each word by itself, of weight `cross_entropy` to 1; as the mean over words.

    The first is the loss of a linear-chain CRF (Lafferty et al. 2001) whose transitions are not learned: each is
    allowed or not. It leaves the best label of a single word free to break the rules, because decoding never takes it.
    The second keeps that label right for programs that decode word by word, as transformers' `pipeline` does. A gold
    `I-` label that continues no entity of its class counts as `B-`. Each window of a long sentence is a sequence of its
    own. With unlabelled words, the probability is that of all sequences with the gold tags at the other words (Tsuboi
    et al. 2008).
    """
    words = labels != IGNORED
    row, position = words.nonzero(as_tuple=True)  # once, since it makes a GPU wait
    place = (words.cumsum(1) - 1)[row, position]
    lengths = words.sum(1)  # 0 for the row of `Encoded` that teaches nothing
    logits = outputs["logits"]
    scores = torch.zeros(len(labels), max(1, int(lengths.max())), logits.shape[-1], device=logits.device)
    scores[row, place] = logits[row, position].float()
    gold = labels[row, position]
    previous = torch.cat([gold.new_zeros(1), gold[:-1]]).where(place > 0, 0)
    opens = (gold > 0) & (gold % 2 == 0) & (previous != gold) & (previous != gold - 1)
    gold = torch.where(opens, gold - 1, gold)
    labelled = gold != UNLABELLED
    if labelled.all():
        of_gold = of_gold_sequences = scores[row, place, gold].sum()
    else:
        row, place, gold = row[labelled], place[labelled], gold[labelled]
        excluded = torch.zeros_like(scores, dtype=torch.bool)
        excluded[row, place] = True
        excluded[row, place, gold] = False
        of_gold = scores[row, place, gold].sum()
        of_gold_sequences = log_partition(scores.masked_fill(excluded, IMPOSSIBLE), lengths).sum()
    of_sequences = log_partition(scores, lengths).sum() - of_gold_sequences
    of_words = torch.logsumexp(scores[row, place], 1).sum() - of_gold
    total = (of_sequences + cross_entropy * of_words) / (1 + cross_entropy)
    return per_word(total, labels, num_items_in_batch)


def log_partition(scores: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """The logarithm of the summed exponentials of all valid sequences' scores, [sentence], for the scores [sentence,
    word, label] of sentences of `lengths` [sentence]; 0 for those without words.

    The forward algorithm with scaling (Rabiner 1989), for all sentences at once. `I-` continues its own class only. So
    shares of all sequences go from word to word: that of the sequences which end outside (first), and for each class
    that of those which end in an entity of it, which may go on.
    """
    whole = scores.logsumexp(2)
    p = (scores - whole[..., None]).clamp(min=LEAST).exp()
    # `unbind`, because the gradient of each `p[:, word]` would be as large as all of `p`.
    starts = torch.cat([p[..., :1], p[..., 1::2]], 2).unbind(1)
    inside = functional.pad(p[..., 2::2], (1, 0)).unbind(1)
    scale, share = [], torch.zeros_like(starts[0])
    for word in range(scores.shape[1]):
        mass = torch.addcmul(starts[word], inside[word], share)
        scale.append(mass.sum(1, keepdim=True))
        share = mass / scale[-1]
    words = torch.arange(scores.shape[1], device=lengths.device) < lengths[:, None]
    return ((torch.cat(scale, 1).log() + whole) * words).sum(1)


def per_word(total: torch.Tensor, labels: torch.Tensor, words: torch.Tensor | int | None) -> torch.Tensor:
    """The mean of a summed loss over `words`, the words of the whole batch, or if None over those of `labels`; 0 where
    there are none, as in a batch of a sentence without words."""
    count = words if words is not None else (labels != IGNORED).sum()
    return total / torch.as_tensor(count).clamp(min=1)
