# SPDX-License-Identifier: Apache-2.0
"""What other libraries have learned decides the same as a policy that is data."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.wrappers import FlattenObservation, NormalizeObservation
from numpy.typing import NDArray
from support.policies import Seen, observe

import mlcompiler_gym
from mlcompiler_gym.envs.wrappers import SignedLogObservation, signed_log
from mlcompiler_gym.errors import ExportError
from mlcompiler_gym.policies import PortablePolicy
from mlcompiler_gym.policies.export import (
    from_onnx,
    from_sb3,
    from_sklearn,
    from_torch,
)

torch = pytest.importorskip("torch")
nn = torch.nn

INLINING = "mlcompiler/Inlining-v0"
EVICTION = "mlcompiler/RegAllocEviction-v0"
PRIORITY = "mlcompiler/RegAllocPriority-v0"
PROGRAMS = {INLINING: "kernels/regex", EVICTION: "kernels/aes", PRIORITY: "kernels/aes"}


class Cases:
    """Environments of one service, and decisions that were seen in them."""

    def __init__(self) -> None:
        self._service = mlcompiler_gym.LocalService()
        self._envs: list[gymnasium.Env[Any, Any]] = []
        self._seen: dict[tuple[str, str], Seen] = {}

    def make(self, env_id: str, **settings: Any) -> gymnasium.Env[Any, Any]:
        env = gymnasium.make(
            env_id, programs=PROGRAMS[env_id], service=self._service, **settings
        )
        self._envs.append(env)
        return env

    def seen(self, env_id: str, observation: str = "flat") -> Seen:
        key = env_id, observation
        if key not in self._seen:
            env = self.make(env_id, observation=observation)
            self._seen[key] = observe(env, 120)
        return self._seen[key]

    def close(self) -> None:
        for env in self._envs:
            env.close()
        self._service.close()


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """On busy processors, the threads of scikit-learn spin for each other."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        yield


@pytest.fixture(scope="module")
def cases() -> Iterator[Cases]:
    made = Cases()
    yield made
    made.close()


def log_softmax(logits: NDArray[Any], masks: NDArray[Any] | None) -> NDArray[Any]:
    logits = np.asarray(logits, np.float64)
    if masks is not None:
        logits = np.where(masks, logits, -np.inf)
    shifted: NDArray[Any] = logits - logits.max(axis=1, keepdims=True)
    with np.errstate(divide="ignore"):
        return np.asarray(
            shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)), np.float64
        )


def check_same(
    policy: PortablePolicy,
    seen: Seen,
    logits: NDArray[Any],
    actions: NDArray[Any] | None = None,
) -> None:
    """The same actions, and their log-probabilities within 1e-5."""
    decided = policy.decide(seen.observations, seen.masks)
    expected = log_softmax(logits, seen.masks)
    best = expected.argmax(axis=1)
    assert decided.actions.tolist() == best.tolist()
    if actions is not None:
        assert decided.actions.tolist() == np.ravel(actions).tolist()
    np.testing.assert_allclose(
        decided.log_probabilities, expected[np.arange(len(best)), best], atol=1e-5
    )


def spread(network: Any, seed: int) -> Any:
    """A network that takes different actions, whatever comes."""
    torch.manual_seed(seed)
    for module in network.modules():
        if isinstance(module, nn.Linear):
            nn.init.orthogonal_(module.weight, 1.4)
            if module.bias is not None:
                nn.init.normal_(module.bias)
    return network.eval()


def balance(layer: Any, outputs: NDArray[Any], middle: float = 0.0) -> None:
    """Move the last layer's biases so that either action is the better one at times."""
    with torch.no_grad():
        layer.bias += torch.as_tensor(middle - np.median(outputs, axis=0))


def run_torch(network: Any, observations: Any) -> NDArray[Any]:
    with torch.no_grad():
        made: NDArray[Any] = network(torch.as_tensor(observations)).numpy()
    return made


def sequential(inputs: int, outputs: int, activation: Any = None) -> Any:
    activation = activation or nn.Tanh
    return spread(
        nn.Sequential(
            nn.Flatten(),
            nn.Sequential(nn.Linear(inputs, 64), activation()),
            nn.Dropout(),
            nn.Linear(64, 64, bias=False),
            activation(),
            nn.Linear(64, outputs),
        ),
        seed=inputs,
    )


@pytest.mark.parametrize("activation", [nn.Tanh, nn.ReLU])
@pytest.mark.parametrize("env_id", [INLINING, EVICTION])
def test_torch(cases: Cases, env_id: str, activation: Any) -> None:
    env = SignedLogObservation(cases.make(env_id))
    seen = cases.seen(env_id)
    outputs = env.action_space.n  # type: ignore[attr-defined]
    network = sequential(env.observation_space.shape[0], int(outputs), activation)  # type: ignore[index]
    balance(network[-1], run_torch(network, signed_log(seen.observations)))
    policy = from_torch(network, env)
    logits = run_torch(network, signed_log(seen.observations))
    check_same(policy, seen, logits)
    assert len(set(policy.decide(seen.observations, seen.masks).actions.tolist())) > 1
    assert policy.task == env.unwrapped.setup.config.task  # type: ignore[attr-defined]


def test_torch_by_log_odds(cases: Cases) -> None:
    env, seen = SignedLogObservation(cases.make(INLINING)), cases.seen(INLINING)
    network = sequential(38, 1)
    policy = from_torch(network, env)
    odds = run_torch(network, signed_log(seen.observations))
    check_same(policy, seen, np.hstack([np.zeros_like(odds), odds]))


def test_torch_names_the_layer(cases: Cases) -> None:
    env = cases.make(INLINING)
    network = nn.Sequential(
        nn.Linear(38, 8), nn.Sequential(nn.LayerNorm(8)), nn.Linear(8, 2)
    )
    with pytest.raises(ExportError, match=r"layer 1\.0 is a LayerNorm"):
        from_torch(network, env)
    with pytest.raises(ExportError, match=r"layer 0 has weights .* 38 inputs come in"):
        from_torch(nn.Sequential(nn.Linear(37, 2)), env)
    with pytest.raises(ExportError, match="3 outputs, which are no actions"):
        from_torch(nn.Sequential(nn.Linear(38, 3)), env)
    halved = gymnasium.wrappers.TransformObservation(
        env, lambda each: each / 2, env.observation_space
    )
    with pytest.raises(ExportError, match="the wrapper TransformObservation"):
        from_torch(nn.Linear(38, 2), halved)


def test_wrappers_are_folded_in(cases: Cases) -> None:
    """A dict, flattened in the order of its names, logged, and normalised."""
    env: Any = NormalizeObservation(
        FlattenObservation(
            SignedLogObservation(cases.make(INLINING, observation="dict"))
        )
    )
    observe(env, 50)
    env.update_running_mean = False
    seen = cases.seen(INLINING, "dict")
    network = sequential(38, 2)
    flat = np.concatenate(
        [
            signed_log(seen.observations[n]).reshape(120, -1)
            for n in sorted(seen.observations)
        ],
        axis=1,
    )
    normal = (flat - env.obs_rms.mean) / np.sqrt(env.obs_rms.var + env.epsilon)
    policy = from_torch(network, env)
    logits = run_torch(network, normal.astype(np.float32))
    check_same(policy, seen, logits)
    # The flat observation has the order of the service.
    check_same(policy, cases.seen(INLINING), logits)


@pytest.mark.parametrize("observation", ["flat", "dict"])
@pytest.mark.parametrize("algorithm", ["PPO", "DQN"])
def test_sb3(cases: Cases, algorithm: str, observation: str) -> None:
    sb3 = pytest.importorskip("stable_baselines3")
    from stable_baselines3.common.vec_env import DummyVecEnv, VecMonitor, VecNormalize

    venv = VecNormalize(
        VecMonitor(
            DummyVecEnv(
                [
                    lambda: SignedLogObservation(
                        cases.make(INLINING, observation=observation)
                    )
                ]
            )
        ),
        clip_obs=1.5,
    )
    kind = "MlpPolicy" if observation == "flat" else "MultiInputPolicy"
    settings = {"n_steps": 64} if algorithm == "PPO" else {"learning_starts": 10}
    model = getattr(sb3, algorithm)(kind, venv, seed=1, device="cpu", **settings)
    model.learn(128)
    spread(model.policy, seed=3)
    seen = cases.seen(INLINING, observation)
    logged = venv.normalize_obs(signed_log(seen.observations))
    tensors, _ = model.policy.obs_to_tensor(logged)

    def logits() -> NDArray[Any]:
        with torch.no_grad():
            if algorithm == "DQN":
                made = model.policy.q_net(tensors)
            else:
                made = model.policy.get_distribution(tensors).distribution.logits
        return np.asarray(made.numpy())

    last = (
        model.policy.q_net.q_net[-1] if algorithm == "DQN" else model.policy.action_net
    )
    balance(last, logits())
    policy = from_sb3(model)
    actions, _ = model.predict(logged, deterministic=True)
    check_same(policy, seen, logits(), actions)
    assert len(set(actions.tolist())) == 2


def test_sb3_maskable(cases: Cases) -> None:
    contrib = pytest.importorskip("sb3_contrib")

    env = SignedLogObservation(cases.make(EVICTION))
    model = contrib.MaskablePPO("MlpPolicy", env, n_steps=64, seed=0, device="cpu")
    spread(model.policy, seed=1)
    seen = cases.seen(EVICTION)
    assert seen.masks is not None
    logged = signed_log(seen.observations)
    actions, _ = model.predict(
        logged, deterministic=True, action_masks=seen.masks.astype(bool)
    )
    with torch.no_grad():
        tensors, _ = model.policy.obs_to_tensor(logged)
        logits = model.policy.get_distribution(tensors).distribution.logits.numpy()
    check_same(from_sb3(model), seen, logits, actions)


def test_sb3_continuous(cases: Cases) -> None:
    sb3 = pytest.importorskip("stable_baselines3")

    env = SignedLogObservation(cases.make(PRIORITY))
    model = sb3.PPO("MlpPolicy", env, n_steps=64, seed=0, device="cpu")
    spread(model.policy, seed=1)
    with torch.no_grad():
        model.policy.log_std.fill_(-0.7)
    seen = cases.seen(PRIORITY)
    logged = signed_log(seen.observations)
    actions, _ = model.predict(logged, deterministic=True)
    balance(model.policy.action_net, actions, middle=3.0)
    policy = from_sb3(model)
    actions, _ = model.predict(logged, deterministic=True)
    decided = policy.decide(seen.observations)
    np.testing.assert_allclose(decided.actions, actions, rtol=1e-5, atol=1e-6)
    with torch.no_grad():
        mean = model.policy.get_distribution(torch.as_tensor(logged)).distribution
        density = mean.log_prob(mean.mean).numpy().ravel()
    np.testing.assert_allclose(decided.log_probabilities, density, atol=1e-5)
    assert len(np.unique(decided.actions)) > 1


def test_sb3_names_the_extractor(cases: Cases) -> None:
    sb3 = pytest.importorskip("stable_baselines3")
    from stable_baselines3.common.torch_layers import FlattenExtractor

    class Curious(FlattenExtractor):
        pass

    model = sb3.PPO(
        "MlpPolicy",
        cases.make(INLINING),
        device="cpu",
        policy_kwargs={"features_extractor_class": Curious},
    )
    with pytest.raises(ExportError, match="extractor is a Curious"):
        from_sb3(model)


def labels(seen: Seen, actions: int) -> NDArray[np.int64]:
    """Something to learn of each decision."""
    rows = signed_log(seen.observations).astype(np.float64)
    scores = rows @ np.random.default_rng(2).normal(size=(rows.shape[1], actions))
    scores -= np.median(scores, axis=0)
    if seen.masks is not None:
        scores = np.where(seen.masks, scores, -np.inf)
    return np.asarray(scores.argmax(axis=1), np.int64)


def estimators() -> dict[str, Any]:
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.linear_model import LogisticRegression, RidgeClassifier
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, StandardScaler

    return {
        "trees": HistGradientBoostingClassifier(max_iter=4, min_samples_leaf=2),
        "logistic": make_pipeline(
            FunctionTransformer(signed_log),
            StandardScaler(),
            LogisticRegression(max_iter=2000),
        ),
        "ridge": make_pipeline(MinMaxScaler(), RidgeClassifier()),
        "mlp": make_pipeline(
            StandardScaler(),
            MLPClassifier((16, 8), activation="tanh", max_iter=50, random_state=0),
        ),
    }


pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.mark.parametrize("name", ["trees", "logistic", "ridge", "mlp"])
@pytest.mark.parametrize("env_id", [INLINING, EVICTION])
def test_sklearn_classifiers(cases: Cases, env_id: str, name: str) -> None:
    pytest.importorskip("sklearn")
    env, seen = cases.make(env_id), cases.seen(env_id)
    actions = int(env.action_space.n)  # type: ignore[attr-defined]
    rows = seen.observations.astype(np.float64)
    known = labels(seen, actions)
    estimator = estimators()[name].fit(rows, known)
    policy = from_sklearn(estimator, env)
    # A mask is the environment's; the classifier by itself has none.
    decided = policy.decide(seen.observations)
    assert decided.actions.tolist() == estimator.predict(rows).tolist()
    if name != "ridge":
        probabilities = estimator.predict_proba(rows).max(axis=1)
        np.testing.assert_allclose(
            decided.log_probabilities, np.log(probabilities), atol=1e-5
        )
    assert len(set(decided.actions.tolist())) > 1


@pytest.mark.parametrize("name", ["trees", "linear", "ridge", "mlp"])
def test_sklearn_regressors(cases: Cases, name: str) -> None:
    pytest.importorskip("sklearn")
    from sklearn.ensemble import HistGradientBoostingRegressor
    from sklearn.linear_model import LinearRegression, Ridge
    from sklearn.neural_network import MLPRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    env, seen = cases.make(PRIORITY), cases.seen(PRIORITY)
    rows = seen.observations.astype(np.float64)
    target = 1 + signed_log(rows).sum(axis=1) ** 2
    estimator: Any = {
        "trees": HistGradientBoostingRegressor(max_iter=30, min_samples_leaf=2),
        "linear": make_pipeline(StandardScaler(), LinearRegression()),
        "ridge": make_pipeline(StandardScaler(), Ridge()),
        "mlp": make_pipeline(
            StandardScaler(),
            MLPRegressor(
                hidden_layer_sizes=(16,), solver="lbfgs", max_iter=200, random_state=0
            ),
        ),
    }[name]
    with np.errstate(all="ignore"):
        estimator.fit(rows, target)
    expected = estimator.predict(rows)
    outputs = from_sklearn(estimator, env).outputs(seen.observations)[:, 0]
    if name == "trees":
        assert outputs.tolist() == expected.tolist()
    np.testing.assert_allclose(outputs, expected, rtol=1e-4, atol=1e-3)


def test_sklearn_names_what_it_does_not_know(cases: Cases) -> None:
    pytest.importorskip("sklearn")
    from sklearn.ensemble import HistGradientBoostingRegressor
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import PolynomialFeatures
    from sklearn.svm import SVC

    env, seen = cases.make(INLINING), cases.seen(INLINING)
    rows, known = seen.observations, labels(seen, 2)
    with pytest.raises(ExportError, match="SVC is an estimator"):
        from_sklearn(SVC().fit(rows, known), env)
    with pytest.raises(ExportError, match="classes"):
        from_sklearn(
            LogisticRegression(max_iter=1).fit(signed_log(rows) / 9, known + 1), env
        )
    poisson = HistGradientBoostingRegressor(loss="poisson", max_iter=2)
    with pytest.raises(ExportError, match="loss 'poisson'"):
        from_sklearn(poisson.fit(rows, known), env)
    pipeline = make_pipeline(PolynomialFeatures(), LogisticRegression(max_iter=1))
    pipeline.fit(np.zeros((4, 38)), [0, 1, 0, 1])
    with pytest.raises(ExportError, match="polynomialfeatures is a PolynomialFeatures"):
        from_sklearn(pipeline, env)


def run_onnx(model: Any, rows: NDArray[Any]) -> NDArray[Any]:
    import os

    # It is read when the library is imported.
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    made: NDArray[Any] = session.run(None, {session.get_inputs()[0].name: rows})[0]
    return made


def onnx_network(softmax: bool = True, **changes: Any) -> Any:
    """Clip, normalise, two layers (one Gemm, one MatMul and Add), and a softmax."""
    onnx = pytest.importorskip("onnx")
    helper = onnx.helper
    rng = np.random.default_rng(0)

    def constant(name: str, value: NDArray[Any]) -> Any:
        return onnx.numpy_helper.from_array(np.asarray(value, np.float32), name)

    nodes = [
        helper.make_node("Clip", ["x", "low", "high"], ["clipped"]),
        helper.make_node("Sub", ["clipped", "mean"], ["centred"]),
        helper.make_node("Div", ["centred", "deviation"], ["normal"]),
        helper.make_node("Gemm", ["normal", "w0", "b0"], ["h0"], transB=1, alpha=0.5),
        helper.make_node(changes.get("activation", "Tanh"), ["h0"], ["a0"]),
        helper.make_node("MatMul", ["a0", "w1"], ["h1"]),
        helper.make_node("Add", ["b1", "h1"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["p"]),
    ]
    output = "p" if softmax else "logits"
    shape = ["batch", 38]
    graph = helper.make_graph(
        nodes if softmax else nodes[:-1],
        "policy",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(output, onnx.TensorProto.FLOAT, ["batch", 2])],
        [
            constant("low", np.array(-50)),
            constant("high", np.array(100)),
            constant("mean", rng.normal(size=38)),
            constant("deviation", 1 + rng.uniform(size=38)),
            constant("w0", rng.normal(size=(16, 38)) / 20),
            constant("b0", rng.normal(size=16)),
            constant("w1", rng.normal(size=(16, 2))),
            constant("b1", rng.normal(size=2) + changes.get("shift", 0)),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    onnx.checker.check_model(model)
    return model


@pytest.mark.parametrize("softmax", [False, True])
def test_onnx(cases: Cases, softmax: bool) -> None:
    pytest.importorskip("onnxruntime")
    env, seen = cases.make(INLINING), cases.seen(INLINING)
    made = run_onnx(onnx_network(softmax=False), seen.observations)
    model = onnx_network(softmax, shift=-np.median(made, axis=0))
    policy = from_onnx(model, env)
    made = run_onnx(model, seen.observations)
    check_same(policy, seen, np.log(made) if softmax else made)
    assert len(set(policy.decide(seen.observations).actions.tolist())) == 2


def test_onnx_of_torch(cases: Cases, tmp_path: Any) -> None:
    pytest.importorskip("onnxruntime")
    onnx = pytest.importorskip("onnx")
    env = SignedLogObservation(cases.make(EVICTION))
    seen = cases.seen(EVICTION)
    size = seen.observations.shape[1]
    network = sequential(size, 33, nn.ReLU)
    path = tmp_path / "network.onnx"
    torch.onnx.export(
        network,
        (torch.zeros(1, size),),
        path,
        dynamo=False,
        dynamic_axes={"x": {0: "batch"}},
        input_names=["x"],
    )
    policy = from_onnx(path, env)
    logits = run_onnx(onnx.load(path), signed_log(seen.observations))
    check_same(policy, seen, logits)


def test_onnx_names_the_node(cases: Cases) -> None:
    env = cases.make(INLINING)
    with pytest.raises(ExportError, match="node a0 is a Sigmoid"):
        from_onnx(onnx_network(activation="Sigmoid"), env)
    model = onnx_network()
    model.graph.node[4].input[0] = "normal"
    model.graph.node[6].input[0] = "h0"
    with pytest.raises(ExportError, match="node logits, a Add, depends on the input"):
        from_onnx(model, env)
