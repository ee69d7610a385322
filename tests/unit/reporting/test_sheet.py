import io

from PIL import Image

from blip_core.reporting.sheet import SheetRow, read_filled, write_sheet


def png(colour):
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), colour).save(buffer, "PNG")
    return buffer.getvalue()


def test_a_sheet_shows_each_picture_once_and_takes_no_text_for_markup(tmp_path):
    rows = [
        SheetRow("shop-1", "What?", {"untuned": "a <b>bus</b>", "tuned": "red & blue"}),
        SheetRow("shop-1", "the color is", {"untuned": "", "tuned": "red"}),
        SheetRow("shop-2", "What?", {"untuned": "a dog", "tuned": "a dog"}),
    ]
    page, lines = tmp_path / "sheet.html", tmp_path / "sheet.jsonl"
    write_sheet(page, lines, rows, {"shop-1": png("red"), "shop-2": png("blue")})
    html = page.read_text()
    assert html.count("<img ") == html.count("<table>") == 2
    assert html.count("<tr>") == 2 + 3  # heads and rows
    assert "a &lt;b&gt;bus&lt;/b&gt;" in html
    assert "<b>" not in html
    assert read_filled(lines)[1] == {
        "picture": "shop-1",
        "prompt": "the color is",
        "untuned": "",
        "tuned": "red",
    }
