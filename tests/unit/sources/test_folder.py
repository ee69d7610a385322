from pathlib import Path

import pytest

from blip_core.errors import TableError
from blip_core.sources import folder_files, read_folder
from tests.hostile.files import animated, encoded, noise
from tests.unit.examples import png, world_pixels

PICTURE = png(world_pixels(0))
LFS_POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 900\n"


def test_pictures_are_read_by_path_with_their_folder_as_category(tmp_path: Path):
    for name in ("pets/b.png", "pets/a.PNG", "food/c.png", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(PICTURE)

    pictures, rejections = read_folder(tmp_path)

    assert [(p.id, p.category) for p in pictures] == [
        ("food/c.png", "food"),
        ("pets/a.PNG", "pets"),
        ("pets/b.png", "pets"),
    ]
    assert rejections == []


def test_folders_below_are_left_out_when_asked(tmp_path: Path):
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "a.png").write_bytes(PICTURE)
    (tmp_path / "b.png").write_bytes(PICTURE)

    assert [picture.id for picture in read_folder(tmp_path, recursive=False)[0]] == ["b.png"]


def test_broken_pictures_are_refused_and_the_others_kept(tmp_path: Path):
    (tmp_path / "a.png").write_bytes(PICTURE)
    (tmp_path / "b.png").write_bytes(PICTURE[:100])

    pictures, rejections = read_folder(tmp_path)

    assert [picture.id for picture in pictures] == ["a.png"]
    assert [(r.id, r.reason) for r in rejections] == [("b.png", "unreadable-picture")]


@pytest.mark.parametrize("make", [lambda path: None, lambda path: path.mkdir()])
def test_a_folder_without_pictures_is_named(make, tmp_path: Path):
    make(tmp_path / "album")

    with pytest.raises(TableError, match="album"):
        read_folder(tmp_path / "album")


def test_what_systems_leave_beside_pictures_is_skipped_by_name_and_counted(tmp_path: Path):
    for name in (
        *("shop/a.JPG", "b.png"),
        *("__MACOSX/shop/._a.JPG", "__MACOSX/._b.png", "shop/._a.JPG", ".AppleDouble/a.png"),
        *("shop/Thumbs.db", "@eaDir/b.png/thumb.jpg", ".thumbnails/normal/x.png", "ehthumbs.db"),
        *(".DS_Store", "shop/.hidden.png", "desktop.ini", ".git/objects/x.png"),
        *("notes.txt", "raw.CR2", "README"),
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(PICTURE)

    files = folder_files(tmp_path)

    assert [picture.id for picture in read_folder(tmp_path)[0]] == files.pictures == ["b.png", "shop/a.JPG"]
    assert files.left_out == {"mac-fork": 4, "thumbnail": 4, "hidden": 4, "no-picture": 3}
    assert "no-picture 3 (.cr2, .txt, no ending)" in files.left_out_words


def test_a_folder_that_is_hidden_itself_may_be_named(tmp_path: Path):
    (tmp_path / ".cache" / "__MACOSX").mkdir(parents=True)
    (tmp_path / ".cache" / "__MACOSX" / "a.png").write_bytes(PICTURE)

    assert [picture.id for picture in read_folder(tmp_path / ".cache" / "__MACOSX")[0]] == ["a.png"]


def test_linked_folders_are_not_followed_and_counted(tmp_path: Path):
    (tmp_path / "album").mkdir()
    (tmp_path / "album" / "a.png").write_bytes(PICTURE)
    (tmp_path / "album" / "elsewhere").symlink_to(tmp_path)

    assert folder_files(tmp_path / "album") == (["a.png"], {"linked-folder": 1}, {})
    assert folder_files(tmp_path / "album", recursive=False).left_out == {}


def test_what_cannot_be_read_is_counted_by_its_reason(tmp_path: Path):
    album = tmp_path / "album"
    album.mkdir()
    (tmp_path / "secret.png").write_bytes(PICTURE)
    (album / "a.png").write_bytes(PICTURE)
    (album / "cut.png").write_bytes(PICTURE[:50])
    (album / "link.png").symlink_to(tmp_path / "secret.png")
    (album / "gone.png").symlink_to("absent")
    (album / "pointer.png").write_bytes(LFS_POINTER)

    reasons = {refused.id: refused.reason for refused in read_folder(album)[1]}

    assert reasons == {
        "cut.png": "unreadable-picture",
        "gone.png": "unreadable-picture",
        "link.png": "link-leads-out",
        "pointer.png": "git-lfs-pointer",
    }


def test_a_folder_of_git_lfs_pointers_says_how_to_fetch_them(tmp_path: Path):
    for number in range(6):
        (tmp_path / f"p{number}.png").write_bytes(LFS_POINTER)

    with pytest.raises(TableError, match=r"git-lfs-pointer 6.*git lfs pull"):
        read_folder(tmp_path)


def test_a_folder_of_other_files_says_what_it_holds(tmp_path: Path):
    (tmp_path / "a.psd").write_bytes(PICTURE)
    (tmp_path / "._a.png").write_bytes(PICTURE)

    with pytest.raises(TableError, match=r"no picture.*mac-fork 1, no-picture 1 \(\.psd\)"):
        read_folder(tmp_path)


def test_the_first_frame_of_an_animation_is_read_and_flagged(tmp_path: Path):
    (tmp_path / "a.gif").write_bytes(animated("GIF"))
    (tmp_path / "b.tif").write_bytes(animated("TIFF"))
    (tmp_path / "c.png").write_bytes(PICTURE)
    flags: dict[str, str] = {}

    assert len(read_folder(tmp_path, flags=flags)[0]) == 3
    assert flags == {"a.gif": "first-of-several", "b.tif": "first-of-several"}


@pytest.mark.parametrize("kind", ["png", "jpg", "webp", "gif", "bmp", "tif", "avif", "heic"])
def test_a_file_of_any_format_that_is_cut_short_costs_itself_alone_and_is_named(kind: str, tmp_path: Path):
    format_of = {"jpg": "JPEG", "tif": "TIFF", "heic": "HEIF"}
    data = encoded(noise(), format_of.get(kind, kind))
    (tmp_path / f"cut.{kind}").write_bytes(data[: len(data) // 2])
    (tmp_path / "sound.png").write_bytes(PICTURE)

    [rejection] = read_folder(tmp_path)[1]

    assert (rejection.id, rejection.reason) == (f"cut.{kind}", "unreadable-picture")
    assert rejection.detail.startswith(f"cut.{kind} cannot be read as a picture")
