"""A component for spaCy that finds entities with a checkpoint, a run folder or a Hub id.

    import examples.spacy_component                  # makes the factory known
    nlp = spacy.blank("en")
    nlp.add_pipe("ner_checkpoint", config={"checkpoint": "runs/quickstart"})
    [(e.text, e.label_, e._.score) for e in nlp("Rabies kills bats.").ents]

To see the entities of a text in displaCy, on a page:

    python -m examples.spacy_component runs/quickstart "Rabies kills bats." > tagged.html

spaCy divides some words in other places, and an entity of a `Doc` consists of whole tokens. So an entity that covers a
part of a token is expanded to the whole token. `doc.spans["ner_checkpoint"]` has all entities; where two of them now
overlap, `doc.ents` has the longer one, or the first. Entities of an earlier component are replaced.
"""

from collections.abc import Iterable, Iterator

import spacy
from spacy import displacy
from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.util import filter_spans, minibatch

from ner import Tagger
from ner.errors import CommandParser, run_script

Span.set_extension("score", default=None, force=True)  # the probability that the entity is right


@Language.factory("ner_checkpoint")
class CheckpointComponent:
    """Sets the entities of a `Doc`, or of the documents of `nlp.pipe` in batches."""

    def __init__(self, nlp: Language, name: str, checkpoint: str):
        self.name, self.tagger = name, Tagger.load(checkpoint)

    def __call__(self, doc: Doc) -> Doc:
        return next(self.pipe([doc]))

    def pipe(self, stream: Iterable[Doc], batch_size: int = 128) -> Iterator[Doc]:
        for docs in minibatch(stream, batch_size):
            for doc, entities in zip(docs, self.tagger.tag([doc.text for doc in docs]), strict=True):
                found = [doc.char_span(e.start, e.end, e.type, alignment_mode="expand") for e in entities]
                for span, entity in reversed(list(zip(found, entities, strict=True))):  # the same tokens share a score
                    span._.score = entity.score
                doc.spans[self.name], doc.ents = found, filter_spans(found)
                yield doc


def main(argv: list[str]) -> None:
    """Prints displaCy's page of some texts."""
    parser = CommandParser(description="Show the entities of texts in displaCy.")
    parser.add_argument("checkpoint", help="a run folder or a Hub id")
    parser.add_argument("texts", nargs="+", metavar="TEXT")
    options = parser.parse_args(argv)
    nlp = spacy.blank("xx")
    nlp.add_pipe("ner_checkpoint", config={"checkpoint": options.checkpoint})
    print(displacy.render(nlp.pipe(options.texts), style="ent", page=True))


if __name__ == "__main__":
    run_script(main)
