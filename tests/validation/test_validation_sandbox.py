# SPDX-License-Identifier: Apache-2.0
"""Programs that do what they should not, each ended in time, with nothing left."""

import errno
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from support import toolchain

from mlcompiler_gym import LocalService, MLCompilerGymError
from mlcompiler_gym.validation import Limits, Run, SandboxError, bubblewrap, link, run

#: Seconds that a program may go on after its time is up, on a busy machine.
_SLACK = 20.0

#: Enough for programs that start some; a fork bomb stops at it.
_MANY = 32 + (len(psutil.pids()) if os.getuid() else 0)

RunC = Callable[..., Run]


@pytest.fixture(params=["plain", "bubblewrap"], autouse=True)
def isolation(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Every test with and without bubblewrap."""
    if request.param == "plain":
        monkeypatch.setattr(bubblewrap, "prefix", lambda: ())
    elif not bubblewrap.prefix():
        pytest.skip("bubblewrap is not there, or may not make namespaces here")
    return str(request.param)


def is_of(process: psutil.Process, executable: Path) -> bool:
    """Whether it is the program, or the launcher that has it as an argument."""
    try:
        return str(executable) in (process.exe(), *process.cmdline())
    except psutil.Error:
        return False


@pytest.fixture
def run_c(tmp_path: Path) -> Iterator[RunC]:
    """``run_c(source, *arguments, limits…)``: what a C program does."""
    executable = tmp_path / "program-of-test"

    def compile_and_run(source: str, *arguments: str, **limits: float) -> Run:
        command = ("clang-22", "-O1", "-fPIE", "-w", "-x", "c", "-c", "-o", "-", "-")
        headers = "#include <stdio.h>\n#include <stdlib.h>\n#include <unistd.h>\n"
        headers += "#include <signal.h>\n#include <string.h>\n"
        link(toolchain.run(*command, data=(headers + source).encode()), executable)
        limits.setdefault("wall_seconds", 60)
        began = time.monotonic()
        done = run(executable, arguments, Limits(**limits))  # type: ignore[arg-type]
        assert time.monotonic() - began < limits["wall_seconds"] + _SLACK
        return done

    yield compile_and_run
    left = [process for process in psutil.process_iter() if is_of(process, executable)]
    # What is killed takes a moment to be gone.
    _, left = psutil.wait_procs(left, timeout=_SLACK)
    assert not left, f"{left} outlive their run"


def main_of(body: str) -> str:
    return "int main(int argc, char **argv) {" + body + "}"


def test_output_and_status(run_c: RunC) -> None:
    source = main_of('printf("%d %s\\n", argc, argv[2]); return argc;')
    assert run_c(source, "a b", "") == Run(b"3 \n", status=3)
    assert run_c(main_of("return 0;")) == Run(b"", status=0)


def test_standard_error_is_output(run_c: RunC) -> None:
    assert run_c(main_of('fputs("wrong\\n", stderr);')) == Run(b"wrong\n", status=0)


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ("abort();", "SIGABRT"),
        ("volatile int *p = 0; *p = 1;", "SIGSEGV"),
        ("__builtin_trap();", "SIGILL"),
        ("raise(SIGKILL);", "SIGKILL"),
        ("raise(SIGPIPE);", "SIGPIPE"),
        ("raise(40);", "signal 40"),
    ],
)
def test_signals(run_c: RunC, body: str, name: str) -> None:
    source = main_of('printf("before\\n"); fflush(stdout);' + body)
    assert run_c(source) == Run(b"before\n", signal=name)


def test_a_status_like_that_of_a_signal(run_c: RunC) -> None:
    assert run_c(main_of("return 139;")) == Run(b"", status=139)


def test_an_empty_world(run_c: RunC) -> None:
    source = (
        "#include <dirent.h>\n#include <fcntl.h>\nextern char **environ;\n"
        + main_of(
            """
        for (char **e = environ; *e; e++) puts(*e);
        printf("stdin %d\\n", getchar());
        DIR *folder = opendir(".");
        for (struct dirent *e; (e = readdir(folder));)
          if (e->d_name[0] != '.') puts(e->d_name);
        for (int fd = 3; fd < 64; fd++)
          if (fd != dirfd(folder) && fcntl(fd, F_GETFD) >= 0)
            printf("descriptor %d\\n", fd);
        printf("group %d\\n", getpgrp() == getpid());
        """
        )
    )
    printed = run_c(source).output.decode().splitlines()
    assert printed == ["LC_ALL=C", "TZ=UTC", "stdin -1", "group 1"]


def test_a_folder_to_write_in() -> None:
    script = 'echo kept > "$PWD/file" && read -r line < file && echo "$line" && pwd'
    limits = Limits(file_bytes=100)
    done = run(Path("/bin/sh"), ["-c", script], limits, writable=True)
    kept, folder = done.output.decode().split()
    assert (kept, done.status) == ("kept", 0)
    assert not Path(folder).exists()


def test_not_as_root(run_c: RunC) -> None:
    done = run_c(main_of('printf("%d", getuid());'))
    assert int(done.output) == (os.geteuid() or 65534)


def test_an_endless_loop(run_c: RunC) -> None:
    source = main_of('puts("on"); fflush(stdout); for (volatile int i = 0;;) i++;')
    assert run_c(source, cpu_seconds=1) == Run(b"", timed_out=True)
    assert run_c(source, wall_seconds=0.5) == Run(b"", timed_out=True)


def test_sleep(run_c: RunC) -> None:
    assert run_c(main_of("sleep(1000);"), wall_seconds=0.5) == Run(b"", timed_out=True)


def test_one_that_ignores_signals(run_c: RunC) -> None:
    source = main_of(
        "for (int i = 1; i < 65; i++) signal(i, SIG_IGN); for (volatile int i = 0;;);"
    )
    assert run_c(source, cpu_seconds=1) == Run(b"", timed_out=True)
    assert run_c(source, wall_seconds=0.5) == Run(b"", timed_out=True)


def test_endless_output(run_c: RunC) -> None:
    done = run_c(main_of('for (;;) puts("more");'), output_bytes=1000)
    assert done == Run(b"more\n" * 200, truncated=True)


def test_as_much_output_as_allowed(run_c: RunC) -> None:
    source = main_of("for (int i = atoi(argv[1]); i--;) putchar('x');")
    assert run_c(source, "100000", output_bytes=100000) == Run(b"x" * 100000, status=0)
    cut = Run(b"x" * 100000, truncated=True)
    assert run_c(source, "100001", output_bytes=100000) == cut


def test_one_that_closes_its_output(run_c: RunC) -> None:
    source = main_of("close(1); close(2); usleep(200000); return 5;")
    assert run_c(source) == Run(b"", status=5)
    source = main_of("close(1); close(2); for (;;) pause();")
    assert run_c(source, wall_seconds=0.5) == Run(b"", timed_out=True)


def test_memory(run_c: RunC) -> None:
    source = main_of("void *volatile p = malloc(1 << 30); return p == 0;")
    assert run_c(source, memory_bytes=1 << 28).status == 1
    assert run_c(source, memory_bytes=1 << 31).status == 0


def test_files(run_c: RunC, isolation: str) -> None:
    source = main_of(
        """
        FILE *f = fopen("file", "w");
        if (!f) return 7;
        fputs("text", f);
        return fclose(f);
        """
    )
    expected = Run(b"", signal="SIGXFSZ")
    if isolation == "bubblewrap" or os.geteuid() == 0:
        expected = Run(b"", status=7)  # not even opened
    assert run_c(source) == expected


def test_the_file_system_is_read_only(run_c: RunC, isolation: str) -> None:
    # Not in tmp_path, whose parents another user may not enter.
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o777)
        victim = Path(folder, "victim")
        victim.write_text("text")
        victim.chmod(0o666)
        source = """
            #include <errno.h>
            int main(int argc, char **argv) { return unlink(argv[1]) ? errno : 0; }
        """
        done = run_c(source, str(victim))
        if isolation == "bubblewrap":
            assert done == Run(b"", status=errno.EROFS)
            assert victim.exists()
        else:
            # So it is bubblewrap that forbids it.
            assert done == Run(b"", status=0)
            assert not victim.exists()


def test_the_network_is_not_there(run_c: RunC, isolation: str) -> None:
    if isolation != "bubblewrap":
        pytest.skip("only bubblewrap can make it so")
    source = "#include <net/if.h>\n" + main_of(
        """
        struct if_nameindex *names = if_nameindex();
        for (int i = 0; names[i].if_index; i++) puts(names[i].if_name);
        """
    )
    assert run_c(source) == Run(b"lo\n", status=0)


def test_no_second_process(run_c: RunC) -> None:
    assert run_c(main_of("return fork() < 0;")) == Run(b"", status=1)


def test_a_fork_bomb(run_c: RunC) -> None:
    done = run_c(main_of("for (;;) fork();"), processes=_MANY, wall_seconds=1)
    assert done == Run(b"", timed_out=True)


@pytest.mark.parametrize(
    "body",
    [
        "for (;;) if (!fork()) setsid();",
        "for (;;) if (fork()) _exit(0); else setsid();",
        "if (!fork()) for (;;) if (!fork()) setsid();",
    ],
    ids=["grows", "moves on", "stays behind"],
)
def test_a_fork_bomb_that_leaves_its_group(
    run_c: RunC, isolation: str, body: str
) -> None:
    if isolation == "plain":
        pytest.skip("without a process namespace it is a race, which may be lost")
    run_c(main_of(body), processes=_MANY, wall_seconds=1)


@pytest.mark.parametrize("leave", ["", "setsid();"])
def test_a_child_that_holds_the_pipe(run_c: RunC, leave: str) -> None:
    source = main_of(
        f"""
        if (!fork()) {{
          {leave}
          signal(SIGTERM, SIG_IGN);
          signal(SIGHUP, SIG_IGN);
          if (!fork()) for (;;) pause();
          for (;;) pause();
        }}
        puts("done");
        return 4;
        """
    )
    began = time.monotonic()
    assert run_c(source, processes=_MANY, wall_seconds=300).status == 4
    assert time.monotonic() - began < _SLACK


def test_no_program(tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match="nonsuch"):
        run(tmp_path / "nonsuch")


def test_no_executable(tmp_path: Path) -> None:
    text = tmp_path / "text"
    text.write_text("text")
    text.chmod(0o755)
    with pytest.raises(SandboxError, match="could not be started"):
        run(text)


_NOEXEC = """
import sys
from pathlib import Path
from mlcompiler_gym.measuring import valgrind
from mlcompiler_gym.validation import Limits, SandboxError, run
for start in (run, lambda program: valgrind.count(program, (), Limits())):
    try:
        start(Path(sys.argv[1], "program"))
    except SandboxError as error:
        print(error)
"""


def test_a_folder_where_nothing_may_be_run(tmp_path: Path) -> None:
    """As hardened machines mount /tmp."""
    script = (
        'mount -t tmpfs -o noexec none "$1" && cp /bin/true "$1/program" && '
        'exec "$2" -c "$3" "$1"'
    )
    command = ["unshare", "--mount", "sh", "-c", script, "sh"]
    if os.geteuid() != 0:
        command.insert(1, "--map-root-user")
    done = subprocess.run(
        [*command, str(tmp_path), sys.executable, _NOEXEC],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    both = done.stdout.splitlines()
    assert len(both) == 2
    for said in both:
        assert f"run in {tmp_path}, " in said
        assert "noexec; set TMPDIR" in said


def test_no_descriptor_for_a_run(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    code = toolchain.run(
        *("clang-22", "-fPIE", "-x", "c", "-c", "-o", "-", "-"),
        data=b"int main(void) { return 0; }",
    )
    free = os.dup(0)
    os.close(free)
    bubblewrap.prefix()
    starts: list[Callable[[], object]] = [
        lambda: run(Path("/bin/true")),
        lambda: link(code, tmp_path / "program"),
        LocalService().connect,
    ]
    said = []
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (free, hard))
        for start in starts:
            try:
                start()
            except MLCompilerGymError as error:
                said.append(str(error))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    # pytest itself opens files, so not before now.
    assert len(said) == len(starts)
    for message in said:
        assert f"as it may, {free} " in message
        assert f"`ulimit -n {hard}`" in message
    assert run(Path("/bin/true")) == Run(b"", status=0)


def test_an_argument_that_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match="null byte"):
        run(tmp_path / "program", ["a\0b"])


def test_no_descriptor_is_left(run_c: RunC) -> None:
    run_c(main_of("return 0;"))
    before = os.listdir("/proc/self/fd")
    for _ in range(3):
        run_c(main_of("for (;;);"), wall_seconds=0.2)
        run_c(main_of("return 0;"))
    assert len(os.listdir("/proc/self/fd")) == len(before)
