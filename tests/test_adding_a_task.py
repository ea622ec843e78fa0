# SPDX-License-Identifier: Apache-2.0
"""The page that adds a task, followed as it is written."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import mlcompiler_gym

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/adding_a_task.md").read_text()

#: Files by their paths: a block behind a line that is a path.
FILES = dict(re.findall(r"^`([^`\n]+)`:\n\n```\w+\n(.*?)^```$", PAGE, re.S | re.M))
NATIVE = "service/tasks/SizeMarking.cpp"
PYTHON = "mlcompiler_gym/envs/size_marking.py"
DOCS = "docs/size_marking.md"

ROW = "".join(re.findall(r"^```python\n(TaskEntry\(.*?\))\n```$", PAGE, re.S | re.M))
USE = "".join(re.findall(r"^```python\n(import gymnasium.*?)```$", PAGE, re.S | re.M))
TABLE = "mlcompiler_gym/registration.py"

#: As deep as the build of an install, so that ccache finds what that has compiled.
BUILD = "build/copy"

#: An editable install of this tree would come before the copy.
COPY_FIRST = """
import sys
sys.meta_path[:] = [f for f in sys.meta_path if "ScikitBuild" not in type(f).__name__]
"""


def test_one_file_of_each_kind_and_one_row() -> None:
    assert list(FILES) == [NATIVE, PYTHON, DOCS]
    for path in FILES:
        assert (ROOT / path).parent.is_dir()
        assert not (ROOT / path).exists()
    assert f"`{TABLE}`" in PAGE
    assert "TASKS = (\n" in (ROOT / TABLE).read_text()


def test_the_blocks_name_each_other() -> None:
    row = ast.parse(ROW, mode="eval").body
    assert isinstance(row, ast.Call)
    env_id, class_name, module = map(ast.literal_eval, row.args)
    assert f"mlcompiler_gym/envs/{module}.py" == PYTHON
    classes = [
        node
        for node in ast.walk(ast.parse(FILES[PYTHON]))
        if isinstance(node, ast.ClassDef)
    ]
    assert [each.name for each in classes] == [class_name]
    task = re.search(r'task = "(\w+)"', FILES[PYTHON])
    assert task is not None
    assert f'X("{task[1]}",' in FILES[NATIVE]
    for text in (FILES[PYTHON], FILES[DOCS], USE):
        assert env_id in text
    ast.parse(USE)


def run(tree: Path, *command: str | Path, status: int = 0) -> str:
    """What a command prints that sees the copy instead of this tree."""
    done = subprocess.run(
        command,
        cwd=tree,
        env={
            **os.environ,
            "PYTHONPATH": f"{tree.parent / 'first'}:{tree}",
            "MLCOMPILER_GYM_SERVICE": str(tree / BUILD / "service/mlcompiler-service"),
            "CCACHE_BASEDIR": str(tree),
            "CCACHE_NOHASHDIR": "1",
            "COLUMNS": "200",
            "NO_COLOR": "1",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=3600,
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of this tree in which the page has been followed."""
    folder = tmp_path_factory.mktemp("copy")
    tree = folder / "tree"
    (folder / "first").mkdir()
    (folder / "first/sitecustomize.py").write_text(COPY_FIRST)
    listed = subprocess.check_output(["git", "ls-files", "-z"], cwd=ROOT, text=True)
    for name in filter(None, listed.split("\0")):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, tree / name)
    for name, text in FILES.items():
        (tree / name).write_text(text)
    table = (tree / TABLE).read_text()
    (tree / TABLE).write_text(table.replace("TASKS = (\n", f"TASKS = (\n    {ROW},\n"))
    run(
        tree,
        *("cmake", "-S", ".", "-B", BUILD, "-G", "Ninja"),
        *("-DCMAKE_C_COMPILER=clang-22", "-DCMAKE_CXX_COMPILER=clang++-22"),
        f"-DSKBUILD_PROJECT_VERSION={mlcompiler_gym.__version__}",
    )
    run(tree, "cmake", "--build", BUILD, "--target", "mlcompiler-service")
    return tree


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_the_task_is_there(tree: Path) -> None:
    run(tree, "clang-format-22", "--dry-run", "-Werror", tree / NATIVE)
    run(tree, sys.executable, "-W", "error", "-c", USE)
    where = "import mlcompiler_gym; print(mlcompiler_gym.SizeMarkingEnv.__module__)"
    assert (
        run(tree, sys.executable, "-c", where) == "mlcompiler_gym.envs.size_marking\n"
    )


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("policy", ["llvm", "never", "always", "random"])
def test_it_is_evaluated(tree: Path, policy: str) -> None:
    run(
        tree,
        *(sys.executable, "-c", "from mlcompiler_gym.cli import main; main()"),
        *("eval", "mlcompiler/SizeMarking-v0", "--policy", policy),
        *("--programs", "kernels/lz", "--output", f"{policy}.jsonl"),
    )
    assert '"error": null' in (tree / f"{policy}.jsonl").read_text()


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_what_is_asked_of_all_tasks_is_asked_of_it(tree: Path) -> None:
    every = "tests/envs/test_every_task.py"
    spelled = "test_the_table_is_spelled_out_for_readers_and_type_checkers"
    pytest_ = (sys.executable, "-m", "pytest", "-p", "no:cacheprovider")
    printed = run(
        tree,
        *pytest_,
        *(
            "-v",
            "-n",
            "2",
            "-m",
            "not slow",
            "--deselect",
            f"{every}::{spelled}",
            every,
        ),
        *("tests/envs/test_options.py", "tests/evaluation/test_named_policies.py"),
        "tests/client/test_compliance.py",
    )
    for test in ("checkers_have_nothing", "two_at_once", "llvm_is_what_all"):
        assert re.search(rf"PASSED .*{test}.*SizeMarking", printed)
    # The two lists that are spelled out, and the rows that they lack.
    printed = run(tree, *pytest_, "-vv", f"{every}::{spelled}", status=1)
    assert "from mlcompiler_gym.envs.size_marking import SizeMarkingEnv" in printed
    assert "README.md: | [`mlcompiler/SizeMarking-v0`](docs/" in printed
