"""Reads what the documents tell people to type."""

import re
import shlex
from dataclasses import dataclass
from itertools import dropwhile
from pathlib import Path
from textwrap import dedent

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "deployments").glob("*.md")])
PROGRAMS = ("foundry", "make")

_FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.DOTALL | re.MULTILINE)
_SPAN = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_VARIABLE = re.compile(r"([A-Z_0-9]+)=(.*)", re.DOTALL)
_OPERATOR = set("|&;<>")


@dataclass(frozen=True)
class Typed:
    """One command: where it stands, its program, its words, and whether it stands in a block to be typed."""

    document: str
    program: str
    words: tuple[str, ...]
    is_whole: bool

    def __str__(self) -> str:
        return f"{self.document}: {self.program} {shlex.join(self.words)}"


def name_of(path):
    return str(path.relative_to(ROOT))


def blocks(path, language):
    """Contents of the fenced blocks of a language."""
    text = path.read_text(encoding="utf-8")
    return [dedent(content) for found, content in _FENCE.findall(text) if found == language]


def spans(path):
    """What stands in backticks within the running text."""
    return _SPAN.findall(_FENCE.sub("", path.read_text(encoding="utf-8")))


def commands(path):
    """Every call of `foundry` and `make` in a document."""
    lines = [line for block in blocks(path, "bash") for line in block.replace("\\\n", " ").splitlines()]
    whole = [(line, True) for line in lines]
    quoted = [(text, False) for text in spans(path)]
    return [
        Typed(name_of(path), program, words, is_whole)
        for text, is_whole in whole + quoted
        for program, words in _calls(text)
    ]


def _calls(text):
    for found in _simple_commands(text):
        words = list(dropwhile(_VARIABLE.fullmatch, found))
        if words and Path(words[0]).name in PROGRAMS:
            yield Path(words[0]).name, tuple(word for word in words[1:] if word != "[OPTIONS]")


def _simple_commands(text):
    """Words of each command of a line; what comes after an operator is another command."""
    parser = shlex.shlex(text, posix=True, punctuation_chars=True)
    parser.whitespace_split = True
    found = [[]]
    try:
        for word in parser:
            if set(word) <= _OPERATOR:
                found.append([])
            else:
                found[-1].append(word)
    except ValueError:  # a quote that never closes: no shell would take it, so that it is no command
        return []
    return found


def assignments(words):
    """`NAME=value` words of a call of make, and its targets."""
    given = dict(found.groups() for word in words if (found := _VARIABLE.fullmatch(word)))
    return given, [word for word in words if not _VARIABLE.fullmatch(word)]
