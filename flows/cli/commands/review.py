"""`foundry review`: people look at rows, and what they decide becomes a version of the dataset."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from blip_core import strict_json
from flows.cli.commands.options import AsJson, only_json
from flows.cli.default_command import DEFAULT, WithDefault

if TYPE_CHECKING:
    from blip_core.reviewing import Reviewed

MAX_ROWS = (
    1_000  # of one page, as `blip_core.reviewing.choosing` has it: that room is loaded when it is needed
)

Rows = Annotated[
    str,
    typer.Argument(
        metavar="ROWS",
        help="Folder of a dataset, its digest or the beginning of it, its key, or the recipe whose newest it "
        "is; or the digest of the rows before a recipe's step `review`.",
    ),
]
Which = Annotated[
    Literal["sample", "doubted", "disagreed", "refused"],
    typer.Option(
        "--of",
        help="Which rows: a sample, those of the lowest score, those that models answered otherwise, or "
        "those that gates refused, which a decision to keep brings back.",
    ),
]
Count = Annotated[int, typer.Option("--count", min=1, max=MAX_ROWS, help="How many rows at most.")]
By = Annotated[
    str,
    typer.Option(
        "--by",
        metavar="NAME",
        help="The score that doubts rows, needed where they have several; of refused rows, one reason.",
    ),
]
Seed = Annotated[int, typer.Option("--seed", help="Another seed draws another sample.")]
PageFile = Annotated[
    Path, typer.Option("--out", metavar="FILE", help="Where the page goes; one that is there is replaced.")
]
Files = Annotated[list[Path], typer.Argument(metavar="FILES...", help="Files of decisions, one a reviewer.")]
DecisionsFile = Annotated[Path, typer.Argument(metavar="FILE", help="The file of decisions.")]
About = Annotated[
    str,
    typer.Option("--dataset", metavar="DATASET", help="The dataset, where it is none of the store's."),
]
OfDisputed = Annotated[
    Literal["drop", "keep"],
    typer.Option("--disputed", help="What becomes of rows about which as many reviewers disagree."),
]
OnlyTold = Annotated[bool, typer.Option("--dry-run", help="Tell agreement and counts; make nothing.")]


def review(
    rows: Rows,
    of: Which = "sample",
    count: Count = 100,
    by: By = "",
    seed: Seed = 0,
    out: PageFile = Path("review.html"),
    as_json: AsJson = False,
) -> None:
    """Write a page on which people keep, mend or drop rows by keys; it opens from disk and asks no network.

    The file of decisions that it writes goes to `foundry review apply`.

    Example: foundry review gallery-vqa --of doubted --count 200 --out review.html
    """
    from flows.rows.reviewing import make_page, source_of

    source = source_of(rows)
    shown = make_page(source, of, count, by, seed, out.expanduser())
    if as_json:
        with only_json() as output:
            told = {"page": str(out), "digest": source.digest, "rows": shown}
            output.write(strict_json.dumps(told) + "\n")
        return
    typer.echo(
        f"{out}: {shown:,} rows of {source.name}. Decisions about them name the digest {source.digest}; open "
        "the page in a browser, and hand the file that it writes to foundry review apply"
    )


def apply(
    files: Files,
    dataset: About = "",
    disputed: OfDisputed = "drop",
    dry_run: OnlyTold = False,
    as_json: AsJson = False,
) -> None:
    """Make a new version of a dataset of what people decided; the old one stays, and the new one names it.

    Example: foundry review apply review-e1752ef7aa01-Ada.jsonl review-e1752ef7aa01-Ben.jsonl
    """
    from flows.rows.reviewing import keep_decisions, publish_review, read_review
    from tasks.stage import path_of

    found, reviewed = read_review(files, dataset, disputed)
    told = _counts(reviewed)
    if not dry_run:
        made, done = publish_review(found, reviewed, disputed)
        grows = keep_decisions(found, reviewed)
        told |= {"digest": made.digest, "path": str(path_of(made)), "rows": made.rows, "grows": grows, **done}
    if as_json:
        with only_json() as output:
            output.write(strict_json.dumps(told) + "\n")
        return
    _tell(told)


def resume(file: DecisionsFile, as_json: AsJson = False) -> None:
    """Let the suspended runs of deployments go on that wait for this file, which stands where they expect it.

    Example: foundry review resume decisions.jsonl
    """
    from flows.rows.awaiting import resume_review

    names = [run.name for run in resume_review(file)]
    if as_json:
        with only_json() as output:
            output.write(strict_json.dumps({"resumed": names}) + "\n")
        return
    typer.echo(f"{', '.join(names)} will go on: a worker takes it up")


def _counts(reviewed: "Reviewed") -> dict[str, Any]:
    return {
        "parent": reviewed.digest,
        "decided": len(reviewed.verdicts),
        "disputed": sum(one.is_disputed for one in reviewed.verdicts.values()),
        "agreement": [asdict(one) for one in reviewed.agreement],
    }


def _tell(told: dict[str, Any]) -> None:
    for one in told["agreement"]:
        kappa = "not defined" if one["kappa"] is None else f"{one['kappa']:.2f}"
        typer.echo(
            f"{one['first']} and {one['second']}: {one['same']} of {one['rows']} rows alike, "
            f"Cohen's kappa {kappa}"
        )
    typer.echo(f"{told['decided']} rows decided, {told['disputed']} disputed")
    if "digest" in told:
        typer.echo(
            f"{told['kept']} kept as they were, {told['mended']} mended, {told['dropped']} dropped, "
            f"{told['back']} brought back; {told['rows']:,} rows are left in {told['digest'][:12]}, made "
            f"from {told['parent'][:12]}: foundry finetune RECIPE --dataset {told['digest'][:12]}"
        )
    if told.get("grows"):
        typer.echo(f"{told['grows']} grows: its next version keeps what was decided about these rows")


group = typer.Typer(cls=WithDefault, help="Let people look at ROWS: write the page they decide on.")
group.command(DEFAULT, hidden=True)(review)
group.command()(apply)
group.command()(resume)
