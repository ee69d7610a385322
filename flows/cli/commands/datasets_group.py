"""`foundry datasets`, and what can be done with one."""

import typer

from flows.cli.commands.datasets import datasets
from flows.cli.commands.diff_datasets import diff
from flows.cli.commands.fetch_dataset import fetch
from flows.cli.commands.push_dataset import push
from flows.cli.default_command import DEFAULT, WithDefault

group = typer.Typer(cls=WithDefault, help="List datasets; with a DIGEST, tell the lineage of one.")
group.command(DEFAULT, hidden=True)(datasets)
group.command()(push)
group.command()(diff)
group.command()(fetch)
