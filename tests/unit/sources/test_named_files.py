import os
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blip_core.errors import PictureError
from blip_core.sources import named_files as room
from blip_core.sources.digests import picture_digest
from blip_core.sources.named_files import find_below, read_below
from tests.hostile.files import encoded, noise

SOUND = encoded(noise(), "PNG")
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 900\n"


def lay(folder: Path, *names: str) -> Path:
    """Files of these names, each of which holds its own name."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    return folder


def refusal(folder: Path, name: str) -> PictureError:
    with pytest.raises(PictureError) as caught:
        read_below(folder, name)
    return caught.value


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "set" / "below").mkdir(parents=True)
    (tmp_path / "set" / "below" / "one.png").write_bytes(SOUND)
    (tmp_path / "outside.png").write_bytes(SOUND)
    return tmp_path / "set"


def test_a_file_below_the_folder_is_read(folder: Path):
    assert read_below(folder, "below/../below/one.png") == SOUND


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("/etc/passwd", "absolute"),
        ("C:\\one.png", "absolute"),
        ("\\\\server\\one.png", "absolute"),
        ("\\below\\one.png", "absolute"),
        ("../outside.png", "leads out"),
        ("..\\outside.png", "leads out"),
        ("below\\..\\..\\outside.png", "leads out"),
        ("%2e%2e/outside.png", "leads out"),
        ("..%2foutside.png", "leads out"),
        ("set/../../outside.png", "leads out"),
        ("below/link.png", "leads out"),
        ("below\\link.png", "leads out"),
        ("link/outside.png", "leads out"),
        ("below", "no file"),
        ("absent.png", "no file"),
        ("circle.png", "cannot be read"),
        ("a\0b.png", "cannot be read"),
        ("\ud800.png", "cannot be read"),
        ("x" * 5_000, "cannot be read"),
    ],
)
def test_a_name_that_leads_elsewhere_or_nowhere_is_refused(name: str, told: str, folder: Path):
    (folder / "below" / "link.png").symlink_to(folder.parent / "outside.png")
    (folder / "link").symlink_to(folder.parent)
    (folder / "circle.png").symlink_to("circle.png")

    assert told in str(refusal(folder, name))


@given(st.text(alphabet="ab.é/\\%2e2f ~:\0", max_size=12))
def test_no_name_finds_a_file_outside(tmp_path_factory: pytest.TempPathFactory, name: str):
    above = tmp_path_factory.getbasetemp() / "above"
    folder = lay(above / "b", "a", "b", "a.b", "é/a").absolute()
    lay(above, "a", "ab", "a.b")

    try:
        found = find_below(folder, name)
    except PictureError:
        return
    assert found.is_relative_to(folder.resolve())


def test_no_more_than_the_limit_is_read_of_a_long_file(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(room, "MAX_FILE_BYTES", len(SOUND) - 1)

    assert "larger than" in str(refusal(folder, "below/one.png"))


class TestSpellings:
    @pytest.mark.parametrize(
        "name",
        [
            "images\\shop\\p 1.png",
            ".\\images\\shop\\p 1.png",
            "./images/shop/p 1.png",
            "images/shop/p%201.png",
            "images\\shop\\p%201.png",
            " images/shop/p 1.png ",
            "photos/images/shop/p 1.png",
            "photos\\images\\shop\\p 1.png",
            "./photos/images/shop/p 1.png",
            "images//shop/./p 1.png",
        ],
    )
    def test_names_of_other_systems_are_found(self, name: str, tmp_path: Path):
        assert read_below(lay(tmp_path / "photos", "images/shop/p 1.png"), name) == b"images/shop/p 1.png"

    @pytest.mark.parametrize("on_disk", ["NFC", "NFD"])
    @pytest.mark.parametrize("in_table", ["NFC", "NFD"])
    @pytest.mark.parametrize("name", ["강아지_1.png", "Café/été.png", "Ångström/ñandú/가.png", "ば/パ.png"])
    def test_letters_may_be_composed_otherwise(self, name: str, in_table: str, on_disk: str, tmp_path: Path):
        lay(tmp_path, unicodedata.normalize(on_disk, name))

        assert read_below(tmp_path, unicodedata.normalize(in_table, name))

    def test_each_part_may_be_composed_otherwise(self, tmp_path: Path):
        lay(tmp_path, unicodedata.normalize("NFD", "Café") + "/" + unicodedata.normalize("NFC", "été.png"))

        assert read_below(tmp_path, unicodedata.normalize("NFC", "Café\\été.png"))
        assert read_below(tmp_path, unicodedata.normalize("NFD", "Café/été.png"))

    @pytest.mark.skipif(os.name == "nt", reason="a backslash parts folders there")
    def test_the_very_name_comes_before_any_reading_of_it(self, tmp_path: Path):
        names = (
            "a\\b.png",
            "a/b.png",
            "c%20d.png",
            "c d.png",
            "é.png",
            unicodedata.normalize("NFD", "é.png"),
        )
        lay(tmp_path, *names)

        assert [read_below(tmp_path, name).decode() for name in names] == list(names)

    def test_a_folder_of_the_same_name_below_comes_first(self, tmp_path: Path):
        folder = lay(tmp_path / "photos", "photos/p.png", "p.png")

        assert read_below(folder, "photos/p.png") == b"photos/p.png"

    def test_what_is_opened_is_what_is_digested(self, tmp_path: Path):
        folder = lay(tmp_path / "photos", unicodedata.normalize("NFD", "é.png"))
        before = picture_digest(folder, "photos\\é.png")
        (folder / unicodedata.normalize("NFD", "é.png")).write_text("another picture")

        assert picture_digest(folder, "photos\\é.png") != before


class TestAdvice:
    @pytest.mark.parametrize(
        ("name", "near"),
        [
            ("P0.PNG", "p0.png"),
            ("p0.jpg", "p0.png"),
            ("p0", "p0.png"),
            ("1000", "1000.jpg"),
            ("1000.0", "1000.jpg"),
            ("cats\\TOM.png", "cats/Tom.png"),
            ("caFÉ.png", "café.png"),
        ],
    )
    def test_a_file_of_nearly_that_name_is_told_and_not_taken(self, name: str, near: str, tmp_path: Path):
        lay(tmp_path, "p0.png", "1000.jpg", "cats/Tom.png", "café.png")

        assert f"is {near!r} meant?" in str(refusal(tmp_path, name))

    def test_the_folder_that_the_file_lies_in_is_told(self, tmp_path: Path):
        lay(tmp_path, "images/p0.png", "other/x.png")

        assert "it lies in 'images'" in str(refusal(tmp_path, "p0.png"))

    @pytest.mark.parametrize("names", [["a/p0.png", "b/p0.png"], ["a/p0.png", "b/p0.png", "c/p0.png"]])
    def test_no_folder_is_told_where_several_hold_the_file(self, names: list[str], tmp_path: Path):
        assert str(refusal(lay(tmp_path, *names), "p0.png")).endswith(f"no file below {tmp_path}")

    def test_nothing_is_told_where_nothing_is_near(self, tmp_path: Path):
        assert str(refusal(lay(tmp_path, "a.png"), "b.png")).endswith(f"no file below {tmp_path}")

    @pytest.mark.parametrize(
        "address",
        ["https://pictures.example/p.png", "HTTP://x/p.png", "s3://bucket/p.png", "file:///etc/passwd"],
    )
    def test_an_address_is_told_with_what_to_do(self, address: str, tmp_path: Path):
        message = str(refusal(tmp_path, address))

        assert "is an address" in message
        assert "--images" in message


class TestHubSnapshots:
    """`snapshots/REVISION/...` holds links into `blobs`, as `snapshot_download` leaves them."""

    @pytest.fixture(params=["datasets", "models", "spaces"])
    def snapshot(self, request: pytest.FixtureRequest, tmp_path: Path) -> Path:
        repository = tmp_path / "hub" / f"{request.param}--someone--shapes"
        snapshot = repository / "snapshots" / ("a1" * 20)
        (snapshot / "images").mkdir(parents=True)
        (repository / "blobs").mkdir()
        (repository / "blobs" / "b0").write_bytes(SOUND)
        (repository / "blobs" / "out").symlink_to(tmp_path / "secret.png")
        (repository / "secret.png").write_bytes(SOUND)
        (tmp_path / "secret.png").write_bytes(SOUND)
        (snapshot / "images" / "p.png").symlink_to("../../../blobs/b0")
        return snapshot

    @pytest.mark.parametrize("below", ["", "images"])
    def test_links_to_the_repositorys_blobs_are_followed(self, snapshot: Path, below: str):
        assert read_below(snapshot / below, "p.png" if below else "images/p.png") == SOUND

    def test_the_whole_cache_of_a_repository_may_be_named(self, snapshot: Path):
        assert read_below(snapshot.parents[1], f"snapshots/{snapshot.name}/images/p.png") == SOUND

    @pytest.mark.parametrize(
        "target",
        [
            "../../secret.png",
            "../../../../secret.png",
            "../../blobs/out",
            "../../../other/blobs/b0",
            "../../../datasets--someone--else/blobs/b0",
            "/etc/hostname",
        ],
    )
    def test_other_links_are_not(self, snapshot: Path, target: str):
        for other in ("other", "datasets--someone--else"):
            lay(snapshot.parents[2] / other, "blobs/b0")
        (snapshot / "link.png").symlink_to(target)

        assert refusal(snapshot, "link.png").reason == "link-leads-out"

    def test_a_folder_that_is_called_blobs_is_not_enough(self, tmp_path: Path):
        lay(tmp_path, "blobs/b0")
        snapshot = lay(tmp_path / "snapshots" / "a1", "x.png")
        (snapshot / "p.png").symlink_to("../../blobs/b0")

        assert refusal(snapshot, "p.png").reason == "link-leads-out"


def test_a_link_within_the_folder_is_followed(folder: Path):
    (folder / "two.png").symlink_to("below/one.png")

    assert read_below(folder, "two.png") == SOUND


def test_a_git_lfs_pointer_is_told_as_such(folder: Path):
    (folder / "p.png").write_bytes(POINTER)

    error = refusal(folder, "p.png")

    assert "git lfs pull" in str(error)
    assert error.reason == "git-lfs-pointer"


def test_a_folder_that_has_just_changed_is_listed_anew(tmp_path: Path):
    lay(tmp_path, "One.png")
    now_ns = tmp_path.stat().st_mtime_ns
    assert "is 'One.png' meant?" in str(refusal(tmp_path, "one.PNG"))
    lay(tmp_path, "Two.png")
    os.utime(tmp_path, ns=(now_ns, now_ns))  # as a clock that counts in long steps would tell it
    assert "is 'Two.png' meant?" in str(refusal(tmp_path, "two.PNG"))
