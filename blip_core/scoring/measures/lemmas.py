"""Dictionary forms of an answer's words, as OK-VQA's answers are kept (LAVIS, `apply_lemmatizer`).

LAVIS lets spaCy tell nouns and verbs by the whole answer and takes their dictionary forms. Here no tagger
runs: a word that ends as participles do is a verb where the lexicon knows the verb, else a noun where it
knows that. The lexicon is that of the NIH (SPECIALIST), as the package lemminflect ships it.
"""

from functools import lru_cache

_PARTICIPLES = ("ing", "ed")
_WORDS_KEPT = 100_000


def lemmatised(text: str) -> str:
    """A text, each word by its dictionary form."""
    return " ".join(_lemma(word) for word in text.lower().split())


@lru_cache(maxsize=_WORDS_KEPT)
def _lemma(word: str) -> str:
    from lemminflect import getAllLemmas  # reads its lexicon

    known = getAllLemmas(word)
    order = ("VERB", "NOUN") if word.endswith(_PARTICIPLES) else ("NOUN", "VERB")
    return next((known[part][0] for part in order if part in known), word)
