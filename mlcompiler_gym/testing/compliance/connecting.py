# SPDX-License-Identifier: Apache-2.0
"""What any transport owes its client before a session is open."""

import hashlib
import time
from collections import Counter

import pytest

from mlcompiler_gym.client import Service
from mlcompiler_gym.testing.samples import (
    CALLS,
    NO_CALLS,
    assert_over,
    fails,
    finish,
    inlining,
    ir_program,
    pack,
    upload,
)
from mlcompiler_gym.v1 import compiler_service_pb2 as pb

DESCRIBE = pb.Request(describe=pb.Describe())
FLOAT32, INT64 = pb.FLOAT32, pb.INT64


def tensor_bytes(spec: pb.TensorSpec) -> int:
    size = {FLOAT32: 4, INT64: 8}[spec.dtype]
    for dimension in spec.shape:
        size *= dimension
    return size


# -- Describe ----------------------------------------------------------------


def test_describe_names_versions_and_targets(service_under_test: Service) -> None:
    reply = service_under_test.describe()
    assert reply.version
    assert reply.protocol == pb.PROTOCOL_CURRENT
    assert reply.llvm_version.startswith("22.")
    assert {"x86-64", "aarch64"} <= set(reply.targets)
    assert list(reply.targets) == sorted(set(reply.targets))


def test_everything_described_is_sorted_and_documented(
    service_under_test: Service,
) -> None:
    reply = service_under_test.describe()
    for entries in (reply.tasks, reply.objectives, reply.observations):
        names = [entry.name for entry in entries]
        assert names
        assert names == sorted(set(names))
        for entry in entries:
            assert len(entry.doc) > 10, f"{entry.name} has no doc"
    for task in reply.tasks:
        assert task.default_pipeline
        assert task.default_objective in {o.name for o in reply.objectives}
        for option in task.options:
            assert len(option.doc) > 10
            assert option.default_value


def test_observations_say_what_they_are_of(service_under_test: Service) -> None:
    for observation in service_under_test.describe().observations:
        assert observation.media in {"bytes", "json", "tensors", "text"}
        assert bool(observation.tensors) == (observation.media == "tensors")
        assert "module" in observation.scopes
        assert set(observation.scopes) <= {"module", "function", "loop", "callsite"}
        for tensor in observation.tensors:
            assert tensor.name
            assert tensor.dtype in {pb.INT64, pb.FLOAT32}
            assert tensor.low < tensor.high
            assert all(size == -1 or size > 0 for size in tensor.shape)
            assert len(tensor.doc) > 10


def test_a_task_is_described_as_its_options_make_it(
    service_under_test: Service,
) -> None:
    two = {"actions": "sroa\nearly-cse,dce", "repeats": "false"}
    spec = service_under_test.describe_task("pass_ordering", two)
    assert list(spec.action.meanings) == ["sroa", "early-cse,dce"]
    assert (spec.action.tensor.low, spec.action.tensor.high) == (0, 1)
    assert spec.action.mask == spec.features[0].name
    assert list(spec.features[0].shape) == [2]
    every = service_under_test.describe_task("pass_ordering", {})
    assert len(every.action.meanings) > 100
    assert not every.features


@pytest.mark.parametrize(
    ("task", "options", "message"),
    [
        ("nonsense", {}, "unknown task 'nonsense'"),
        ("inlining", {"nonsense": "1"}, "has no option 'nonsense'"),
        ("pass_ordering", {"repeats": "maybe"}, "true or false, not 'maybe'"),
        ("pass_ordering", {"actions": "\n"}, "no pipeline to choose among"),
    ],
)
def test_what_is_no_task_or_option_is_refused(
    service_under_test: Service, task: str, options: dict[str, str], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        service_under_test.describe_task(task, options)
    service_under_test.describe()


def test_every_tensor_says_what_it_is(service_under_test: Service) -> None:
    for task in service_under_test.describe().tasks:
        options = {option.name for option in task.options}
        names = [feature.name for feature in task.features]
        assert len(names) == len(set(names))
        for tensor in [task.action.tensor, *task.features]:
            where = f"{task.name}.{tensor.name}"
            assert tensor.name, where
            assert len(tensor.doc) > 5, where
            assert tensor.dtype in (FLOAT32, INT64), where
            assert tensor.shape, where
            assert all(dimension > 0 for dimension in tensor.shape), where
            assert tensor.low < tensor.high, where
            assert not tensor.option or tensor.option in options, where
        if task.action.meanings:
            assert tensor_bytes(task.action.tensor) == 8
            assert task.action.tensor.low == 0
            assert task.action.tensor.high == len(task.action.meanings) - 1
            assert not task.action.choices
        names = [choice.name for choice in task.action.choices]
        assert len(names) == len(set(names))
        for choice in task.action.choices:
            assert tensor_bytes(task.action.tensor) == 8 * len(names)
            assert len(choice.doc) > 5, choice.name
            assert 2 <= len(choice.meanings) <= task.action.tensor.high + 1


def test_features_are_as_long_as_described(service_under_test: Service) -> None:
    task = next(t for t in service_under_test.describe().tasks if t.name == "inlining")
    always = sum(tensor_bytes(f) for f in task.features if not f.option)
    extra: Counter[str] = Counter()
    for feature in task.features:
        if feature.option:
            extra[feature.option] += tensor_bytes(feature)
    for option, more in {"": 0, **extra}.items():
        options = [pb.Option(name=option, value="true")] if option else []
        session = service_under_test.open(inlining(options=options), CALLS)
        assert len(session.opened.state.features) == always + more
        session.close()


# -- Requests before Open ----------------------------------------------------


@pytest.mark.parametrize(
    "request_",
    [
        pb.Request(step=pb.Step(actions=pack(0))),
        pb.Request(observe=pb.Observe(names=["ir"])),
        pb.Request(measure=pb.Measure(objectives=["text_size"])),
        pb.Request(emit=pb.Emit(format=pb.Emit.OBJECT)),
        pb.Request(),
    ],
    ids=["step", "observe", "measure", "emit", "empty"],
)
def test_a_session_is_needed_first(
    service_under_test: Service, request_: pb.Request
) -> None:
    stream = service_under_test.connect()
    with fails("FAILED_PRECONDITION", "no open session", ended=False):
        stream.call(request_)
    assert stream.call(DESCRIBE).describe.tasks
    stream.close()


def test_fork_needs_a_session(service_under_test: Service) -> None:
    stream = service_under_test.connect()
    with fails("FAILED_PRECONDITION", ended=False):
        stream.fork()
    assert stream.call(DESCRIBE).describe.tasks
    stream.close()


def test_close_before_open_ends_the_stream(service_under_test: Service) -> None:
    stream = service_under_test.connect()
    assert stream.call(pb.Request(close=pb.Close())).HasField("close")
    assert_over(stream)


def test_what_is_not_a_message_ends_the_stream(service_under_test: Service) -> None:
    stream = service_under_test.connect()
    with fails("MALFORMED_REQUEST", ended=True):
        stream.send(b"\xff\xff\xff\xff")
        stream.receive()
    with fails("SESSION_LOST"):
        stream.call(DESCRIBE)
    # Other streams lose nothing.
    other = service_under_test.connect()
    assert other.call(DESCRIBE).describe.tasks
    other.close()


def test_not_found_then_upload_then_open(service_under_test: Service) -> None:
    stream = service_under_test.connect()
    request = pb.Request(open=inlining(program_sha256=CALLS.sha256))
    with fails("NOT_FOUND", CALLS.sha256.hex(), "upload", ended=False):
        stream.call(request)
    assert upload(stream, CALLS) == CALLS.sha256
    reply = stream.call(request)
    assert reply.open.state.HasField("features")
    assert reply.open.pid > 0
    finish(stream, reply.open.state, lambda _: 0)
    stream.close()


def test_a_hash_of_the_wrong_length_is_not_found(service_under_test: Service) -> None:
    stream = service_under_test.connect()
    with fails("NOT_FOUND", ended=False):
        stream.call(pb.Request(open=inlining(program_sha256=b"short")))
    stream.close()


def test_a_program_is_known_to_every_stream(service_under_test: Service) -> None:
    first = service_under_test.connect()
    upload(first, CALLS)
    first.close()
    second = service_under_test.connect()
    request = pb.Request(open=inlining(program_sha256=CALLS.sha256))
    assert second.call(request).HasField("open")
    second.close()


def test_a_large_program_is_uploaded_whole(service_under_test: Service) -> None:
    # Comments make a program large without making it slow to compile.
    text = NO_CALLS + "; padding\n" * (1 << 20)
    program = ir_program(text)
    stream = service_under_test.connect()
    assert upload(stream, program) == hashlib.sha256(text.encode()).digest()
    request = pb.Request(open=inlining(program_sha256=program.sha256))
    assert stream.call(request).open.state.HasField("outcome")
    stream.close()


# -- Order -------------------------------------------------------------------


def test_each_of_many_requests_gets_its_reply_in_order(
    service_under_test: Service,
) -> None:
    stream = service_under_test.connect()
    requests = [
        pb.Request(describe=pb.Describe()),
        pb.Request(upload=pb.Upload(program=CALLS.bitcode)),
        pb.Request(open=inlining(program_sha256=CALLS.sha256)),
        pb.Request(step=pb.Step(actions=pack(0))),
        pb.Request(observe=pb.Observe(names=["decisions"])),
        pb.Request(step=pb.Step(actions=pack(1, 0))),
        pb.Request(measure=pb.Measure(objectives=["ir_instructions"])),
        pb.Request(emit=pb.Emit(format=pb.Emit.BITCODE)),
        pb.Request(step=pb.Step(actions=pack(0, 0, 0, 0, 0))),
        pb.Request(close=pb.Close()),
    ]
    for request in requests:
        stream.send(request.SerializeToString())
    # So that the replies of several have arrived before the first is read.
    time.sleep(0.3)
    for request in requests:
        reply = stream.receive()
        assert reply.WhichOneof("reply") == request.WhichOneof("request")
        if reply.HasField("step"):
            last = reply.step
    assert last.decisions == 8
    assert last.HasField("outcome")
    assert_over(stream)


def test_an_error_takes_its_place_among_the_replies(
    service_under_test: Service,
) -> None:
    stream = service_under_test.connect()
    for request in (
        pb.Request(step=pb.Step(actions=pack(0))),
        DESCRIBE,
        pb.Request(open=inlining(program_sha256=CALLS.sha256)),
        DESCRIBE,
    ):
        stream.send(request.SerializeToString())
    with fails("FAILED_PRECONDITION"):
        stream.receive()
    assert stream.receive().HasField("describe")
    with fails("NOT_FOUND"):
        stream.receive()
    assert stream.receive().HasField("describe")
    stream.close()


def test_replies_wait_for_a_slow_reader(service_under_test: Service) -> None:
    # Far more bytes of replies than a socket holds.
    stream = service_under_test.connect()
    count = 200
    for _ in range(count):
        stream.send(DESCRIBE.SerializeToString())
    # Meanwhile others are served.
    other = service_under_test.connect()
    assert other.call(DESCRIBE).describe.tasks
    other.close()
    for _ in range(count):
        assert stream.receive().describe.tasks
    stream.close()


def test_streams_are_independent(service_under_test: Service) -> None:
    streams = [service_under_test.connect() for _ in range(10)]
    for stream in streams:
        stream.send(DESCRIBE.SerializeToString())
    for stream in reversed(streams):
        assert stream.receive().describe.tasks
        stream.close()
