"""Gate: texts without what leads to a person: addresses and numbers that are valid, not digits alone.

Phone numbers are checked by phonenumbers, cards, accounts and social security numbers by python-stdnum. What
was found is not repeated in the rejection. A row's fate depends on its own texts alone.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from blip_core.curation.extras import library
from blip_core.curation.gate import Gate, Kept
from blip_core.curation.row_texts import refuse_texts
from blip_core.errors import RecipeError
from blip_core.recipes.curation_of_texts import PersonalData
from blip_core.records import Example

_E_MAIL = re.compile(r"[\w.+-]+(?:@|\s?[\[(]at[\])]\s?)[\w-]+(?:\.[\w-]+)*\.[a-z]{2,24}\b", re.I)
_CARD = re.compile(r"(?<!\d)\d(?:[ -]?\d){12,18}(?!\d)")  # ISO/IEC 7812: 13 to 19 digits in use
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]){11,30}\b")
_SSN = re.compile(r"(?<![\d-])\d{3}-\d{2}-\d{4}(?![\d-])")
_FEWEST_DIGITS = 7  # of a phone number

_WORDS = {
    "e-mail": "an e-mail address",
    "phone": "a phone number",
    "card": "a payment card's number",
    "iban": "an account's IBAN",
    "ssn": "a social security number",
}


def refuse_personal_data(rows: Sequence[Example], settings: PersonalData) -> Kept:
    """Refuse rows of which a text holds an address or a valid number of a person.

    Reasons: `personal-e-mail`, `personal-phone`, `personal-card`, `personal-iban`, `personal-ssn`.

    Raises:
        RecipeError: A library is not installed, or there is no such region.
    """
    finders = _finders(settings)

    def find(text: str) -> tuple[str, str] | None:
        if "@" not in text and "at" not in text.lower() and sum(map(str.isdecimal, text)) < _FEWEST_DIGITS:
            return None
        found = next((name for name in settings.look_for if finders[name](text)), None)
        return (f"personal-{found}", f"it holds {_WORDS[found]}") if found else None

    return refuse_texts(rows, find)


def _finders(settings: PersonalData) -> Mapping[str, Callable[[str], bool]]:
    phones = library("phonenumbers", "phonenumbers", "personal_data")
    if settings.region not in phones.SUPPORTED_REGIONS:
        raise RecipeError(f"curation.personal_data.region is {settings.region!r}, which is no country's code")
    valid = partial(library, package="python-stdnum", gate="personal_data")
    return {
        "e-mail": lambda text: _E_MAIL.search(text) is not None,
        "phone": lambda text: any(_phones(phones, text, settings.region)),
        "card": partial(_has_valid, _CARD, valid("stdnum.luhn")),
        "iban": partial(_has_valid, _IBAN, valid("stdnum.iban")),
        "ssn": partial(_has_valid, _SSN, valid("stdnum.us.ssn")),
    }


def _has_valid(pattern: re.Pattern[str], number: Any, text: str) -> bool:
    """Whether something in a text has the form of a number and its check digits."""
    return any(number.is_valid(re.sub(r"[ -]", "", found)) for found in pattern.findall(text))


def _phones(phones: Any, text: str, region: str) -> Iterator[Any]:
    yield from phones.PhoneNumberMatcher(text, region)


GATE = Gate(
    "personal_data", "texts with addresses and numbers of persons", PersonalData, refuse_personal_data
)
