# SPDX-License-Identifier: Apache-2.0
"""An episode that a policy inside the session decides, against the bare compile.

Both are one request of a session parked at its first decision: the same decisions,
sent as actions or made by a network of two layers of 64 (with actions and
log-probabilities recorded, with the features of legal actions, with all features).
Processor time of the session, in turn, one after the other. Then episodes of single
functions, from reset to the end, by that network: in Python, in the session, and many
in one request.
"""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

import gymnasium
import numpy as np
import psutil

import mlcompiler_gym
from mlcompiler_gym import PortablePolicy
from mlcompiler_gym.envs.choice import functions_with_decisions
from mlcompiler_gym.policies import play
from mlcompiler_gym.v1 import compiler_service_pb2 as pb
from mlcompiler_gym.v1 import policy_pb2

PAIRS = 9
#: Episodes of one function, in a row.
EPISODES = 50

CASES: dict[str, tuple[str, dict[str, Any], str, str]] = {
    "inlining, nlohmann/json": (
        "mlcompiler/Inlining-v0",
        {"inlining_default": True},
        "#include <nlohmann/json.hpp>\n"
        "int main(int argc, char **argv) {\n"
        "  auto j = nlohmann::json::parse(argv[1]);\n"
        '  j["a"] = argc; return (int)j.dump().size();\n}\n',
        ".cpp",
    ),
    "eviction, stb": (
        "mlcompiler/RegAllocEviction-v0",
        {},
        "#define STB_IMAGE_IMPLEMENTATION\n#include <stb/stb_image.h>\n",
        ".c",
    ),
}


def network(env: mlcompiler_gym.CompilerEnv) -> PortablePolicy:
    """Two layers of 64 with weights at random.

    Where LLVM's own decision is among the features, as the last of them, it decides:
    inlining at random does not end before the module is huge.
    """
    rng = np.random.default_rng(0)
    policy = policy_pb2.Policy(task=env.setup.config.task)
    zero, size = env.setup.features.zero(), 0
    for name in env.setup.features.names:
        elements = int(np.size(env.setup.features.pick(zero, name)))
        one = policy.model.inputs.add(feature=name, elements=elements)
        one.transforms.add(signed_log=policy_pb2.SignedLog())
        size += elements
    shape = (size, 64, 64, int(env.action_space.n))  # type: ignore[attr-defined]
    follows = env.setup.features.names[-1] == "inlining_default"
    for inputs, outputs in itertools.pairwise(shape):
        weights = rng.normal(size=(inputs, outputs)) / np.sqrt(inputs)
        biases = rng.normal(size=outputs)
        if follows:
            # The last unit of each layer has LLVM's decision, the others hardly count.
            weights *= 0.01
            weights[-1, -1] = 10
            biases = np.eye(1, outputs)[0]
        policy.model.network.layers.add(
            outputs=outputs,
            weights=weights.ravel().tolist(),
            biases=biases.tolist(),
            activation=policy_pb2.Dense.RELU,
        )
    policy.model.network.layers[-1].activation = policy_pb2.Dense.IDENTITY
    policy.model.categorical.SetInParent()
    return PortablePolicy(policy)


def processor_time(env: mlcompiler_gym.CompilerEnv, request: pb.Request) -> float:
    """Seconds that the session takes for a request."""
    env.reset(seed=0)
    process = psutil.Process(env.session.opened.pid)
    before = sum(process.cpu_times()[:2])
    env.session.call(request)
    return sum(process.cpu_times()[:2]) - before


def run() -> None:
    for name, (env_id, settings, source, suffix) in CASES.items():
        path = Path(f"benchmark{suffix}")
        path.write_text(source)
        try:
            env: Any = gymnasium.make(env_id, programs=path, **settings).unwrapped
            policy = network(env)
            env.reset(seed=0)
            made = env.rollout(policy)
            actions = env.setup.actions.encode(made.actions.tolist())
            step = pb.Request(step=pb.Step(actions=actions))
            play = pb.Request(play=pb.Play(policy=policy.to_bytes()))
            legal, both = (
                pb.Request(
                    play=pb.Play(
                        policy=policy.to_bytes(), features=True, legal_columns=compact
                    )
                )
                for compact in (True, False)
            )
            times = [
                [processor_time(env, request) for request in (step, play, legal, both)]
                for _ in range(PAIRS)
            ]
            env.close()
        finally:
            path.unlink()
        bare = statistics.median(each[0] for each in times)
        ratios = [statistics.median(t[i] / t[0] for t in times) for i in (1, 2, 3)]
        print(
            f"{name}: {len(made.actions)} decisions, {bare:.2f} s; resident "
            f"{ratios[0]:.3f} of that, with features of legal actions "
            f"{ratios[1]:.3f}, with all {ratios[2]:.3f}"
        )
    single_functions()


def single_functions() -> None:
    """Episodes a second of the functions of a kernel."""
    env: Any = gymnasium.make(
        "mlcompiler/RegAllocEviction-v0", programs="kernels"
    ).unwrapped
    policy = network(env)
    program = env.setup.programs.named("kernels/codecs")
    for function in functions_with_decisions(env.setup, program):
        options = {"program": program, "function": function}
        ways = ways_to_play(env, policy, options)
        times = [[seconds(way) for way in ways] for _ in range(PAIRS)]
        ratios = [statistics.median(t[0] / t[i] for t in times) for i in (1, 2, 3)]
        rate = EPISODES / statistics.median(each[3] for each in times)
        env.reset(options=options)
        print(
            f"eviction, {function}: {len(env.rollout(policy).actions)} decisions; "
            f"episodes a second against those asked from Python: {ratios[0]:.2f} one "
            f"by one, {ratios[1]:.2f} in one request, {ratios[2]:.2f} on all "
            f"processors ({rate:.0f} episodes a second)"
        )
    env.close()


def ways_to_play(
    env: Any, policy: PortablePolicy, options: dict[str, Any]
) -> list[Callable[[], None]]:
    def asked() -> None:
        for _ in range(EPISODES):
            play(env, policy, options=options)

    def resident() -> None:
        for _ in range(EPISODES):
            env.reset(options=options)
            env.rollout(policy)

    def at_once(parallel: int | None = None) -> None:
        env.reset(options=options)
        env.rollouts(policy, EPISODES, parallel=parallel)

    return [asked, resident, lambda: at_once(1), at_once]


def seconds(do: Callable[[], None]) -> float:
    began = perf_counter()
    do()
    return perf_counter() - began
