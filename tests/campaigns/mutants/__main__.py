"""The campaign: mutants drawn from a seed, each against the tests that pass its line.

First come the tests of its room; what survives them meets those that all rooms share. All is kept below
build/mutants: begun again, it goes on where it was.
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from tests.campaigns.mutants.forking import Outcome, in_child, preload, run_pytest, run_tests
from tests.campaigns.mutants.reach import MOST_SECONDS, Reach, Recorder, tests_of
from tests.campaigns.mutants.sampling import ROOMS, Mutant, draw, find

BUILD = Path("build/mutants")
ACROSS = ("tests/contract", "tests/hostile", "tests/tasks", "tests/docs/test_pages.py")
OUTCOMES = ("killed", "timeout", "survived", "gone")
COLLECTING = 3600.0  # seconds for the tests of one folder, watched and on a busy machine
TIME = 4 * MOST_SECONDS  # that the tests of a mutant may take, on a machine that does other work too


@dataclass
class Trial:
    """A mutant, how it ended ("" before), what was seen, and whether the shared tests were asked too."""

    mutant: Mutant
    outcome: str = ""
    said: str = ""
    is_final: bool = False

    def settle(self, outcome: str, said: str, is_final: bool) -> None:
        self.outcome, self.said = outcome, said
        self.is_final = is_final or outcome != "survived"


class Campaign:
    """All mutants of a seed; their state is written after each."""

    def __init__(self, seed: int, count: int, anew: bool) -> None:
        self._home = BUILD / f"seed-{seed}-{count}"
        self.tree = (BUILD / "tree").absolute()
        self._file = self._home / "result.json"
        if anew or not self._file.is_file():
            copy_tree(self.tree)
        mend(self.tree)
        if self._file.is_file():
            kept = json.loads(self._file.read_text(encoding="utf-8"))
            self.trials = [Trial(**{**fields, "mutant": Mutant(**fields["mutant"])}) for fields in kept]
        else:
            self.trials = [Trial(mutant) for mutant in draw(self.tree, count, seed)]
        self._scratch = (self._home / "scratch").absolute()
        self.write()

    def write(self) -> None:
        self._home.mkdir(parents=True, exist_ok=True)
        kept = json.dumps([asdict(trial) for trial in self.trials], indent=1, ensure_ascii=False)
        self._file.write_text(kept, encoding="utf-8")

    def run(self) -> None:
        for room in ROOMS:
            self._ask(
                [f"tests/unit/{room}"], [t for t in self.trials if t.mutant.room == room and not t.outcome]
            )
        shared = [*ACROSS, *sorted(map(str, Path("tests/unit").glob("test_*.py")))]
        self._ask(shared, [trial for trial in self.trials if not trial.is_final], is_final=True)

    def forget_survivors(self) -> None:
        self.trials = [Trial(one.mutant) if one.outcome == "survived" else one for one in self.trials]

    def ask_files(self, files: Sequence[str]) -> None:
        """The survivors against whole files of tests, such as those written since."""
        for trial in [trial for trial in self.trials if trial.outcome == "survived"]:
            self._settle(trial, judge(self.tree, trial.mutant, lambda _: list(files), self._scratch), True)

    def _ask(self, places: Sequence[str], trials: Sequence[Trial], is_final: bool = False) -> None:
        if not trials:
            return
        reaches = [collected(self.tree, place) for place in places]
        preload(sorted({module for reach in reaches for module in reach.modules}), self.tree)
        for trial in trials:
            tests_at = partial(tests_of, reaches, self.tree, trial.mutant.path)
            self._settle(trial, judge(self.tree, trial.mutant, tests_at, self._scratch), is_final)

    def _settle(self, trial: Trial, ended: tuple[str, str], is_final: bool) -> None:
        trial.settle(*ended, is_final)
        self.write()
        where = f"{self.trials.index(trial) + 1}/{len(self.trials)} {trial.mutant.path}:{trial.mutant.line}"
        _say(f"{time.strftime('%H:%M:%S')} {where} {trial.outcome}: {trial.said}")


def copy_tree(tree: Path) -> None:
    """What git would keep of this checkout, as it is now; the mutants are written there and never here."""
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        capture_output=True,
        check=True,
    )
    files = {Path(name) for name in listing.stdout.decode().split("\0") if name and Path(name).is_file()}
    for old in [path for path in tree.rglob("*") if path.is_file() and path.relative_to(tree) not in files]:
        old.unlink()
    for file in files:
        (tree / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(file, tree / file)


def collected(tree: Path, place: str) -> Reach:
    """Which test passes where: measured once, and kept while neither the tests nor the library change."""
    kept = (BUILD / "reach" / f"{_digest(tree, place)}.json").absolute()
    kept.parent.mkdir(parents=True, exist_ok=True)
    if not kept.is_file():
        began = time.monotonic()
        scratch = (BUILD / f"scratch-{os.getpid()}").absolute()
        in_child(tree, lambda: _record(tree, place, kept), scratch, COLLECTING)
        reach = Reach.read(kept)
        _say(f"{place}: {len(reach.seconds)} tests watched, {time.monotonic() - began:.0f} s")
        for test in reach.failed:
            _say(f"  left out, fails without a mutant: {test}")
    return Reach.read(kept)


def _record(tree: Path, place: str, file: Path) -> None:
    sys.dont_write_bytecode = False  # nothing is changed yet, and all who come after load it
    recorder = Recorder(tree)
    recorder.start()
    run_pytest([place], [recorder])
    recorder.result().write(file)


def _digest(tree: Path, place: str) -> str:
    digest = hashlib.sha256(place.encode())
    for file in sorted([*(tree / "blip_core").rglob("*.py"), *(tree / place).rglob("*.py"), tree / place]):
        digest.update(file.read_bytes() if file.is_file() else b"")
    return digest.hexdigest()[:16]


def judge(tree: Path, mutant: Mutant, tests_at: Callable[[int], list[str]], scratch: Path) -> tuple[str, str]:
    """How a mutant ends, and the test that found it. Past its time counts as found: it may never end."""
    found = find(tree, mutant)
    if found is None:
        return "gone", "the code has changed since"
    line, changed = found
    tests = tests_at(line)
    if not tests:
        return "survived", "no test passes here"
    with _changed(tree / mutant.path, changed):
        outcome = _nearest_first(tree, tests, scratch)
    return outcome.status, f"{outcome.failed or f'{len(tests)} tests'} ({outcome.seconds} s)"


@contextmanager
def _changed(file: Path, text: str) -> Iterator[None]:
    """The file with another text; `mend` brings back what was there, should this process be killed."""
    shutil.copy2(file, _original(file))
    try:
        file.write_text(text, encoding="utf-8")
        yield
    finally:
        _original(file).replace(file)


def _original(file: Path) -> Path:
    return file.with_suffix(".original")


def mend(tree: Path) -> None:
    for original in (tree / "blip_core").rglob("*.original"):
        original.replace(original.with_suffix(".py"))


def _nearest_first(tree: Path, tests: list[str], scratch: Path) -> Outcome:
    """The nearest file alone, then the others: most die in the first, and loading files costs more."""
    nearest = tests[0].partition("::")[0]
    near = [test for test in tests if test.partition("::")[0] == nearest]
    far = [test for test in tests if test.partition("::")[0] != nearest]
    outcome = run_tests(tree, near, scratch, TIME)
    return run_tests(tree, far, scratch, TIME) if far and outcome.status == "survived" else outcome


def tell(trials: Sequence[Trial]) -> None:
    """A table of the rooms, and the survivors."""
    _say(f"\n{'room':12}" + "".join(f"{word:>10}" for word in (*OUTCOMES, "share killed")))
    for room in ROOMS:
        _say(_counts(room, [trial.outcome for trial in trials if trial.mutant.room == room]))
    _say(_counts("all", [trial.outcome for trial in trials]))
    for trial in trials:
        if trial.outcome == "survived":
            _say(f"\n{trial.mutant.path}:{trial.mutant.line} ({trial.said})")
            _say(f"- {trial.mutant.before.strip()}\n+ {trial.mutant.after.strip()}")


def _counts(name: str, outcomes: list[str]) -> str:
    found = [outcomes.count(outcome) for outcome in OUTCOMES]
    judged = sum(found) - outcomes.count("gone")
    share = f"{(outcomes.count('killed') + outcomes.count('timeout')) / judged:.1%}" if judged else "-"
    return f"{name:12}" + "".join(f"{number:10}" for number in found) + f"{share:>13}"


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=13)
    parser.add_argument("--mutants", type=int, default=200)
    parser.add_argument(
        "--again",
        nargs="*",
        metavar="FILE",
        help="the survivors anew: by all tests of now, or by these files alone",
    )
    options = parser.parse_args()
    campaign = Campaign(options.seed, options.mutants, options.again is not None)
    if options.again is not None and not options.again:
        campaign.forget_survivors()
    if options.again:
        campaign.ask_files(options.again)
    else:
        campaign.run()
    tell(campaign.trials)


if __name__ == "__main__":
    main()
