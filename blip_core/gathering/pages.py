"""What stands in a page: its pictures with their texts, its links, its licence; read by lxml."""

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urljoin

from lxml import etree, html

from blip_core.gathering.fetching import Answer
from blip_core.gathering.refused import Refused

MAX_TEXT_CHARS = 1_000
_LAZY = ("data-src", "data-original", "data-lazy-src")  # where scripts find what they show later


@dataclass(frozen=True, slots=True)
class Shown:
    """A picture on a page.

    Attributes:
        address: absolute.
        text: its alternative text, or its caption where it has none; on one line, possibly empty.
        licence: what the page names for it or for all; an address, or empty.
    """

    address: str
    text: str
    licence: str


@dataclass(frozen=True, slots=True)
class Page:
    """What was read from a page.

    Attributes:
        pictures: in their order; of several with one address the first that has a text.
        links: absolute addresses, in their order, each once.
        robots: what its `<meta name="robots">` say, with commas between.
    """

    pictures: tuple[Shown, ...]
    links: tuple[str, ...]
    robots: str


def read_page(answer: Answer) -> Page:
    """Read a page of HTML, well-formed or not.

    Raises:
        Refused: It holds nothing that could be read as HTML (`unreadable-page`).
    """
    root = _parsed(answer)
    base = urljoin(str(answer.address), next(iter(root.xpath("//base/@href")), ""))
    pictures: dict[str, Shown] = {}
    for picture in _pictures(root, base):
        if picture.address not in pictures or (picture.text and not pictures[picture.address].text):
            pictures[picture.address] = picture
    links = dict.fromkeys(filter(None, (_joined(base, one) for one in root.xpath("//a/@href"))))
    robots = [
        one.get("content", "") for one in root.iter("meta") if one.get("name", "").strip().lower() == "robots"
    ]
    return Page(tuple(pictures.values()), tuple(links), ",".join(robots))


def _parsed(answer: Answer) -> html.HtmlElement:
    try:
        parser = html.HTMLParser(encoding=answer.charset or None, no_network=True, huge_tree=False)
    except LookupError:  # a charset that nobody knows: the page itself may say another
        parser = html.HTMLParser(no_network=True, huge_tree=False)
    try:
        return html.document_fromstring(answer.content, parser=parser)
    except (etree.LxmlError, ValueError) as error:
        raise Refused("unreadable-page", f"it cannot be read as HTML: {error}") from error


def _pictures(root: html.HtmlElement, base: str) -> Iterator[Shown]:
    whole = _licence(root, base)
    for image in root.iter("img"):
        address = _joined(base, _source(image))
        if not address:
            continue
        figure = next(image.iterancestors("figure"), None)
        text = _on_one_line(image.get("alt", "")) or (_caption(figure) if figure is not None else "")
        own = _licence(figure, base) if figure is not None else ""
        yield Shown(address, text, own or whole)


def _source(image: html.HtmlElement) -> str:
    """Where a picture lies: the largest that is offered, else what is shown or will be."""
    offered = [one.split() for one in image.get("srcset", "").split(",")]
    sized = [(_size(one[1:]), one[0]) for one in offered if one]
    largest = max(sized, key=lambda one: one[0], default=(0.0, ""))
    names = (largest[1] if largest[0] > 1.0 else "", image.get("src", ""), *map(image.get, _LAZY))
    return next((name for name in names if name and not name.lower().startswith("data:")), "")


def _size(words: list[str]) -> float:
    """Of a candidate of `srcset`: its width in pixels, or its density; 1 where it says neither."""
    try:
        return float(words[0][:-1]) if words and words[0][-1:] in ("w", "x") else 1.0
    except ValueError:
        return 1.0


def _caption(figure: html.HtmlElement) -> str:
    return _on_one_line(
        " ".join(figure.xpath(".//figcaption//text()[not(ancestor::script or ancestor::style)]"))
    )


def _licence(root: html.HtmlElement, base: str) -> str:
    for element in root.iter("a", "link"):
        if "license" in element.get("rel", "").lower().split():
            return _joined(base, element.get("href", ""))
    return ""


def _joined(base: str, name: str) -> str:
    """An absolute address; empty where the two make none."""
    try:
        return urljoin(base, name.strip()) if name.strip() else ""
    except ValueError:
        return ""


def _on_one_line(text: str) -> str:
    shown = "".join(char if char.isprintable() else " " for char in text)
    return " ".join(shown.split())[:MAX_TEXT_CHARS]
