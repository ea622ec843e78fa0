# SPDX-License-Identifier: Apache-2.0
"""``mlcompiler-gym eval``, as a user types it."""

import fcntl
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.commands import cli

from mlcompiler_gym import EvaluationError, Trajectory, replay
from mlcompiler_gym.evaluation import Evaluation, LocalPlayers, evaluate
from mlcompiler_gym.evaluation.evaluate import steps_file

INLINING = "mlcompiler/Inlining-v0"
PROGRAMS = ("kernels/lz", "kernels/basic")

#: Policies that a user might have; some of them take a process down, once.
POLICIES = """
import os, pathlib, signal

def by_seed(env, seed):
    return lambda observation, info: seed % 2

class Alternating:
    def __init__(self, env):
        self.last = 0
    def __call__(self, observation, info):
        self.last = 1 - self.last
        return self.last

def once(name):
    try:
        pathlib.Path(name).touch(exist_ok=False)
    except FileExistsError:
        return False
    return True

def killing_its_process(observation, info):
    if once("process"):
        os.kill(os.getpid(), signal.SIGKILL)
    return 1

def killing_every_process(observation, info):
    os.kill(os.getpid(), signal.SIGKILL)

def killing_its_session(env):
    def decide(observation, info):
        if once("session"):
            os.kill(env.unwrapped.session.opened.pid, signal.SIGKILL)
        return 1
    return decide

def killing_all_sessions(env):
    def decide(observation, info):
        os.kill(env.unwrapped.session.opened.pid, signal.SIGKILL)
        return 1
    return decide

not_a_policy = 3

def of_three(a, b, c):
    return 0
"""


def eval_in(
    folder: Path, *arguments: str, status: int = 0
) -> subprocess.CompletedProcess[str]:
    return cli("eval", *arguments, status=status, cwd=folder)


def named(*programs: str) -> list[str]:
    return [word for program in programs for word in ("--programs", program)]


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with policies in it, which this process is in."""
    (tmp_path / "mine.py").write_text(POLICIES)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "mine", raising=False)
    return tmp_path


def test_llvm_is_as_good_as_itself_and_trajectories_replay(tmp_path: Path) -> None:
    done = eval_in(tmp_path, INLINING, "--policy", "llvm", *named(*PROGRAMS))
    shown = done.stdout
    records = read(tmp_path / "evaluation.jsonl")
    assert [record["program"] for record in records] == list(PROGRAMS)
    for record in records:
        assert record["objective"] == record["baseline"]
        assert record["reward"] == 0.0
        trajectory = Trajectory.from_json(json.dumps(record["trajectory"]))
        assert len(trajectory.actions) == record["steps"]
        assert replay(trajectory).values == record["objective"]
    assert "llvm in mlcompiler/Inlining-v0" in done.stderr
    [total] = [line for line in shown.splitlines() if "2 programs" in line]
    assert total.split()[-1] == "1.0000"


def test_the_ratio_is_the_geometric_mean(tmp_path: Path) -> None:
    policy = ("--policy", "never", "--output", "never.jsonl")
    shown = eval_in(tmp_path, INLINING, *policy, *named(*PROGRAMS)).stdout
    ratios = [
        record["objective"]["text_size"] / record["baseline"]["text_size"]
        for record in read(tmp_path / "never.jsonl")
    ]
    assert max(ratios) > 1.05
    [total] = [line for line in shown.splitlines() if "2 programs" in line]
    assert total.split()[-1] == f"{np.exp(np.mean(np.log(ratios))):.4f}"


def test_a_run_goes_on_where_it_stopped(tmp_path: Path) -> None:
    path = tmp_path / "evaluation.jsonl"
    options = (INLINING, "--policy", "random", "--episodes", "2")
    eval_in(tmp_path, *options, *named("kernels/lz"))
    first = path.read_bytes()
    # As if it had been killed while it wrote the third.
    path.write_bytes(first + b'{"env": "mlcompiler/Inl')
    eval_in(tmp_path, *options, *named(*PROGRAMS))
    second = path.read_bytes()
    assert second.startswith(first)
    assert [(record["program"], record["seed"]) for record in read(path)] == [
        (program, seed) for program in PROGRAMS for seed in (0, 1)
    ]
    shown = eval_in(tmp_path, *options, *named(*PROGRAMS)).stdout
    assert path.read_bytes() == second
    assert "2 programs" in shown


def test_other_policies_and_settings_are_other_episodes(tmp_path: Path) -> None:
    options = (INLINING, *named("kernels/lz"))
    eval_in(tmp_path, *options, "--policy", "never")
    eval_in(tmp_path, *options, "--policy", "always")
    objective = 'objective={"text_size": 1, "ir_instructions": 0.5}'
    done = eval_in(tmp_path, *options, "--policy", "always", objective)
    records = read(tmp_path / "evaluation.jsonl")
    assert [r["policy"] for r in records] == ["never", "always", "always"]
    assert set(records[2]["objective"]) == {"text_size", "ir_instructions"}
    assert "ir_instructions" in done.stdout
    assert "1 episodes" in done.stderr


def test_workers_make_no_difference(tmp_path: Path) -> None:
    options = (INLINING, "--policy", "random", "--episodes", "3", *named(*PROGRAMS))
    one = eval_in(tmp_path, *options, "-o", "one").stdout
    more = ("-o", "three", "--workers", "3")
    three = eval_in(tmp_path, *options, *more).stdout
    lines = [sorted((tmp_path / n).read_text().splitlines()) for n in ("one", "three")]
    assert lines[0] == lines[1]
    assert len(lines[0]) == 6
    assert one == three


def test_policies_of_a_users_module(folder: Path) -> None:
    options = (INLINING, "--episodes", "2", *named("kernels/lz"))
    eval_in(folder, *options, "--policy", "mine:by_seed", "--workers", "2")
    eval_in(folder, *options, "--policy", "mine:Alternating")
    records = read(folder / "evaluation.jsonl")
    for record in records:
        actions = record["trajectory"]["actions"]
        if record["policy"] == "mine:by_seed":
            assert set(actions) == {record["seed"]}
        else:
            assert actions == [(i + 1) % 2 for i in range(len(actions))]
    assert len(records) == 4


@pytest.mark.parametrize("observation", ["flat", "dict"])
def test_what_the_agent_saw_is_kept_if_asked_for(
    tmp_path: Path, observation: str
) -> None:
    eval_in(
        tmp_path,
        *("mlcompiler/RegAllocEviction-v0", f"observation={observation}"),
        *("function=each", "--policy", "random", "--save-trajectories", "steps"),
        *named("kernels/basic"),
    )
    [record] = read(tmp_path / "evaluation.jsonl")
    steps = np.load(tmp_path / "steps" / steps_file(record))
    assert steps["actions"].tolist() == record["trajectory"]["actions"]
    assert steps["rewards"].sum() == pytest.approx(record["reward"])
    assert steps["terminated"].tolist() == [False] * (record["steps"] - 1) + [True]
    masks = steps["action_masks"]
    assert masks.shape == (record["steps"] + 1, 33)
    assert all(masks[range(record["steps"]), steps["actions"]])
    if observation == "dict":
        mask = steps["observations/mask"]
        assert np.array_equal(mask[:-1], masks[:-1])
    else:
        assert steps["observations"].shape[0] == record["steps"] + 1


def test_what_the_compiler_does_not_survive_is_a_result(tmp_path: Path) -> None:
    (tmp_path / "broken.ll").write_text("define nonsense")
    shown = eval_in(tmp_path, INLINING, *named("broken.ll", "kernels/lz")).stdout
    broken, whole = read(tmp_path / "evaluation.jsonl")
    assert broken["error_code"] == "INVALID_PROGRAM"
    assert broken["objective"] is None
    assert whole["error"] is None
    assert "errors" in shown


def test_an_episode_whose_session_is_killed_is_played_again(folder: Path) -> None:
    options = (INLINING, *named("kernels/lz"))
    eval_in(folder, *options, "--policy", "mine:killing_its_session")
    eval_in(folder, *options, "--policy", "always", "-o", "always")
    [record], [expected] = read(folder / "evaluation.jsonl"), read(folder / "always")
    assert (folder / "session").exists()
    assert record["error"] is None
    assert record["objective"] == expected["objective"]
    # But not without end.
    eval_in(folder, *options, "--policy", "mine:killing_all_sessions")
    assert read(folder / "evaluation.jsonl")[1]["error_code"] == "SESSION_LOST"


def test_a_killed_worker_costs_no_episode(folder: Path) -> None:
    evaluation = Evaluation(INLINING, "mine:killing_its_process")
    records = evaluate(
        evaluation, PROGRAMS, "out", episodes=3, players=LocalPlayers(evaluation, 2)
    )
    assert (folder / "process").exists()
    assert [record["error"] for record in records] == [None] * 6
    assert len(read(folder / "out")) == 6


def test_workers_that_are_always_killed_end_it(folder: Path) -> None:
    policy = ("--policy", "mine:killing_every_process", "--workers", "2")
    done = eval_in(folder, INLINING, *policy, *named("kernels/lz"), status=1)
    assert "are killed" in done.stderr
    assert read(folder / "evaluation.jsonl") == []


def test_programs_without_end(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    error = eval_in(tmp_path, INLINING, *named("csmith"), status=1).stderr
    assert "there is no end of" in error
    eval_in(tmp_path, INLINING, *named("csmith"), "--limit", "1")
    assert [r["program"] for r in read(tmp_path / "evaluation.jsonl")] == ["csmith/0"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["mlcompiler/Inlinig-v0"], "did you mean mlcompiler/Inlining-v0"),
        (["Inlining-v0"], "did you mean mlcompiler/Inlining-v0"),
        (["kernels/lz"], "`mlcompiler-gym envs list` has them all"),
        (["CartPole-v1"], "no environment of a compiler"),
        (
            [INLINING, "objectiv=text_size"],
            "no argument 'objectiv'; did you mean objective?",
        ),
        ([INLINING, "objective=speed"], "unknown objective 'speed'"),
        ([INLINING, "objective"], "write key=value"),
        ([INLINING, "level=Oz", "level=O2"], "level is set twice"),
        ([INLINING, "programs=loops"], "--programs"),
        (
            [INLINING, "--policy", "clever"],
            "always, best, inactive, last_use, llvm, random",
        ),
        ([INLINING, "--policy", "best"], "is for pass ordering"),
        ([INLINING, "--policy", "best_of_2"], "not decide function by function"),
        ([INLINING, "--policy", "nowhere:policy"], "No module named 'nowhere'"),
        ([INLINING, "--policy", "mine:absent"], "no attribute 'absent'"),
        ([INLINING, "--policy", "mine:not_a_policy"], "cannot be called"),
        ([INLINING, "--policy", "mine:of_three"], "takes 3 arguments"),
        (
            ["mlcompiler/PassOrdering-v0", "actions=poset-odg34"],
            "the policy needs actions='default<Oz>'",
        ),
        (
            ["mlcompiler/RegAllocPriority-v0", "--policy", "never"],
            "no action that does",
        ),
        ([INLINING, "--programs", "kernels/absent"], "unknown program"),
        (
            [
                *("mlcompiler/PassOrdering-v0", "observation=dict", "--policy"),
                *("random", 'observations=["programl"]', "--save-trajectories", "x"),
            ],
            "only observations that are arrays",
        ),
    ],
)
def test_what_is_wrong_is_said(
    folder: Path, arguments: list[str], message: str
) -> None:
    assert message in eval_in(folder, *arguments, status=1).stderr


def test_a_file_of_something_else_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "evaluation.jsonl"
    for content in (b"precious\nnotes", b'{"program": 1}\n', b"[]\n"):
        path.write_bytes(content)
        done = eval_in(tmp_path, INLINING, *named("kernels/lz"), status=1)
        assert "line 1 is not an episode" in done.stderr
        assert path.read_bytes() == content


def test_one_process_writes_a_file(tmp_path: Path) -> None:
    with (tmp_path / "evaluation.jsonl").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        done = eval_in(tmp_path, INLINING, *named("kernels/lz"), status=1)
    assert "another process is writing" in done.stderr


def test_settings_are_what_json_has() -> None:
    with pytest.raises(EvaluationError, match="JSON does not have"):
        Evaluation(INLINING, "llvm", {"service": object()})
