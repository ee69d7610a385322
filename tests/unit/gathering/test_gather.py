"""A site with traps: what is taken, what is not and why, and that a second time nothing is asked."""

import json
import time

import pytest

from blip_core.errors import PlaceError, TableError, UserMistake
from blip_core.gathering import Wanted, gather
from blip_core.sources.native.alt_texts import ALT_TEXTS
from tests.unit.examples import png, world_pixels

PAGE = "http://site.example/"


def picture(seed: int = 3) -> bytes:
    return png(world_pixels(seed))


def lines(folder, name="alt-texts.jsonl"):
    return [json.loads(line) for line in (folder / name).read_text().splitlines()]


def reasons(folder):
    return {line["address"].rpartition("/")[2]: line["reason"] for line in lines(folder, "refused.jsonl")}


@pytest.fixture
def shop(site):
    """A page with two pictures."""
    site.put("/", '<img src="a.png" alt="A red cup"><img src="b.png" alt="A blue cup">')
    site.put("/a.png", picture(1), "image/png")
    site.put("/b.png", picture(2), "image/png; charset=binary")
    return site


def test_pictures_come_with_text_address_page_and_licence(shop, web_of, folder):
    shop.put("/", '<a rel=license href="/terms">terms</a><img src="a.png" alt="A red cup">')

    done = gather([PAGE], folder, web_of())

    (row,) = lines(folder)
    assert (folder / row["file"]).read_bytes() == picture(1)
    assert {name: row[name] for name in ("alt", "address", "page", "licence")} == {
        "alt": "A red cup",
        "address": f"{PAGE}a.png",
        "page": PAGE,
        "licence": f"{PAGE}terms",
    }
    assert (done.pages, done.pictures, done.refused, done.ended) == (1, 1, {}, "")


def test_a_folder_that_was_gathered_is_read_as_a_published_set(shop, web_of, folder):
    gather([PAGE], folder, web_of())
    rows = list(ALT_TEXTS.rows(folder, ALT_TEXTS.settings()))
    assert [row.captions for row in rows] == [("A red cup",), ("A blue cup",)]
    assert all((folder / row.picture).is_file() for row in rows)


def test_a_second_time_nothing_is_asked_and_the_same_is_written(shop, web_of, folder):
    first = gather([PAGE], folder, web_of())
    written = (folder / "alt-texts.jsonl").read_bytes()
    shop.asked.clear()

    second = gather([PAGE], folder, web_of())

    assert shop.asked == []
    assert (second.requests, second.pictures) == (0, first.pictures)
    assert (folder / "alt-texts.jsonl").read_bytes() == written


@pytest.mark.parametrize("harm", ["gone", "changed", "journal cut"])
def test_what_is_damaged_is_asked_for_again(harm, shop, web_of, folder):
    gather([PAGE], folder, web_of())
    whole = lines(folder)
    file = folder / whole[0]["file"]
    journal = folder / ".web" / "visits.jsonl"
    if harm == "gone":
        file.unlink()
    elif harm == "changed":
        file.write_bytes(b"something else")
    else:
        journal.write_bytes(journal.read_bytes()[:-20])
    shop.asked.clear()

    gather([PAGE], folder, web_of())

    assert len(shop.asked) == 1
    assert lines(folder) == whole
    assert file.read_bytes() == picture(1)


def test_robots_txt_is_asked_first_and_obeyed(shop, web_of, folder):
    shop.put("/robots.txt", "User-agent: *\nDisallow: /b.png\n", "text/plain")

    gather([PAGE], folder, web_of())

    assert shop.asked == [f"site.example{path}" for path in ("/robots.txt", "/", "/a.png")]
    assert reasons(folder) == {"b.png": "robots"}


def test_a_site_speaks_to_this_robot_by_name(shop, web_of, folder):
    shop.put(
        "/robots.txt", "User-agent: *\nAllow: /\n\nUser-agent: blip-foundry\nDisallow: /\n", "text/plain"
    )
    with pytest.raises(TableError, match="robots 1"):
        gather([PAGE], folder, web_of())


@pytest.mark.parametrize("trouble", [500, 503, 429])
def test_a_site_whose_robots_txt_is_in_trouble_is_left_alone(trouble, shop, web_of, folder):
    shop.status("/robots.txt", trouble)
    with pytest.raises(TableError, match="robots-away 1"):
        gather([PAGE], folder, web_of())
    assert shop.asked == ["site.example/robots.txt"]


def test_a_pause_is_kept_and_a_longer_one_that_the_site_wants(shop, web_of, folder, clock):
    shop.put("/robots.txt", "User-agent: *\nCrawl-delay: 7\n", "text/plain")
    gather([PAGE], folder, web_of(pause_seconds=2.0))
    assert [round(one) for one in clock.slept] == [7, 7, 7]


def test_a_site_that_wants_longer_pauses_than_are_kept_is_not_visited(shop, web_of, folder):
    shop.put("/robots.txt", "User-agent: *\nCrawl-delay: 3600\n", "text/plain")
    with pytest.raises(TableError, match="robots-pause"):
        gather([PAGE], folder, web_of())


@pytest.mark.parametrize(
    ("meta", "header"), [("noimageindex", ""), ("NOAI, nofollow", ""), ("", "noindex"), ("none", "")]
)
def test_a_page_that_asks_not_to_be_taken_from_is_not(meta, header, shop, web_of, folder):
    shop.put("/", f'<meta name="Robots" content="{meta}"><img src=a.png alt=cup>', X_Robots_Tag=header)
    with pytest.raises(TableError, match="robots 1"):
        gather([PAGE], folder, web_of())


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("http://10.0.0.1/a.png", "host-not-allowed"),
        ("http://inside.example/a.png", "private-address"),
        ("http://localhost/a.png", "host-not-allowed"),
        ("http://other.example/a.png", "host-not-allowed"),
        ("file:///etc/passwd", "no-address"),
        ("/loop.png", "too-many-redirects"),
        ("", "too-many-redirects"),
    ],
)
def test_where_a_redirect_leads_is_checked_again(target, reason, shop, web_of, folder, network):
    shop.put("/", "<img src=loop.png alt=cup><img src=a.png alt=cup>")
    shop.redirect("/loop.png", target)

    gather(
        [PAGE], folder, web_of("site.example", "inside.example", names={"inside.example": ["192.168.7.7"]})
    )

    assert reasons(folder) == {"loop.png": reason}
    assert set(network.connected) == {"93.184.216.34"}


def test_a_redirect_to_an_allowed_host_is_followed(shop, web_of, folder):
    shop.put("/", "<img src=far.png alt=cup>")
    shop.redirect("/far.png", "http://cdn.example/x.png")
    shop.put("/x.png", picture(), "image/png", host="cdn.example")
    gather([PAGE], folder, web_of("site.example", "cdn.example"))
    assert [row["address"] for row in lines(folder)] == ["http://cdn.example/x.png"]


def dripping(request):
    """A byte now and then, for ever."""
    request.send_response(200)
    request.send_header("Content-Type", "image/png")
    request.end_headers()
    while True:
        request.wfile.write(b"x")
        time.sleep(0.05)


def endless(request):
    request.send_response(200)
    request.send_header("Content-Type", "image/png")
    request.end_headers()
    while True:
        request.wfile.write(bytes(65_536))


def dripping_headers(request):
    while True:
        request.wfile.write(b"H" if request is None else b"X")
        time.sleep(0.05)


def silent(request):
    time.sleep(3)


def broken_off(request):
    request.send_response(200)
    request.send_header("Content-Type", "image/png")
    request.send_header("Content-Length", "1000")
    request.end_headers()
    request.wfile.write(b"x")
    request.close_connection = True


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (dripping, "too-slow"),
        (dripping_headers, "too-slow"),
        (endless, "too-large"),
        (silent, "no-answer"),
        (broken_off, "broken-off"),
    ],
)
def test_an_answer_that_never_ends_is_given_up(answer, reason, shop, web_of, folder):
    shop.put("/", "<img src=trap.png alt=cup><img src=a.png alt=cup>")
    shop.pages["site.example/trap.png"] = answer

    gather([PAGE], folder, web_of(answer_seconds=0.6, silence_seconds=0.3, picture_bytes=1_000_000))

    assert reasons(folder) == {"trap.png": reason}
    assert len(lines(folder)) == 1


@pytest.mark.parametrize(
    ("content", "kind", "headers", "reason"),
    [
        (b"<p>", "text/html", {}, "wrong-kind"),
        (b"MZ", "application/octet-stream", {}, "wrong-kind"),
        (b"", "", {}, "wrong-kind"),
        (b"\x1f\x8b", "image/png", {"Content_Encoding": "gzip"}, "packed"),
        (bytes(100_001), "image/png", {}, "too-large"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml", {}, "unreadable-picture"),
        (b"no picture", "image/jpeg", {}, "unreadable-picture"),
        (png(world_pixels(1)[:20, :20]), "image/png", {}, "too-small"),
    ],
)
def test_what_is_no_picture_that_is_wanted_is_told(content, kind, headers, reason, shop, web_of, folder):
    shop.put("/", "<img src=odd alt=cup><img src=a.png alt=cup>")
    shop.put("/odd", content, kind, **headers)

    gather([PAGE], folder, web_of(picture_bytes=100_000))

    assert reasons(folder) == {"odd": reason}
    assert len(list((folder / "pictures").iterdir())) == 1


def test_a_picture_without_a_text_waits_for_somebody_who_wants_it(shop, web_of, folder):
    shop.put("/", "<img src=a.png alt=cup><img src=b.png>")
    gather([PAGE], folder, web_of())
    assert reasons(folder) == {"b.png": "without-text"}
    gather([PAGE], folder, web_of(), Wanted(without_texts=True))
    assert [row["alt"] for row in lines(folder)] == ["cup", ""]


def test_the_same_picture_under_two_names_is_taken_once(shop, web_of, folder):
    shop.put("/b.png", picture(1), "image/png")
    gather([PAGE], folder, web_of())
    assert reasons(folder) == {"b.png": "same-picture"}


def test_links_are_followed_as_deep_as_was_said_and_no_further(shop, web_of, folder):
    for depth in range(4):
        shop.put(
            f"/{depth}",
            f"<img src=a.png alt=cup><a href=/{depth + 1}>on</a><a href=http://o.example/>off</a>",
        )
    gather([f"{PAGE}0"], folder, web_of(), Wanted(depth=2))
    assert [name for name in shop.asked if name[-1].isdigit()] == [f"site.example/{one}" for one in range(3)]


@pytest.mark.parametrize(
    ("limits", "ended"),
    [({"pictures": 1}, "1 pictures"), ({"pages": 1}, "1 pages"), ({"total_bytes": 1}, "1 bytes")],
)
def test_a_limit_ends_it_and_keeps_what_came(limits, ended, shop, web_of, folder):
    shop.put("/", "<img src=a.png alt=cup><img src=b.png alt=mug>")
    shop.put("/more", "<img src=c.png alt=bowl>")
    shop.put("/c.png", picture(4), "image/png")
    if "total_bytes" in limits:
        gather([PAGE], folder, web_of())
        shop.put("/c2", "<p>")
    done = gather([PAGE, f"{PAGE}more", f"{PAGE}c2"], folder, web_of(**limits))
    assert done.ended == ended
    assert done.pictures >= 1


def test_more_hosts_bring_what_was_refused_for_its_host(shop, web_of, folder):
    shop.put("/", "<img src=a.png alt=cup><img src=http://cdn.example/x.png alt=mug>")
    shop.put("/x.png", picture(5), "image/png", host="cdn.example")
    assert gather([PAGE], folder, web_of()).refused == {"host-not-allowed": 1}
    assert gather([PAGE], folder, web_of("site.example", "cdn.example")).pictures == 2


def test_trouble_that_passes_is_asked_again(shop, web_of, folder):
    shop.status("/b.png", 503)
    assert gather([PAGE], folder, web_of()).refused == {"status-503": 1}
    shop.put("/b.png", picture(2), "image/png")
    assert gather([PAGE], folder, web_of()).pictures == 2


@pytest.mark.parametrize("page", ["site.example", "http://other.example/", "file:///etc/passwd", ""])
def test_a_first_page_that_cannot_be_asked_is_told_before_anything(page, web_of, folder, site):
    with pytest.raises(UserMistake, match="name another page, or allow its host"):
        gather([page], folder, web_of())
    assert site.asked == []
    assert not folder.exists()


def test_a_folder_that_holds_something_else_is_not_touched(shop, web_of, folder):
    folder.mkdir()
    (folder / "mine.txt").write_text("mine")
    with pytest.raises(PlaceError, match="holds something else"):
        gather([PAGE], folder, web_of())
    assert [path.name for path in folder.iterdir()] == ["mine.txt"]


def test_two_at_once_are_one_and_a_clear_sentence(shop, web_of, folder):
    def second(request):
        with pytest.raises(PlaceError, match="is being filled by another process"):
            gather([PAGE], folder, web_of())
        request.send_error(404)

    shop.pages["site.example/b.png"] = second
    assert gather([PAGE], folder, web_of()).pictures == 1


def test_nothing_at_all_is_told_with_reasons(site, web_of, folder):
    site.put("/", "<img src=gone.png alt=cup>")
    with pytest.raises(
        TableError, match=r"no picture was found that could be taken: status-404 1; such as .*gone.png"
    ):
        gather([PAGE], folder, web_of())
