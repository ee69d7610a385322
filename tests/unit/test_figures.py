import io
import xml.etree.ElementTree as ElementTree

import pytest
from PIL import Image

from blip_core.figures import Score, contact_sheet, ladder, loss_curve


def _encoded(width, height, colour="teal"):
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(buffer, "PNG")
    return buffer.getvalue()


def _drawn_size(row, path):
    with Image.open(loss_curve([row], path)) as drawn:
        return drawn.size


def test_small_pictures_are_enlarged_pixel_by_pixel():
    checks = Image.new("RGB", (64, 64), "white")
    checks.putpixel((0, 0), (255, 0, 0))
    buffer = io.BytesIO()
    checks.save(buffer, "PNG")
    sheet = contact_sheet([buffer.getvalue()], ["one"])
    corner = sheet.crop((14, 14, 17, 17))
    assert set(corner.get_flattened_data()) == {(255, 0, 0)}
    assert sheet.getpixel((17, 14)) == (255, 255, 255)


def test_large_pictures_are_reduced_to_the_same_width():
    small, large = contact_sheet([_encoded(64, 64)], [""]), contact_sheet([_encoded(512, 512)], [""])
    assert small.size == large.size


def test_captions_are_drawn_below_their_pictures():
    blank, told = contact_sheet([_encoded(64, 64)], [" "]), contact_sheet([_encoded(64, 64)], ["a red apple"])
    below = (0, 14 + 192, told.width, 14 + 192 + 24)
    assert len(told.crop(below).getcolors(10_000)) > 5
    assert len(blank.crop(below).getcolors(10_000)) == 1


def test_a_long_caption_ends_after_five_lines():
    five, many = (contact_sheet([_encoded(64, 64)], ["\n".join(["line"] * count)]) for count in (5, 50))
    assert five.size == many.size


def test_rows_follow_the_columns():
    sheet = contact_sheet([_encoded(64, 64)] * 7, ["x"] * 7, columns=3)
    one_row = contact_sheet([_encoded(64, 64)] * 3, ["x"] * 3, columns=3)
    assert sheet.width == one_row.width
    assert sheet.height - 14 == 3 * (one_row.height - 14)


@pytest.mark.parametrize("captions", [[], ["one", "two"]])
def test_a_sheet_needs_a_caption_a_picture(captions):
    with pytest.raises(ValueError, match="caption"):
        contact_sheet([_encoded(8, 8)], captions)


def test_a_curve_is_drawn_from_rows_of_any_mix(tmp_path):
    rows = [{"step": 0, "validation_loss": 2.0}, {"step": 1, "loss": 1.9}, {"step": 2, "loss": 1.5}]
    path = loss_curve(rows, tmp_path / "made" / "loss.svg")
    assert ElementTree.parse(path).getroot().tag.endswith("svg")  # noqa: S314 - our own file


def test_learning_rate_and_gradient_norm_get_panels_of_their_own(tmp_path):
    loss = {"step": 1, "loss": 1.9}
    rows = [loss, loss | {"learning_rate": 1e-3}, loss | {"learning_rate": 1e-3, "grad_norm": 0.5}]
    (width, plain), (_, rate), (_, both) = (_drawn_size(row, tmp_path / "loss.png") for row in rows)
    assert both - rate == rate - plain > 0
    assert _drawn_size(rows[0], tmp_path / "loss.png") == (width, plain)


def test_a_curve_with_skipped_steps_is_drawn_the_same_each_time(tmp_path):
    rows = [{"step": step, "learning_rate": 1e-3} for step in range(1, 9)]
    for row in rows[::2]:
        row["loss"] = 1.0 / row["step"]
    rows[3]["validation_loss"] = 0.5
    drawn = loss_curve(rows, tmp_path / "loss.svg").read_text()
    assert drawn == loss_curve(rows, tmp_path / "again" / "loss.svg").read_text()


def test_a_curve_without_losses_is_refused(tmp_path):
    with pytest.raises(ValueError, match="loss"):
        loss_curve([{"step": 1}], tmp_path / "loss.png")


def test_equal_ladders_are_equal_files(tmp_path):
    scores = [Score("baseline", 0.26, 0.24, 0.28, 2000), Score("finetuned", 0.76, 0.74, 0.78, 2000)]
    one, two = (ladder(scores, tmp_path / part / "ladder.svg") for part in ("one", "two"))
    other = ladder(scores[:1], tmp_path / "other.svg")
    assert one.read_bytes() == two.read_bytes() != other.read_bytes()


def test_a_ladder_needs_a_score(tmp_path):
    with pytest.raises(ValueError, match="score"):
        ladder([], tmp_path / "ladder.svg")


def test_drawing_leaves_no_figure_open(tmp_path):
    from matplotlib import _pylab_helpers

    ladder([Score("baseline", 0.26, 0.24, 0.28, 2000)], tmp_path / "ladder.png")
    assert not _pylab_helpers.Gcf.figs
