"""From the scores of labels to tags that follow the rules of BIO, and to the probability of each entity. NumPy only.

A model gives each word a distribution over labels. Here a sentence's tags are distributed as the product of these,
restricted to the sequences in which every `I-CLASS` continues an entity of its class. Nothing is learned about
transitions. The best sequence is that of Viterbi (1967), the probabilities of entities come from the forward-backward
algorithm (Rabiner 1989) over the same sequences.

Labels are in the order of `label_names`: `O`, then a `B-` and an `I-` for each class.
"""

import numpy as np

from ner.labels import Spans, ranges, wrong_transitions

WORDS = 2**16  # whose probabilities are computed at a time, on average
LEAST = -600.0  # no label is less probable than exp(LEAST), so that nothing is divided by 0


def best_tags(scores: np.ndarray, lengths: np.ndarray, constrained: bool) -> np.ndarray:
    """The label id of each word, int16 [token]: that of the best valid sequence, or if not `constrained`, the best one.

    `scores` [token, label] are logits or log-probabilities, `lengths` [sentence] counts the words of each sentence.
    """
    ids = scores.argmax(axis=1).astype(np.int16)
    if not constrained:
        return ids
    # The best labels by themselves are the best sequence wherever they are a valid one, which is almost everywhere.
    wrong = wrong_transitions(ids, lengths)
    sentences = np.unique(np.repeat(np.arange(len(lengths)), lengths)[wrong])
    starts = (np.cumsum(lengths) - lengths)[sentences]
    for start, length in zip(starts.tolist(), lengths[sentences].tolist(), strict=True):
        ids[start : start + length] = viterbi(scores[start : start + length])
    return ids


def viterbi(scores: np.ndarray) -> np.ndarray:
    """The label ids of the best valid sequence for the scores [word, label] of one sentence."""
    begin, inside = slice(1, None, 2), slice(2, None, 2)
    before = np.zeros(scores.shape, dtype=np.int16)  # the best label before each label of each word
    best = scores[0].astype(np.float64)
    best[inside] = -np.inf
    for word in range(1, len(scores)):
        before[word] = best.argmax()
        longer = best[inside] > best[begin]
        before[word, inside] = np.arange(1, len(best), 2) + longer
        best = best[before[word]] + scores[word]
    path = [int(best.argmax())]
    for word in range(len(scores) - 1, 0, -1):
        path.append(int(before[word, path[-1]]))
    return np.array(path[::-1], dtype=np.int16)


def softmax(scores: np.ndarray) -> np.ndarray:
    """The probability of each label of each word, float64 [token, label], never 0."""
    p = np.exp(np.maximum(scores.astype(np.float64) - scores.max(axis=1, keepdims=True), LEAST))
    return p / p.sum(axis=1, keepdims=True)


def independent_probabilities(scores: np.ndarray, lengths: np.ndarray, ids: np.ndarray, entities: Spans) -> np.ndarray:
    """The probability that an entity's words have their labels `ids` [token] and that it does not go on; [entity].

    This is for tags that are not constrained. The other arguments are those of `entity_probabilities`.
    """
    p = softmax(scores)
    sums = np.concatenate([[0], np.cumsum(np.log(p[np.arange(len(ids)), ids]))])
    goes_on = np.append(p[:, 2::2], np.zeros((1, scores.shape[1] // 2)), axis=0)
    goes_on[np.cumsum(lengths) - lengths] = 0  # never into another sentence
    return np.exp(sums[entities.end] - sums[entities.start]) * (1 - goes_on[entities.end, entities.class_index])


def entity_probabilities(scores: np.ndarray, lengths: np.ndarray, entities: Spans) -> np.ndarray:
    """The probability that each entity is there, with exactly its words and its class; float64 [entity].

    It is that of all valid sequences with the entity together, for the logits or log-probabilities `scores`
    [token, label] of sentences of `lengths` [sentence]. The entities are in the order of their words.
    """
    result, borders = np.empty(len(entities.start)), np.concatenate([[0], np.cumsum(lengths)])
    size = max(1, len(lengths) * WORDS // max(1, int(borders[-1])))  # sentences of a block
    for first in range(0, len(lengths), size):
        last = min(first + size, len(lengths))
        words = slice(borders[first], borders[last])
        mine = slice(*np.searchsorted(entities.start, (words.start, words.stop)))
        start, end = entities.start[mine] - words.start, entities.end[mine] - words.start
        own = Spans(start, end, entities.class_index[mine])
        result[mine] = block_probabilities(scores[words], lengths[first:last], own)
    return result


def block_probabilities(scores: np.ndarray, lengths: np.ndarray, entities: Spans) -> np.ndarray:
    """`entity_probabilities` of a block of sentences, computed at once for the words at each place of a sentence."""
    p = softmax(scores)
    outside, begin, inside = p[:, 0], p[:, 1::2], p[:, 2::2]  # [token], [token, class], [token, class]
    order = np.argsort(-lengths, kind="stable")
    starts = (np.cumsum(lengths) - lengths)[order]
    active = np.searchsorted(-lengths[order], -np.arange(lengths.max(initial=0))).tolist()

    # Forward: the probability of an entity of each class at each word, given the words up to it.
    begins, open_ = np.empty_like(begin), np.empty_like(begin)
    scale = np.empty_like(outside)
    for step, n in enumerate(active):
        t = starts[:n] + step
        goes_on = inside[t] * open_[t - 1] if step else np.zeros_like(inside[t])
        scale[t] = outside[t] + begin[t].sum(axis=1) + goes_on.sum(axis=1)
        begins[t] = begin[t] / scale[t][:, None]
        open_[t] = begins[t] + goes_on / scale[t][:, None]

    # Backward: the probability of the words after each one, given that no entity goes on there (`closed`) or may.
    closed, going_on = np.ones_like(outside), np.zeros_like(begin)
    for step, n in reversed(list(enumerate(active[1:]))):
        t, after = starts[:n] + step, starts[:n] + step + 1
        whole = closed[after][:, None] + going_on[after]
        closed[t] = (outside[after] * closed[after] + (begin[after] * whole).sum(axis=1)) / scale[after]
        going_on[t] = inside[after] * whole / scale[after][:, None]

    # An entity: it begins, each further word goes on, and none goes on after the last one.
    further = entities.end - entities.start - 1
    entity = np.repeat(np.arange(len(further)), further)
    word = ranges(entities.start + 1, further)
    steps = np.log(inside[word, entities.class_index[entity]]) - np.log(scale[word])
    all_steps = np.exp(np.bincount(entity, weights=steps, minlength=len(further)))
    return begins[entities.start, entities.class_index] * all_steps * closed[entities.end - 1]
