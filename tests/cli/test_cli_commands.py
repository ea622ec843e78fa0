# SPDX-License-Identifier: Apache-2.0
"""The command line as a whole, and its smaller commands."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from support.commands import SCRIPT, cli, cli_in_terminal, environment

import mlcompiler_gym
from mlcompiler_gym import InliningEnv, Trajectory
from mlcompiler_gym.cli import COMMANDS
from mlcompiler_gym.registration import TASKS

#: Makes typer and rich impossible to import, as where the extra is not installed.
CORE_ONLY = """
import sys
sys.modules["typer"] = sys.modules["rich"] = None
sys.argv[0] = "mlcompiler-gym"
from mlcompiler_gym.cli import main
main()
"""


def core_only(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", CORE_ONLY, *arguments],
        capture_output=True,
        text=True,
        check=False,
    )


def test_every_command_is_listed_with_and_without_extras() -> None:
    shown = cli("--help").stdout
    plain = core_only("--help")
    assert plain.returncode == 0
    for command, what in COMMANDS.items():
        assert f" {command} " in shown
        assert f"  {command} " in plain.stdout
        assert what in plain.stdout
    assert "pip install 'mlcompiler_gym[cli]'" in plain.stdout


def test_the_version_needs_no_extras() -> None:
    expected = f"mlcompiler-gym {mlcompiler_gym.__version__}\n"
    assert core_only("--version").stdout == expected
    assert cli("--version").stdout == expected
    module = [sys.executable, "-m", "mlcompiler_gym", "--version"]
    done = subprocess.run(module, capture_output=True, text=True, check=True)
    assert done.stdout == expected


def test_other_commands_say_what_to_install() -> None:
    done = core_only("eval", "mlcompiler/Inlining-v0")
    assert done.returncode == 1
    assert "pip install 'mlcompiler_gym[cli]'" in done.stderr


def test_doctor_says_what_works() -> None:
    found = json.loads(cli("doctor", "--json").stdout)
    assert found["mlcompiler_gym"] == mlcompiler_gym.__version__
    assert found["service"]["llvm"].startswith("22.")
    assert "bytes of code" in found["service"]["compile"]
    assert found["packages"]["gymnasium"]
    assert found["extras"]["cli"] == []
    # The same from the core alone.
    done = core_only("doctor", "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["service"] == found["service"]


def test_doctor_says_what_does_not_work(tmp_path: Path) -> None:
    broken = {"MLCOMPILER_GYM_SERVICE": str(tmp_path / "absent")}
    done = cli("doctor", env=broken, status=1)
    assert "DOES NOT WORK" in done.stdout
    assert "absent is not an executable file" in done.stdout


def test_envs_list_and_describe() -> None:
    _, *rows = cli("envs", "list").stdout.splitlines()
    assert [row.split("\t")[0] for row in rows] == [task.env_id for task in TASKS]
    found = json.loads(cli("envs", "describe", "LoopDistribution-v0", "--json").stdout)
    assert found["action"]["masked"]
    assert found["default_objective"] == "loop_cost"
    assert found["features"]
    lines = cli_in_terminal("envs", "describe", "mlcompiler/RegAllocEviction-v0")
    assert max(map(len, lines[3:])) <= 80
    assert any(line.strip().startswith("0  take") for line in lines)
    done = cli("envs", "describe", "mlcompiler/Inlinig-v0", status=1)
    assert "did you mean mlcompiler/Inlining-v0" in done.stderr


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("mlcompiler-gym play mlcompiler/In", {"mlcompiler/Inlining-v0"}),
        ("mlcompiler-gym play --program loops:t", {"loops:train", "loops:test"}),
        ("mlcompiler-gym play --program kernels/ae", {"kernels/aes"}),
        ("mlcompiler-gym eval --policy best", {"best", "best_of_64"}),
    ],
)
def test_completion(words: str, offered: set[str]) -> None:
    asked = {
        "_MLCOMPILER_GYM_COMPLETE": "complete_bash",
        "COMP_WORDS": words,
        "COMP_CWORD": str(words.count(" ")),
    }
    done = subprocess.run(
        [SCRIPT], env=environment(**asked), capture_output=True, text=True, check=False
    )
    assert set(done.stdout.split()) == offered


@pytest.fixture
def trajectory(tmp_path: Path) -> Path:
    env = InliningEnv(programs="kernels/basic")
    env.reset()
    env.finish("always")
    env.trajectory.save(tmp_path / "always.json")
    (tmp_path / "always.o").write_bytes(env.emit())
    env.close()
    return tmp_path / "always.json"


def test_replay_gives_the_same_object(trajectory: Path, tmp_path: Path) -> None:
    done = cli("replay", trajectory, "-o", tmp_path / "again.o", "--json")
    assert (tmp_path / "again.o").read_bytes() == trajectory.with_suffix(
        ".o"
    ).read_bytes()
    [row] = json.loads(done.stdout)
    assert row["program"] == "kernels/basic"
    assert row["objective"]["text_size"] != row["baseline"]["text_size"]


def test_replay_reads_journals(trajectory: Path, tmp_path: Path) -> None:
    line = json.loads(trajectory.read_text())
    records = [
        {"program": "kernels/basic", "trajectory": each} for each in (line, None)
    ]
    journal = tmp_path / "journal.jsonl"
    journal.write_text("".join(json.dumps(each) + "\n" for each in records * 2))
    done = cli("replay", journal, "-o", tmp_path / "objects")
    assert "line 2: kernels/basic has no trajectory" in done.stderr
    assert len(list((tmp_path / "objects").glob("*.o"))) == 2
    journal.write_text("nonsense\n")
    done = cli("replay", journal, status=1)
    assert "line 1 of" in done.stderr


def test_validate_runs_what_a_trajectory_leads_to(
    trajectory: Path, tmp_path: Path
) -> None:
    said = cli("validate", trajectory).stdout
    assert "computes the same on 3 inputs" in said
    [found] = json.loads(cli("validate", trajectory, "-i", "9", "--json").stdout)
    assert found == {
        "program": "kernels/basic",
        "status": "same",
        "inputs": [["9"]],
        "differences": [],
    }


def test_validate_says_that_it_cannot_tell(tmp_path: Path) -> None:
    """A program that prints where its stack is does something else each time."""
    source = tmp_path / "where.c"
    source.write_text(
        "#include <stdio.h>\n"
        'static int f(int *p) { return printf("%p\\n", (void *)p); }\n'
        "int main(void) { int x = 0; return f(&x) < 0; }\n"
    )
    env = InliningEnv(programs=str(source))
    env.reset()
    env.finish("inactive")
    env.trajectory.save(tmp_path / "t.json")
    env.close()
    done = cli("validate", tmp_path / "t.json", "-i", "", status=3)
    assert "not deterministic" in done.stdout


# ---------------------------------------------------------------------------
# play


def test_play_from_a_pipe(tmp_path: Path) -> None:
    """Another answer than LLVM's, taken back, and LLVM's to the end."""
    saved = tmp_path / "mine.json"
    typed = ["?", "v", "inline", "u", "keep", "nonsense", "f", f"s {saved}", "q"]
    done = cli("play", "-p", "kernels/lz", input="\n".join(typed))
    said = done.stdout
    assert "kernels/lz, decision 0" in said
    assert "LLVM would: keep the call" in said
    assert ">   %13 = call fastcc ptr @check" in said
    assert "'nonsense' is no legal action" in said
    assert said.count("kernels/lz, decision 1") == 2
    assert Trajectory.load(saved).actions[0] == 0
    [end] = [line for line in said.splitlines() if line.startswith("text_size\t")]
    assert end.split("\t")[1] == end.split("\t")[2]


@pytest.mark.parametrize(
    ("env", "program", "typed", "expected"),
    [
        ("LoopDistribution-v0", "loops/split_chain", "distribute", "decision 1"),
        ("LoopFactors-v0", "loops/split_chain", "width 8, unroll 2", "decision 1"),
        ("RegAllocEviction-v0", "kernels/lz", "RBX", "decision 1"),
        ("RegAllocPriority-v0", "kernels/lz", "7", "decision 1"),
        ("PassOrdering-v0", "kernels/lz", "instcombine", "ir_instructions now"),
        ("Parameters-v0", "kernels/lz", "inline-threshold=0", "1 decisions, reward"),
    ],
)
def test_every_task_can_be_played(
    env: str, program: str, typed: str, expected: str
) -> None:
    done = cli("play", f"mlcompiler/{env}", "-p", program, input=f"{typed}\nq\n")
    assert expected in done.stdout
    assert "no legal action" not in done.stdout


def test_play_fits_a_terminal() -> None:
    lines = cli_in_terminal("play", "-p", "kernels/lz", typed="q\n")
    assert max(map(len, lines)) <= 80
    # All of a decision is on the screen, and the line to answer on below it.
    start = next(i for i, line in enumerate(lines) if "decision 0" in line)
    assert len(lines) - start <= 24


def test_play_ends_with_its_input_and_leaves_no_process() -> None:
    done = cli("play", "-p", "kernels/lz", input="inline\n")
    assert "decision 1" in done.stdout


def test_play_says_what_is_wrong() -> None:
    done = cli("play", "mlcompiler/Inlining-v0", "objectiv=x", status=1)
    assert "did you mean objective?" in done.stderr
    assert "unknown program" in cli("play", "-p", "kernels/absent", status=1).stderr
