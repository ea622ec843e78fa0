# SPDX-License-Identifier: Apache-2.0
"""The environment that allocates registers from scratch, and its code."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces
from support.regalloc import (
    AARCH64,
    EMPTY,
    EVICTION,
    TARGETS,
    TWO,
    X86,
    MakeEnv,
    check_ends_as_replayed,
    check_replay,
    ir,
    legal_at_random,
    two,
)
from support.toolchain import KERNEL_NAMES, VOCABULARIES, embeddings, finish, play, run

from mlcompiler_gym import InvalidActionError, Program, load_programs
from mlcompiler_gym.envs import CompilerEnv

ALLOC = "mlcompiler/RegAlloc-v0"

REGISTERS, SPILL, BLOCKS, LOOPS = 48, 48, 49, range(50, 54)
#: Numbers of what may become of a live range, in their order.
COLUMNS = (
    *("free", "hint", "saves_copies", "saves_later", "denies", "opens_saved"),
    *("spills", "heaviest", "cost"),
)
#: Numbers of a live range.
RANGE = (
    *("weight", "spillable", "size", "operands", "reads", "writes", "copies"),
    *("hottest", "depth", "local", "rematerializable", "crosses_calls", "registers"),
    "splits",
)

#: Where a node has its state, and then its register; its embedding is behind them.
STATE = len(RANGE)

#: The allocator's own code is checked behind every pass, and what it measures is its.
CHECKED: dict[str, Any] = {"verify_machine_code": True}

Make = Callable[..., CompilerEnv]


@pytest.fixture
def make_checked(make_env: MakeEnv) -> Make:
    """An environment whose machine code LLVM's verifier looks at all the time."""
    return lambda **settings: make_env(ALLOC, **CHECKED, **settings)


def stock_object(bitcode: bytes, allocator: str) -> bytes:
    """What `opt` and `llc` make of a program by one of LLVM's allocators."""
    flag = "-relocation-model=pic"
    optimized = run("opt-22", flag, "-passes=default<O2>", "-o", "-", data=bitcode)
    return run(
        *("llc-22", flag, f"-regalloc={allocator}", "-filetype=obj", "-o", "-"),
        data=optimized,
    )


def as_basic(observation: Any) -> int:
    """What LLVM's basic allocator would do, which is the last feature."""
    return int(observation[-1])


def check_basic(make: Make, kernel: str, target: str) -> None:
    env = make(
        programs=f"kernels/{kernel}", target=target, order="weight", basic_action=True
    )
    _, terminated, _, info = play(env, as_basic)
    assert terminated, info
    same = env.emit("object") == stock_object(env.program.bitcode, "basic")
    assert same, f"the object of {kernel} differs"


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("kernel", ["hashes", "lisp"])
def test_choosing_as_the_basic_allocator(
    make_checked: Make, kernel: str, target: str
) -> None:
    check_basic(make_checked, kernel, target)


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("kernel", KERNEL_NAMES)
def test_choosing_as_the_basic_allocator_in_every_kernel(
    make_checked: Make, kernel: str, target: str
) -> None:
    check_basic(make_checked, kernel, target)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("allocator", ["basic", "greedy", "pbqp"])
def test_llvms_own_allocators(make_checked: Make, allocator: str, target: str) -> None:
    env = make_checked(programs="kernels/lz", target=target, allocator=allocator)
    _, info = env.reset()
    assert info["no_decision"] is True
    assert env.step(0)[2]
    same = env.emit("object") == stock_object(env.program.bitcode, allocator)
    assert same


def test_spaces(make_checked: Make) -> None:
    env = make_checked(programs=TWO, observation="dict")
    assert env.action_space == spaces.Discrete(54)
    assert isinstance(env.observation_space, spaces.Dict)
    shapes = {name: space.shape for name, space in env.observation_space.items()}
    assert shapes == {
        "mask": (54,),
        "phase": (1,),
        "progress": (4,),
        "range": (len(RANGE),),
        **{f"row_{name}": (16,) for name in RANGE},
        **dict.fromkeys(COLUMNS, (54,)),
    }
    fixed = make_checked(programs=TWO, observation="dict", order="size")
    assert isinstance(fixed.observation_space, spaces.Dict)
    assert set(shapes) - set(fixed.observation_space) == {
        "phase",
        *(f"row_{name}" for name in RANGE),
    }


def decision_of(env: CompilerEnv) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(env.observe("decision")["decision"])
    return found


@pytest.mark.parametrize("target", TARGETS)
def test_what_is_seen_is_what_is_described(make_checked: Make, target: str) -> None:
    env = make_checked(
        programs="kernels/matrix",
        target=target,
        observation="dict",
        cheapest_action=True,
    )
    seen, info = env.reset()
    rng = np.random.default_rng(0)
    terminated, taken, asked = False, set(), [0, 0]
    while not terminated and sum(asked) < 400:
        legal = np.flatnonzero(info["action_mask"])
        assert len(legal) > 1
        np.testing.assert_array_equal(seen["mask"], info["action_mask"])
        for name, values in seen.items():
            assert env.observation_space[name].contains(values), name  # type: ignore
        phase, decision = int(seen["phase"][0]), decision_of(env)
        asked[phase] += 1
        assert decision["function"] == info["function"]
        if phase == 0:
            weights = [row["spill_weight"] for row in decision["rows"]]
            assert legal.tolist() == list(range(len(weights)))
            assert weights == sorted(weights, reverse=True)
            assert seen["row_size"][: len(weights)].all()
            assert not any(seen[f"row_{name}"][len(weights) :].any() for name in RANGE)
            assert not seen["range"].any()
            assert not any(seen[name].any() for name in COLUMNS)
        else:
            assert not any(seen[f"row_{name}"].any() for name in RANGE)
            check_cheapest(seen, legal)
            check_columns(seen, decision, legal)
            taken.add(decision["virtual_register"])
        seen, _, terminated, _, info = env.step(int(rng.choice(legal)))
    assert min(asked) > 50
    assert len(taken) > 30


def check_cheapest(seen: Any, legal: Any) -> None:
    """The rule takes the free register that saves most copies in the end."""
    [rule] = seen["cheapest_action"].astype(int)
    assert rule in legal
    free = [action for action in legal if seen["free"][action]]
    if free:
        saved = seen["saves_copies"] + seen["saves_later"] - seen["denies"]
        assert rule == max(free, key=lambda action: saved[action])


def check_columns(seen: Any, decision: Any, legal: Any) -> None:
    weight, spillable = seen["range"][:2]
    if spillable:
        assert weight == pytest.approx(decision["spill_weight"], rel=1e-5)
    assert (SPILL in legal) == bool(spillable)
    assert sum(loop in legal for loop in LOOPS) == min(4, len(decision["loops"]))
    columns = np.stack([seen[name] for name in COLUMNS], axis=1)
    assert not columns[[a for a in range(54) if a not in legal]].any()
    for number, column in enumerate(decision["columns"]):
        if number not in legal:
            continue
        free, hint, saves, later, denies, opens, spills, heaviest, cost = columns[
            number
        ]
        assert free == (not column["spills"])
        assert hint == column["hint"]
        assert spills == len(column["spills"])
        assert (cost > 0) >= (spills > 0 and heaviest > 0)
        assert saves == 0 or hint or spills
        assert opens in (0, 1)
        assert min(later, denies) >= 0


@pytest.mark.parametrize("target", TARGETS)
def test_what_interferes_gets_no_common_register(
    make_checked: Make, target: str
) -> None:
    """The edges are what the allocator must respect, and all that keeps it."""
    env = make_checked(programs="kernels/lz", target=target, order="weight")
    env.reset()
    choose = legal_at_random(env, 0)
    for _ in range(60):
        graph = env.observe("interference")["interference"]
        decision = decision_of(env)
        assert len(graph.names) == len(set(graph.names)) == len(graph.nodes)
        state, register = graph.nodes[:, STATE], graph.nodes[:, STATE + 1]
        assert ((state == 2) == (register > 0)).all()
        [at_hand] = np.flatnonzero(state == 1)
        assert graph.names[at_hand] == decision["virtual_register"]
        assert (graph.edge_links[:, 0] < graph.edge_links[:, 1]).all()
        ends = register[graph.edge_links]
        assert not ((ends[:, 0] == ends[:, 1]) & (ends[:, 0] > 0)).any()
        sources = graph.nodes[graph.edge_links[:, 0]]
        assert (graph.edges[:, 0] <= sources[:, RANGE.index("registers")]).all()
        # Who holds what could be taken interferes, and is named.
        links = graph.edge_links[(graph.edge_links == at_hand).any(axis=1)]
        neighbours = {graph.names[end] for end in links.ravel()}
        for column in decision["columns"]:
            assert neighbours.issuperset(column["spills"])
        env.step(choose(None))


#: A function without registers of no class, which LLVM's own tool crashes on.
SMALL = ir(
    "define i64 @small(i64 %a, i64 %b, i64 %c) {\n"
    "  %x = mul i64 %a, %b\n  %y = udiv i64 %x, %c\n  %z = xor i64 %y, %a\n"
    "  %s = lshr i64 %z, %b\n  %t = sub i64 %s, %c\n  ret i64 %t\n}\n",
    "small",
)


def test_nodes_have_the_mir2vec_embedding_of_their_instructions(
    make_checked: Make,
) -> None:
    env = make_checked(programs=SMALL, observation="dict")
    env.reset()
    graph = env.observe("interference")["interference"]
    optimized = run(
        "opt-22", "-passes=default<O2>", "-o", "-", data=env.program.bitcode
    )
    code = run(
        *("llc-22", "-relocation-model=pic", "-stop-before=greedy", "-o", "-"),
        data=optimized,
    )
    vocabulary = VOCABULARIES / "mir2vec-x86-64-100d.json"
    printed = embeddings(
        *(code, "--mode=mir", "--level=inst", f"--mir2vec-vocab-path={vocabulary}")
    )
    assert len(graph.names) == 5
    for name, node in zip(graph.names, graph.nodes, strict=True):
        vectors = [
            vector
            for _, instruction, vector in printed
            if re.search(rf"{name}\b", instruction)
        ]
        assert len(vectors) >= 2, name
        # The tool prints two decimals.
        np.testing.assert_allclose(
            node[STATE + 2 :], np.sum(vectors, axis=0), atol=0.006 * len(vectors)
        )


def test_a_graph_is_part_of_the_observation(make_checked: Make) -> None:
    env = make_checked(programs=TWO, observation="dict", observations=("interference",))
    seen, _ = env.reset()
    assert seen in env.observation_space
    shown = env.observe("interference")["interference"]
    np.testing.assert_array_equal(seen["interference"].nodes, shown.nodes)
    np.testing.assert_array_equal(seen["interference"].edge_links, shown.edge_links)
    finish(env, legal_at_random(env, 0))


def test_other_tasks_have_an_empty_graph(make_env: MakeEnv) -> None:
    env = make_env(EVICTION, programs="kernels/lz")
    env.reset()
    assert env.observe("interference")["interference"].nodes.shape == (0, 116)


def test_what_a_register_denies_others(make_checked: Make) -> None:
    """Two values that are live at the same time, one of which is returned."""
    program = ir(
        "define i64 @deny(i64 %a, i64 %b) {\n  %x = xor i64 %a, %b\n  ret i64 %x\n}\n",
        "deny",
    )
    env = make_checked(programs=program, observation="dict")
    env.reset()
    denied = []
    for row in range(2):
        twin = env.fork()
        seen, *_ = twin.step(row)
        registers = [each["register"] for each in decision_of(twin)["columns"]]
        denies = seen["denies"][: len(registers)]
        denied.append({r: n for r, n in zip(registers, denies, strict=True) if n})
        twin.close()
    # One comes in RDI, which the other one cannot have, and leaves in RAX.
    assert {"RSI": 1.0} in denied
    assert {"RAX": 1.0} in denied


def test_what_a_register_saves_later(make_checked: Make) -> None:
    """A split leaves copies between its pieces, which may have the same register."""
    env = make_checked(
        programs="kernels/calendar",
        function="julian_days",
        observation="dict",
        order="weight",
        cheapest_action=True,
    )
    seen, _ = env.reset()
    found, terminated = {}, False
    while not terminated:
        columns = np.flatnonzero(seen["saves_later"])
        names = [each["register"] for each in decision_of(env)["columns"]]
        found.update({names[c]: float(seen["saves_later"][c]) for c in columns})
        seen, _, terminated, _, _ = env.step(int(seen["cheapest_action"][0]))
    assert found


@pytest.mark.parametrize("order", ["agent", "global_first"])
@pytest.mark.parametrize("name", ["kernels/json", "loops/stencil_five_point"])
def test_random_choices_compute_the_same(
    make_checked: Make, name: str, order: str, tmp_path: Path
) -> None:
    env = make_checked(programs=name, order=order)
    _, terminated, _, info = play(env, legal_at_random(env, 1))
    assert terminated, info
    assert env.validate().ok
    check_replay(env, tmp_path)


def check_random(
    make: Make, name: str | Program, target: str, seed: int, **settings: Any
) -> int:
    """Random choices to the end, and how many that were."""
    env = make(programs=name, target=target, **settings)
    _, info = env.reset()
    if "no_decision" in info:
        return 0
    _, terminated, _, info = finish(env, legal_at_random(env, seed))
    assert terminated, (name, target, seed, info)
    count = len(env.trajectory.actions)
    if target == X86 and env.program.inputs is not None:
        assert env.validate().ok, (name, seed)
    env.close()
    return count


def test_random_choices_on_aarch64(make_checked: Make) -> None:
    assert check_random(make_checked, "kernels/lz", AARCH64, 0) > 500


@pytest.mark.slow
def test_many_random_choices(make_checked: Make) -> None:
    counts = dict.fromkeys(TARGETS, 0)
    sets = {"kernels": 1, "loops": 3}
    names = [n for s, step in sets.items() for n in load_programs(s).names[::step]]
    names += [f"csmith/{seed}" for seed in range(1, 6)]
    for number, name in enumerate(names):
        for target in TARGETS:
            order = ["agent", "weight", "size", "global_first"][number % 4]
            found = check_random(make_checked, name, target, number, order=order)
            counts[target] += found
    assert min(counts.values()) > 20_000, counts


def test_splits(make_checked: Make) -> None:
    """Each kind of split is offered, taken, and makes pieces."""
    env = make_checked(programs="kernels/matrix", order="global_first")
    done = {"blocks": 0, "loops": 0}

    def split_first(_: Any) -> int:
        legal = np.flatnonzero(env.action_masks()).tolist()
        splits = [action for action in (*LOOPS, BLOCKS) if action in legal]
        for action in splits[:1]:
            done["blocks" if action == BLOCKS else "loops"] += 1
        return int((splits or legal)[0])

    _, terminated, _, _ = play(env, split_first)
    assert terminated
    assert min(done.values()) > 5
    assert env.validate().ok


@pytest.mark.parametrize("order", ["size", "global_first"])
def test_what_waits_may_be_cleared(make_checked: Make, order: str) -> None:
    """To spill one live range can leave nothing of another that waits."""
    env = make_checked(
        programs="kernels/hashtable",
        target=AARCH64,
        order=order,
        cheapest_action=True,
    )
    _, terminated, _, info = play(env, lambda seen: int(seen[-1]))
    assert terminated, info


#: Values that are used and have no definition: their live ranges cover nothing.
UNDEFINED = ir(
    "define i32 @undefined(ptr %p, i1 %c) {\n"
    "entry:\n  br i1 %c, label %one, label %join\n"
    'one:\n  %x = call i32 asm "", "=r,0"(i32 undef)\n'
    "  store volatile i32 %x, ptr %p\n  br label %join\n"
    "join:\n  %y = phi i32 [ undef, %entry ], [ %x, %one ]\n"
    '  call void asm sideeffect "", "r,r"(i32 undef, i32 %y)\n'
    "  ret i32 %y\n}\n",
    "undefined",
)


@pytest.mark.parametrize("order", ["agent", "weight", "size", "global_first"])
def test_undefined_values(make_checked: Make, order: str) -> None:
    env = make_checked(programs=UNDEFINED, order=order, pipeline="no-op-module")
    env.reset()
    for seed in range(3):
        _, terminated, _, info = play(env, legal_at_random(env, seed))
        assert terminated, info


DEBUG_C = """
int work(int *p, int n) {
  int sum = 0, product = 1, last = 0, most = 0, least = 0;
  for (int i = 0; i < n; i++) {
    int value = p[i], twice = value * 2, square = value * value;
    sum += value; product *= twice + 1; last = square;
    most = most > value ? most : value; least = least < value ? least : value;
    p[i] = sum ^ product ^ last ^ most ^ least ^ square ^ twice;
  }
  return sum + product + last + most + least;
}
int main(void) { int p[40]; for (int i = 0; i < 40; i++) p[i] = i; return work(p, 40); }
"""


@pytest.mark.parametrize("target", TARGETS)
def test_debug_information_survives(
    make_checked: Make, target: str, tmp_path: Path
) -> None:
    bitcode = run(
        *("clang-22", f"--target={target}", "-g", "-O2", "-Xclang"),
        *("-disable-llvm-passes", "-emit-llvm", "-c", "-x", "c", "-o", "-", "-"),
        data=DEBUG_C.encode(),
    )
    env = make_checked(programs=Program("debug", bitcode), target=target)
    for seed in range(3):
        play(env, legal_at_random(env, seed))
        path = tmp_path / "debug.o"
        path.write_bytes(env.emit("object"))
        checked = run("llvm-dwarfdump-22", "--verify", path).decode()
        assert "No errors." in checked
        shown = run("llvm-dwarfdump-22", "--name=sum", path).decode()
        assert "DW_AT_location" in shown


def test_fork_is_the_same_allocation(make_checked: Make) -> None:
    env = make_checked(programs="kernels/lz", render_mode="ansi")
    env.reset()
    choose = legal_at_random(env, 0)
    for _ in range(61):
        env.step(choose(None))
    twin = env.fork()
    names = ("decision", "decisions", "mir")
    assert twin.observe(*names) == env.observe(*names)
    assert twin.render() == env.render()
    np.testing.assert_array_equal(twin.action_masks(), env.action_masks())
    for seed, each in enumerate((env, twin)):
        finish(each, legal_at_random(each, seed + 10))
        check_ends_as_replayed(each)
    assert twin.emit("object") != env.emit("object")
    twin.close()


def test_resets_are_forks_of_a_parked_session(make_checked: Make) -> None:
    env = make_checked(programs="kernels/json")
    objects = set()
    for episode in range(4):
        play(env, legal_at_random(env, episode % 2))
        objects.add(env.emit("object"))
    assert env.stats.parked == 3
    assert len(objects) == 2


def test_one_function(make_checked: Make) -> None:
    whole = make_checked(programs=two(), reward="dense", order="weight")
    play(whole, lambda _: int(np.flatnonzero(whole.action_masks())[0]))
    alone = make_checked(programs=two(), function="second", order="weight")
    _, info = alone.reset()
    assert info["function"] == "second"
    finish(alone, lambda _: int(np.flatnonzero(alone.action_masks())[0]))
    count = len(alone.trajectory.actions)
    assert alone.trajectory.actions == whole.trajectory.actions[-count:]
    each = make_checked(programs=two(), function="each")
    assert {each.reset()[1]["function"] for _ in range(12)} == {
        *("first", "quiet", "second")
    }


def test_the_local_reward(make_checked: Make) -> None:
    """RL4ReAl's: what is coloured pays its spill weight, what is spilled owes it."""
    env = make_checked(programs="kernels/matrix", reward="local", observation="dict")
    choose = legal_at_random(env, 3)
    seen, _ = env.reset()
    kinds = dict.fromkeys(("next", "free", "taken", "spill", "split"), 0)
    terminated, paid = False, []
    while not terminated:
        action = choose(None)
        own = min(seen["range"][0], 1e4) if seen["range"][1] else 1e4
        if not seen["phase"][0]:
            kind, expected = "next", 0.0
        elif action == SPILL:
            kind, expected = "spill", -own
        elif action > SPILL:
            kind, expected = "split", 0.0
        else:
            kind = "free" if seen["free"][action] else "taken"
            expected = own - min(seen["heaviest"][action], 1e4)
        seen, reward, terminated, _, info = env.step(action)
        assert reward == pytest.approx(expected / 1e4, rel=1e-6), kind
        assert -1 <= reward <= 1
        paid.append(reward)
        kinds[kind] += 1
    assert min(kinds.values()) > 5, kinds
    # What it comes to is known, too.
    assert info["objective"]["regalloc_score"] > info["baseline"]["regalloc_score"]


@pytest.mark.parametrize("order", ["agent", "weight"])
@pytest.mark.parametrize("features", [False, True, "legal"])
def test_local_rewards_are_the_same_inside_the_session(
    make_checked: Make, features: Any, order: str
) -> None:
    env = make_checked(programs="kernels/lz", reward="local", order=order)
    env.reset()
    made = env.rollout("random", seed=1, decisions=30, features=features)
    rest = env.rollout("random", seed=made.seed, features=features)
    assert rest.terminated
    assert (made.features is None) == (features is False)
    paid = [*made.rewards, *rest.rewards]
    assert made.reward == pytest.approx(sum(made.rewards))
    env.reset()
    [again] = env.rollouts("random", 1, seed=1, features=features)
    assert again.rewards.tolist() == paid
    given = iter([*made.actions.tolist(), *rest.actions.tolist()])
    assert play(env, lambda _: next(given))[0] == paid


def test_rewards_of_full_allocation_have_names(make_checked: Make) -> None:
    with pytest.raises(ValueError, match="'final', 'dense' or 'local', not 'global'"):
        make_checked(programs=TWO, reward="global")


def test_illegal_choices_are_refused(make_checked: Make) -> None:
    env = make_checked(programs=TWO)
    env.reset()
    with pytest.raises(InvalidActionError, match="legal"):
        env.step(SPILL)
    finish(env, legal_at_random(env, 0))


def test_a_program_without_decisions(make_checked: Make) -> None:
    env = make_checked(programs=EMPTY)
    current, info = env.reset()
    assert info["no_decision"] is True
    assert current in env.observation_space
    _, reward, terminated, truncated, _ = env.step(0)
    assert (reward, terminated, truncated) == (0.0, True, False)


#: Ten results that no input may share a register with, and each tied to an input: all
#: registers at once, some of them already taken by what cannot be spilled.
CROWDED = ir(
    "define void @crowded(ptr %p) {\n"
    + "".join(
        f"  %q{i} = getelementptr i64, ptr %p, i64 {i}\n  %v{i} = load i64, ptr %q{i}\n"
        for i in range(10)
    )
    + '  %r = call {i64,i64,i64,i64,i64,i64,i64,i64,i64,i64} asm sideeffect "nop", "'
    + ",".join(["=&r"] * 10 + [str(i) for i in range(10)])
    + '"('
    + ", ".join(f"i64 %v{i}" for i in range(10))
    + ")\n"
    + "".join(
        f"  %x{i} = extractvalue {{i64,i64,i64,i64,i64,i64,i64,i64,i64,i64}} %r, {i}\n"
        f"  store volatile i64 %x{i}, ptr %q{i}\n"
        for i in range(10)
    )
    + "  ret void\n}\n",
    "crowded",
)


def test_inline_assembly_that_takes_most_registers(make_checked: Make) -> None:
    env = make_checked(programs=CROWDED)
    for seed in range(5):
        _, terminated, _, info = play(env, legal_at_random(env, seed))
        assert terminated, info


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS)
def test_a_function_of_two_thousand_live_ranges(make_env: MakeEnv, target: str) -> None:
    env = make_env(ALLOC, programs=large(target))
    seen, _ = env.reset()
    assert seen[54 + 1 + 1] > 2000  # progress: at first
    _, terminated, _, info = finish(env, legal_at_random(env, 0))
    assert terminated, info


def large(target: str) -> Program:
    """One function that computes with some two thousand values."""
    body = "".join(
        f"  %v{i} = load volatile i32, ptr %p\n"
        + (f"  %w{i} = mul i32 %v{i}, %v{i - 40}\n" if i >= 40 else "")
        + (f"  store volatile i32 %w{i}, ptr %p\n" if i >= 40 else "")
        for i in range(2200)
    )
    text = f"define void @large(ptr %p) {{\n{body}  ret void\n}}\n"
    return ir(text, "large", target)
