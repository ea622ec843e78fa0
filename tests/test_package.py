# SPDX-License-Identifier: Apache-2.0
"""The package as Python sees it: what importing it costs, names, errors."""

import importlib.metadata
import inspect
import json
import pickle
import subprocess
import sys

import pytest

import mlcompiler_gym
from mlcompiler_gym import errors
from mlcompiler_gym.client.session import raise_for_error
from mlcompiler_gym.envs import errors as env_errors
from mlcompiler_gym.errors import (
    CompilerCrashedError,
    ErrorCode,
    MLCompilerGymError,
    ServiceError,
)
from mlcompiler_gym.v1 import compiler_service_pb2 as pb


def python(code: str) -> str:
    """What a fresh interpreter prints."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode().strip()


def test_importing_the_package_imports_nothing_heavy() -> None:
    loaded = python(
        "import sys, mlcompiler_gym\nprint(*{m.split('.')[0] for m in sys.modules})"
    ).split()
    assert "mlcompiler_gym" in loaded
    heavy = {"torch", "stable_baselines3", "grpc", "ray", "matplotlib", "google"}
    # A compiler driver has no use for them, and is started for each file of a build.
    heavy |= {"gymnasium", "numpy"}
    assert sorted(heavy & set(loaded)) == []


def test_making_an_environment_imports_no_learning_library() -> None:
    loaded = python(
        "import sys, mlcompiler_gym as m\n"
        "env = m.InliningEnv(programs='kernels/lz')\n"
        "env.reset(); env.step(0); env.close()\n"
        "print(*{m.split('.')[0] for m in sys.modules})"
    ).split()
    assert "gymnasium" in loaded
    assert not {"torch", "stable_baselines3", "grpc", "ray"} & set(loaded)


@pytest.mark.parametrize(
    ("imports", "prefix"),
    [
        ("import gymnasium, mlcompiler_gym", ""),
        ("import mlcompiler_gym, gymnasium", ""),
        ("import mlcompiler_gym.envs, gymnasium", ""),
        ("from mlcompiler_gym import InliningEnv; import gymnasium", ""),
        ("import mlcompiler_gym, gymnasium.envs.registration", ""),
        # To look whether a module is there is not to import it.
        (
            "import importlib.util, mlcompiler_gym\n"
            "assert importlib.util.find_spec('gymnasium')\n"
            "import gymnasium",
            "",
        ),
        # Gymnasium imports what stands before the colon.
        ("import gymnasium", "mlcompiler_gym:"),
    ],
)
def test_the_environments_are_registered(imports: str, prefix: str) -> None:
    code = (
        f"{imports}\n"
        f"name = '{prefix}mlcompiler/Inlining-v0'\n"
        "env = gymnasium.make(name, programs='kernels/lz')\n"
        "print(type(env).__name__)\n"
        "envs = gymnasium.make_vec(name, num_envs=2)\n"
        "print(type(envs).__name__)\n"
    )
    assert python(code).split() == ["InliningEnv", "CompilerVectorEnv"]


@pytest.mark.parametrize("name", mlcompiler_gym.__all__)
def test_public_names_exist_and_are_documented(name: str) -> None:
    value = getattr(mlcompiler_gym, name)
    assert name in dir(mlcompiler_gym)
    if inspect.isclass(value) or inspect.isfunction(value):
        assert inspect.getdoc(value)
        assert value.__doc__, "inherited from a base class"


@pytest.mark.parametrize(
    "name",
    [n for n in mlcompiler_gym.__all__ if inspect.isclass(getattr(mlcompiler_gym, n))],
)
def test_public_methods_are_documented(name: str) -> None:
    cls = getattr(mlcompiler_gym, name)
    own = {
        key: member
        for key, member in vars(cls).items()
        if not key.startswith("_")
        and (inspect.isfunction(member) or isinstance(member, property))
    }
    assert [key for key in own if not inspect.getdoc(getattr(cls, key))] == []


def test_unknown_names_are_attribute_errors() -> None:
    with pytest.raises(AttributeError, match="nonsuch"):
        mlcompiler_gym.nonsuch  # noqa: B018


ERRORS = [
    cls
    for module in (errors, env_errors)
    for cls in vars(module).values()
    if inspect.isclass(cls) and issubclass(cls, MLCompilerGymError)
]


@pytest.mark.parametrize("cls", ERRORS)
def test_every_error_is_exported(cls: type[MLCompilerGymError]) -> None:
    """Who is to catch an error needs to find it beside what raises it."""
    assert getattr(mlcompiler_gym, cls.__name__, None) is cls
    assert cls.__name__ in mlcompiler_gym.__all__


def full_service_error() -> ServiceError:
    return ServiceError.of(
        ErrorCode.CRASHED,
        "it crashed: ünïcode",
        session_ended=True,
        signal="SIGSEGV",
        pass_name="SROAPass on function f",
    )


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("with_note", [False, True])
def test_service_errors_pickle(protocol: int, with_note: bool) -> None:
    error = full_service_error()
    if with_note:
        # As test runners and task queues add them on the way between processes.
        error.add_note("in worker 3")
    again = pickle.loads(pickle.dumps(error, protocol))
    assert type(again) is CompilerCrashedError
    assert str(again) == str(error) == "CRASHED: it crashed: ünïcode"
    assert vars(again) == vars(error)
    # Pickling must not eat the original.
    assert error.code is again.code is ErrorCode.CRASHED
    assert error.code == "CRASHED"


def test_codes_are_those_of_the_protocol_and_the_clients_own() -> None:
    ours = {"SESSION_LOST", "NOT_MEASURED"}
    assert set(ErrorCode) == set(pb.ErrorCode.keys()) | ours
    assert json.dumps(ErrorCode.CRASHED) == '"CRASHED"'


#: Causes that a program may want to tell apart.
LEAVES = {
    "INVALID_ARGUMENT": errors.InvalidRequestError,
    "INVALID_PROGRAM": errors.InvalidProgramError,
    "DEADLINE_EXCEEDED": errors.DeadlineError,
    "OUT_OF_MEMORY": errors.CompilerMemoryError,
    "CRASHED": errors.CompilerCrashedError,
    "RESOURCE_EXHAUSTED": errors.ServiceLimitError,
    "BROKEN_MODULE": errors.BrokenModuleError,
    "SESSION_LOST": errors.SessionLostError,
}


@pytest.mark.parametrize("code", ErrorCode)
def test_each_code_has_its_class(code: ErrorCode) -> None:
    error = ServiceError.of(code, "what is wrong", signal="SIGSEGV")
    assert type(error) is LEAVES.get(code, ServiceError)
    assert (error.code, error.signal) == (code, "SIGSEGV")
    assert type(pickle.loads(pickle.dumps(error))) is type(error)


@pytest.mark.parametrize("number", [11, 4711])
def test_codes_on_the_wire(number: int) -> None:
    """One that a newer service may send has no name here."""
    reply = pb.Reply()
    reply.error.ParseFromString(pb.Error(code=number).SerializeToString())  # type: ignore[arg-type]
    with pytest.raises(ServiceError) as caught:
        raise_for_error(reply)
    known = {11: ErrorCode.BROKEN_MODULE}
    assert caught.value.code is known.get(number, ErrorCode.ERROR_CODE_UNSPECIFIED)


@pytest.mark.parametrize(
    "cls", [cls for cls in ERRORS if not issubclass(cls, ServiceError)]
)
def test_other_errors_pickle(cls: type[MLCompilerGymError]) -> None:
    error = cls("what is wrong")
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is cls
    assert "what is wrong" in str(again)
    assert str(again) == str(error)


def test_real_errors_pickle(service: mlcompiler_gym.LocalService) -> None:
    env = mlcompiler_gym.InliningEnv(
        programs="kernels/lz", cpu="x86-64", pipeline="nonsuch", service=service
    )
    with pytest.raises(errors.InvalidRequestError, match="nonsuch") as caught:
        env.reset()
    again = pickle.loads(pickle.dumps(caught.value))
    assert vars(again) == vars(caught.value)
    assert isinstance(again, ServiceError)
    assert again.code == "INVALID_ARGUMENT"


def test_version() -> None:
    installed = importlib.metadata.version("mlcompiler_gym")
    assert mlcompiler_gym.__version__ == installed


def test_the_service_is_of_the_same_version(
    service: mlcompiler_gym.LocalService,
) -> None:
    assert service.describe().version == mlcompiler_gym.__version__
    assert service.describe().llvm_version.startswith("22.")


def test_the_executable_can_be_overridden(
    monkeypatch: pytest.MonkeyPatch, service: mlcompiler_gym.LocalService
) -> None:
    monkeypatch.setenv("MLCOMPILER_GYM_SERVICE", "/nonsuch/service")
    with pytest.raises(
        mlcompiler_gym.ServiceUnavailableError, match="MLCOMPILER_GYM_SERVICE"
    ):
        service.describe()
    monkeypatch.delenv("MLCOMPILER_GYM_SERVICE")
    assert service.describe().tasks
