"""A command with commands below it: what names none of them is its own."""

from typing import Any

import typer
from typer.core import TyperGroup

DEFAULT = "default"


class WithDefault(TyperGroup):
    """Hands to the hidden default what begins neither with a command's name nor with `--help`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        named = {name for name in self.commands if name != DEFAULT} | {"--help"}
        return super().parse_args(ctx, args if args[:1] and args[0] in named else [DEFAULT, *args])

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """The default's own help, and then the commands below."""
        own = self.commands[DEFAULT]
        own.format_help(typer.Context(own, info_name=ctx.info_name, parent=ctx.parent), formatter)
        super().format_help(ctx, formatter)
