"""Writes the reference pages anew: `python -m docs.generate`, which `make docs` calls."""

import sys
from collections.abc import Callable
from pathlib import Path

from docs.command_page import command_page
from docs.measure_page import measure_page
from docs.million_page import million_page
from docs.parts_page import parts_page
from docs.recipe_page import recipe_page

FOLDER = Path(__file__).with_name("reference")
PAGES: dict[Path, Callable[[], str]] = {
    FOLDER / "recipe.md": recipe_page,
    FOLDER / "command-line.md": command_page,
    FOLDER / "measures.md": measure_page,
    FOLDER / "parts.md": parts_page,
}
PLANNED: dict[Path, Callable[[], str]] = {FOLDER.with_name("million-rows.md"): million_page}
"""Pages that plan large models first, which takes seconds."""


def main() -> None:
    """Write every page."""
    for path, page in (PAGES | PLANNED).items():
        path.write_text(page(), encoding="utf-8")
        sys.stdout.write(f"wrote {path.relative_to(FOLDER.parents[1])}\n")


if __name__ == "__main__":
    main()
