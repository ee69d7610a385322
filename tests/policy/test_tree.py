"""What may not stand anywhere in this repository, and what documents must not get wrong."""

import ast
import re
import subprocess
from functools import cache
from pathlib import Path

import pytest

from blip_core.kinds import KINDS
from flows.cli.app import app

ROOT = Path(__file__).parents[2]
PACKAGES = ("blip_core", "tasks", "flows", "deployments")
MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
UNSAFE_MODULES = {"pickle", "cPickle", "dill", "joblib", "shelve", "marshal"}
UNSAFE_CALLS = {"torch.load", "eval", "exec"}
CONVERSION = ROOT / "blip_core" / "prefetching" / "conversion_process.py"  # a process apart, without network
KINDS_ROOM = ROOT / "blip_core" / "kinds"
WIRING = ROOT / "blip_core" / "wiring"
PICKLED_WEIGHTS = {".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle"}
FAMILY_LIMIT_BYTES = 40_000_000  # 20 for the gallery's five members, 20 for those of the further recipes

_TARGET = re.compile(r"^([a-z][a-z0-9-]*):", re.MULTILINE)
_MAKE = re.compile(r"\bmake ([a-z][a-z0-9-]*)")
_FOUNDRY = re.compile(r"(?:bin/|`)foundry ([a-z-]+)")
_CODE = re.compile(r"```bash\n(.*?)```|`([^`\n]+)`", re.DOTALL)
_LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)")
_HOST_OF_PACKAGES = re.compile(r"(--index-url|--extra-index-url|--find-links|pypi\.org|https?://\S+/simple)")


def _name(path):
    return str(path.relative_to(ROOT))


def _nodes(path):
    return list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))


def _compared(nodes):
    """Lines that compare something with the name of a task."""
    return {
        node.lineno
        for node in nodes
        if isinstance(node, ast.Compare | ast.MatchValue)
        for part in ast.iter_child_nodes(node)
        for word in (part.elts if isinstance(part, ast.Tuple | ast.List | ast.Set) else [part])
        if isinstance(word, ast.Constant) and word.value in KINDS
    }


def _imported(nodes):
    imported = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            imported |= {alias.name.split(".")[0] for alias in node.names}
        if isinstance(node, ast.ImportFrom) and node.module:
            imported.add(node.module.split(".")[0])
    return imported


def _called(nodes):
    return {ast.unparse(node.func) for node in nodes if isinstance(node, ast.Call)}


def _given(nodes):
    return {
        (keyword.arg, keyword.value.value)
        for node in nodes
        if isinstance(node, ast.Call)
        for keyword in node.keywords
        if isinstance(keyword.value, ast.Constant)
    }


def _read(nodes):
    return {ast.unparse(node) for node in nodes if isinstance(node, ast.Attribute)}


@cache
def _found():
    """By module: what each of these finds in it."""
    finders = (_compared, _imported, _called, _given, _read)
    parsed = ((path, _nodes(path)) for path in MODULES)
    return {path: {finder: finder(nodes) for finder in finders} for path, nodes in parsed}


def _offenders(finder, unwanted):
    """What is unwanted of what is found in a module, by the module's name."""
    return {_name(path): bad for path, found in _found().items() if (bad := found[finder] & unwanted)}


def test_only_kinds_know_tasks_by_their_names():
    asked = {_name(path): found[_compared] for path, found in _found().items() if found[_compared]}
    assert {name: lines for name, lines in asked.items() if KINDS_ROOM not in (ROOT / name).parents} == {}


def test_no_module_imports_a_pickler():
    assert _offenders(_imported, UNSAFE_MODULES) == {}


def test_no_module_unpickles_or_runs_text():
    assert _offenders(_called, UNSAFE_CALLS) == {_name(CONVERSION): {"torch.load"}}


def test_the_conversion_process_alone_reads_pickled_weights_and_only_tensors():
    calls = [node for node in _nodes(CONVERSION) if isinstance(node, ast.Call)]
    loads = [node for node in calls if ast.unparse(node.func) == "torch.load"]
    assert len(loads) == 1
    assert "weights_only=True" in [ast.unparse(keyword) for keyword in loads[0].keywords]


def test_no_module_trusts_remote_code_or_allows_pickled_weights():
    unsafe = {("trust_remote_code", True), ("use_safetensors", False), ("allow_pickle", True)}
    assert _offenders(_given, unsafe) == {}


def test_the_environment_is_read_in_wiring_alone():
    readers = _offenders(_read, {"os.environ", "os.getenv"})
    assert {name for name in readers if WIRING not in (ROOT / name).parents} == set()


def test_modules_were_found():
    assert len(MODULES) > 20


@pytest.mark.parametrize("path", DOCUMENTS, ids=_name)
def test_every_make_command_in_a_document_is_a_target(path):
    targets = set(_TARGET.findall((ROOT / "Makefile").read_text()))
    code = "\n".join(block or inline for block, inline in _CODE.findall(path.read_text()))
    assert set(_MAKE.findall(code)) - targets == set()


def test_the_readme_shows_every_command_that_there_is_and_no_other():
    commands = {
        command.name or command.callback.__name__.replace("_", "-") for command in app.registered_commands
    } | {group.name for group in app.registered_groups}
    text = (ROOT / "README.md").read_text()
    _, _, below = text.partition("| to | `foundry` |\n")
    table, _, _ = below.partition("\n\n")
    assert {*_FOUNDRY.findall(text), *re.findall(r"`([a-z-]+)`", table)} == commands


def test_the_readme_names_the_two_commands():
    assert {"run", "test"} <= set(_MAKE.findall((ROOT / "README.md").read_text()))


@pytest.mark.parametrize("path", DOCUMENTS, ids=_name)
def test_every_relative_link_leads_somewhere(path):
    broken = [link for link in _LINK.findall(path.read_text()) if not (path.parent / link).exists()]
    assert broken == []


def test_pre_commit_and_ci_call_targets_of_the_makefile():
    targets = set(_TARGET.findall((ROOT / "Makefile").read_text()))
    called = _MAKE.findall((ROOT / ".pre-commit-config.yaml").read_text() + (ROOT / ".ci/run").read_text())
    assert {"test", "check"} <= set(called) <= targets


def test_ci_is_executable():
    assert (ROOT / ".ci/run").stat().st_mode & 0o111


def test_constraints_pin_every_version_and_name_no_host():
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    assert [line for line in lines if not re.fullmatch(r"[A-Za-z0-9._-]+==[\w.!]+", line)] == []


@pytest.mark.parametrize("name", ["Makefile", "pyproject.toml", ".ci/run"])
def test_no_build_file_names_where_packages_come_from(name):
    assert not _HOST_OF_PACKAGES.search((ROOT / name).read_text())


@pytest.fixture(scope="module")
def kept():
    """Every file that is or would be committed."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.split("\0")  # fmt: skip
    return [ROOT / name for name in listed if name and (ROOT / name).exists()]


def test_no_kept_file_is_a_link(kept):
    assert [path for path in kept if path.is_symlink()] == []


def test_weights_are_kept_as_safetensors(kept):
    assert [path for path in kept if path.suffix in PICKLED_WEIGHTS] == []


def test_the_pocket_family_stays_small(kept):
    weights = [path for path in kept if path.suffix == ".safetensors"]
    assert sum(path.stat().st_size for path in weights) <= FAMILY_LIMIT_BYTES


def test_no_part_of_the_suite_is_left_out_by_what_ci_runs():
    """What `make test` spares is what `make test-runs` works, or a target of its own; CI calls them all."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    run = set(_MAKE.findall((ROOT / ".ci" / "run").read_text(encoding="utf-8")))
    own = ("s3", "postgres", "ray")
    assert {"test", "test-runs", "check", *(f"test-{name}" for name in own)} <= run
    (spared,) = re.findall(r'^SPARED := .*-m "(not .*?)"', makefile, re.MULTILINE)
    assert set(re.findall(r"not (\w+)", spared)) == {"slow", "browser", "smollm", *own}
    (worked,) = re.findall(r'^\t.* -m "(slow and .*?)" \$\(TESTS\)', makefile, re.MULTILINE)
    assert worked == " and ".join(["slow", *(f"not {name}" for name in own)])
