"""Which words of a question or an option tell it from others: dictionary forms, without words of grammar."""

from functools import lru_cache

from blip_core.scoring.measures.lemmas import lemmatised
from blip_core.scoring.measures.wording import words_of

_KEPT = 100_000  # texts: options and questions come again

# Articles, pronouns, prepositions, auxiliaries, question words, and what questions say of any picture.
_GRAMMAR = """
a an the this that these those it its they them their there here he she his her him we you i one ones some any
of in on at by to from with for into onto as and or but not no than then so if
be is are was were been being am do does did done have has had having can could may might will would shall
should what which who whom whose where when why how many much kind type sort
picture image photo photograph scene see seen show shown visible appear depict following
"""
GRAMMAR = frozenset(_GRAMMAR.split())


@lru_cache(maxsize=_KEPT)
def telling_words(text: str) -> frozenset[str]:
    """The dictionary forms of a text's words that are no words of grammar."""
    forms = ((word, _form(word)) for word in words_of(text))
    return frozenset(form for word, form in forms if GRAMMAR.isdisjoint((word, form)))


def _form(word: str) -> str:
    """Dictionary form of a word; the lexicon lacks some plurals, such as burgers."""
    form = lemmatised(word)
    is_unknown_plural = form == word and len(word) > 3 and word.endswith("s") and not word.endswith("ss")
    return word[:-1] if is_unknown_plural else form
