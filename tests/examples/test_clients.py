# SPDX-License-Identifier: Apache-2.0
"""Clients in other languages, of the .proto alone."""

import shutil
import subprocess
from pathlib import Path

import pytest
from support.samples import CALLS, alternate, run
from support.servers import ServerProcess

ROOT = Path(__file__).parents[2]
PROTO = "mlcompiler_gym/v1/compiler_service"
#: What each of these comes with.
PACKAGES = {
    "protoc": "protobuf-compiler",
    "grpc_cpp_plugin": "protobuf-compiler-grpc",
    "pkg-config": "pkg-config",
}


def call(*command: str | Path, folder: Path | None = None) -> str:
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=folder
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The client in C++, built as its first lines say."""
    for tool, package in PACKAGES.items():
        assert shutil.which(tool), f"no {tool}: `apt-get install {package}` brings it"
    header = Path("/usr/include/grpcpp/grpcpp.h")
    assert header.exists(), "no gRPC for C++: `apt-get install libgrpc++-dev` brings it"
    build = tmp_path_factory.mktemp("client")
    plugin = f"--plugin=protoc-gen-grpc={shutil.which('grpc_cpp_plugin')}"
    outputs = (f"--cpp_out={build}", f"--grpc_out={build}")
    call(
        "protoc",
        "-I",
        ROOT / "protos",
        *outputs,
        plugin,
        f"{ROOT}/protos/{PROTO}.proto",
    )
    program = build / "inlining"
    flags = ["-std=c++17", "-Wall", "-Wextra", "-Werror", "-I."]
    flags += call("pkg-config", "--cflags", "grpc++", "protobuf").split()
    client = ROOT / "examples/clients/inlining.cpp"
    objects = []
    for source in (f"{PROTO}.pb.cc", f"{PROTO}.grpc.pb.cc", client):
        objects.append(f"{Path(source).name}.o")
        # In a folder that is another each time, of which the cache is to know nothing.
        command = ("env", "CCACHE_NOHASHDIR=1", "ccache", "clang++-22", *flags)
        call(*command, "-c", source, "-o", objects[-1], folder=build)
    libraries = call("pkg-config", "--libs", "grpc++", "protobuf").split()
    call("clang++-22", *objects, *libraries, "-o", program, folder=build)
    return program


def test_a_client_in_cpp_gets_the_same_object(client: Path, tmp_path: Path) -> None:
    source = (ROOT / "examples/clients/inlining.cpp").read_text()
    assert len(source.splitlines()) < 120
    program, compiled = tmp_path / "calls.ll", tmp_path / "calls.o"
    program.write_bytes(CALLS.bitcode)
    with ServerProcess(tmp_path) as server:
        address = f"127.0.0.1:{server.port}"
        said = call(client, address, program, compiled)
        ours = server.service()
        expected = run(ours, policy=alternate)
        ours.close()
        absent = subprocess.run(
            [client, address, tmp_path / "absent", compiled],
            capture_output=True,
            text=True,
            check=False,
        )
    assert compiled.read_bytes() == expected.object_code
    assert said.startswith(f"{len(expected.actions)} decisions, text_size ")
    assert absent.returncode == 1
    assert "cannot read" in absent.stderr
