"""What is read from a page, however it is written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blip_core.gathering.fetching import Answer
from blip_core.gathering.hosts import address_of
from blip_core.gathering.pages import read_page
from blip_core.gathering.refused import Refused

HERE = address_of("https://site.example/shop/page.html")


def page(content, charset=""):
    body = content if isinstance(content, bytes) else content.encode()
    return read_page(Answer(HERE, "text/html", charset, {}, body))


def shown(content, charset=""):
    return [(one.address, one.text) for one in page(content, charset).pictures]


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ('<img src="a.png" alt="A red cup">', ("https://site.example/shop/a.png", "A red cup")),
        ('<IMG SRC=/a.png ALT=" A\n  red\tcup ">', ("https://site.example/a.png", "A red cup")),
        ('<base href="//cdn.example/x/"><img src=a.png alt=b>', ("https://cdn.example/x/a.png", "b")),
        (
            '<figure><img src="a.png"><figcaption>A <b>red</b> cup<script>x()</script></figcaption></figure>',
            ("https://site.example/shop/a.png", "A red cup"),
        ),
        (
            '<img src="s.png" srcset="m.png 640w, l.png 1280w" alt="cup">',
            ("https://site.example/shop/l.png", "cup"),
        ),
        (
            '<img src="data:image/gif;base64,R0" data-src="lazy.png" alt="cup">',
            ("https://site.example/shop/lazy.png", "cup"),
        ),
        ("<p>unclosed <img src=a.png alt=cup><td>", ("https://site.example/shop/a.png", "cup")),
    ],
)
def test_a_picture_is_found_with_its_text(content, found):
    assert shown(content) == [found]


@pytest.mark.parametrize(
    "content",
    [
        "<img>",
        '<img src="">',
        '<img src="data:image/png;base64,AA" alt="x">',
        "<p>img</p>",
        "<p><!-- <img src=a> -->",
    ],
)
def test_what_shows_nothing_is_no_picture(content):
    assert shown(content) == []


def test_of_two_showings_the_one_with_a_text_counts():
    assert shown('<img src=a.png><img src=a.png alt="cup"><img src=a.png alt="mug">') == [
        ("https://site.example/shop/a.png", "cup")
    ]


@pytest.mark.parametrize(
    ("content", "charset", "text"),
    [
        ('<img src=a alt="Caf\u00e9">'.encode("latin-1"), "iso-8859-1", "Caf\u00e9"),
        ('<meta charset=utf-8><img src=a alt="Caf\u00e9">'.encode(), "", "Caf\u00e9"),
        ('<img src=a alt="\u676f\u5b50">'.encode("gb18030"), "gb18030", "\u676f\u5b50"),
        (b"<meta charset=utf-8><img src=a alt=cup>", "no-such-charset", "cup"),
    ],
)
def test_texts_are_read_in_the_charset_of_the_page(content, charset, text):
    assert [found for _, found in shown(content, charset)] == [text]


def test_a_licence_is_that_of_the_figure_else_of_the_page():
    content = (
        '<link rel="license" href="/terms"><img src=a.png alt=a>'
        "<figure><img src=b.png alt=b>"
        '<a rel="license noopener" href="https://cc.example/by/4.0/">CC BY</a></figure>'
    )
    assert [one.licence for one in page(content).pictures] == [
        "https://site.example/terms",
        "https://cc.example/by/4.0/",
    ]


def test_links_are_absolute_and_each_is_there_once():
    assert page("<img src=a><a href=x>1</a><a href=x>2</a><a href='//o.example/'>3</a><a>4</a>").links == (
        "https://site.example/shop/x",
        "https://o.example/",
    )


def test_steering_signs_leave_texts():
    assert shown("<img src=a alt='a&#27;[31mred&#8238;cup&#10;'>")[0][1] == "a [31mred cup"


@pytest.mark.parametrize("content", [b"", b"   ", b"<!-- nothing -->"])
def test_an_empty_page_is_refused(content):
    with pytest.raises(Refused) as refused:
        page(content)
    assert refused.value.reason == "unreadable-page"


@given(
    st.one_of(
        st.binary(max_size=400),
        st.text(max_size=200).map(lambda text: f"<img src=x alt={text!r}".encode(errors="replace")),
    )
)
def test_any_bytes_are_read_or_refused(content):
    try:
        found = page(content)
    except Refused:
        return
    assert all(one.text.isprintable() and one.address for one in found.pictures)
