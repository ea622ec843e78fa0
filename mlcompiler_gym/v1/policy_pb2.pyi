from mlcompiler_gym.v1 import compiler_service_pb2 as _compiler_service_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Bernoulli(_message.Message):
    __slots__ = []
    def __init__(self) -> None: ...

class Card(_message.Message):
    __slots__ = ["author", "command", "method", "notes", "programs", "results", "seeds", "seen"]
    AUTHOR_FIELD_NUMBER: _ClassVar[int]
    COMMAND_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    NOTES_FIELD_NUMBER: _ClassVar[int]
    PROGRAMS_FIELD_NUMBER: _ClassVar[int]
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    SEEDS_FIELD_NUMBER: _ClassVar[int]
    SEEN_FIELD_NUMBER: _ClassVar[int]
    author: str
    command: str
    method: str
    notes: str
    programs: _containers.RepeatedScalarFieldContainer[str]
    results: _containers.RepeatedCompositeFieldContainer[Result]
    seeds: _containers.RepeatedScalarFieldContainer[int]
    seen: _containers.RepeatedCompositeFieldContainer[Distribution]
    def __init__(self, author: _Optional[str] = ..., method: _Optional[str] = ..., command: _Optional[str] = ..., programs: _Optional[_Iterable[str]] = ..., seeds: _Optional[_Iterable[int]] = ..., results: _Optional[_Iterable[_Union[Result, _Mapping]]] = ..., notes: _Optional[str] = ..., seen: _Optional[_Iterable[_Union[Distribution, _Mapping]]] = ...) -> None: ...

class Categorical(_message.Message):
    __slots__ = []
    def __init__(self) -> None: ...

class Clip(_message.Message):
    __slots__ = ["high", "low"]
    HIGH_FIELD_NUMBER: _ClassVar[int]
    LOW_FIELD_NUMBER: _ClassVar[int]
    high: float
    low: float
    def __init__(self, low: _Optional[float] = ..., high: _Optional[float] = ...) -> None: ...

class Dense(_message.Message):
    __slots__ = ["activation", "biases", "outputs", "weights"]
    class Activation(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = []
    ACTIVATION_FIELD_NUMBER: _ClassVar[int]
    BIASES_FIELD_NUMBER: _ClassVar[int]
    IDENTITY: Dense.Activation
    OUTPUTS_FIELD_NUMBER: _ClassVar[int]
    RELU: Dense.Activation
    TANH: Dense.Activation
    WEIGHTS_FIELD_NUMBER: _ClassVar[int]
    activation: Dense.Activation
    biases: _containers.RepeatedScalarFieldContainer[float]
    outputs: int
    weights: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, outputs: _Optional[int] = ..., weights: _Optional[_Iterable[float]] = ..., biases: _Optional[_Iterable[float]] = ..., activation: _Optional[_Union[Dense.Activation, str]] = ...) -> None: ...

class Distribution(_message.Message):
    __slots__ = ["counts", "element", "ends", "feature"]
    COUNTS_FIELD_NUMBER: _ClassVar[int]
    ELEMENT_FIELD_NUMBER: _ClassVar[int]
    ENDS_FIELD_NUMBER: _ClassVar[int]
    FEATURE_FIELD_NUMBER: _ClassVar[int]
    counts: _containers.RepeatedScalarFieldContainer[int]
    element: int
    ends: _containers.RepeatedScalarFieldContainer[float]
    feature: str
    def __init__(self, feature: _Optional[str] = ..., element: _Optional[int] = ..., ends: _Optional[_Iterable[float]] = ..., counts: _Optional[_Iterable[int]] = ...) -> None: ...

class Input(_message.Message):
    __slots__ = ["elements", "feature", "transforms"]
    ELEMENTS_FIELD_NUMBER: _ClassVar[int]
    FEATURE_FIELD_NUMBER: _ClassVar[int]
    TRANSFORMS_FIELD_NUMBER: _ClassVar[int]
    elements: int
    feature: str
    transforms: _containers.RepeatedCompositeFieldContainer[Transform]
    def __init__(self, feature: _Optional[str] = ..., elements: _Optional[int] = ..., transforms: _Optional[_Iterable[_Union[Transform, _Mapping]]] = ...) -> None: ...

class Model(_message.Message):
    __slots__ = ["bernoulli", "categorical", "inputs", "network", "scalar", "trees"]
    BERNOULLI_FIELD_NUMBER: _ClassVar[int]
    CATEGORICAL_FIELD_NUMBER: _ClassVar[int]
    INPUTS_FIELD_NUMBER: _ClassVar[int]
    NETWORK_FIELD_NUMBER: _ClassVar[int]
    SCALAR_FIELD_NUMBER: _ClassVar[int]
    TREES_FIELD_NUMBER: _ClassVar[int]
    bernoulli: Bernoulli
    categorical: Categorical
    inputs: _containers.RepeatedCompositeFieldContainer[Input]
    network: Network
    scalar: Scalar
    trees: Trees
    def __init__(self, inputs: _Optional[_Iterable[_Union[Input, _Mapping]]] = ..., network: _Optional[_Union[Network, _Mapping]] = ..., trees: _Optional[_Union[Trees, _Mapping]] = ..., bernoulli: _Optional[_Union[Bernoulli, _Mapping]] = ..., categorical: _Optional[_Union[Categorical, _Mapping]] = ..., scalar: _Optional[_Union[Scalar, _Mapping]] = ...) -> None: ...

class Network(_message.Message):
    __slots__ = ["layers"]
    LAYERS_FIELD_NUMBER: _ClassVar[int]
    layers: _containers.RepeatedCompositeFieldContainer[Dense]
    def __init__(self, layers: _Optional[_Iterable[_Union[Dense, _Mapping]]] = ...) -> None: ...

class Policy(_message.Message):
    __slots__ = ["builtin", "card", "llvm_version", "model", "options", "task"]
    BUILTIN_FIELD_NUMBER: _ClassVar[int]
    CARD_FIELD_NUMBER: _ClassVar[int]
    LLVM_VERSION_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    TASK_FIELD_NUMBER: _ClassVar[int]
    builtin: str
    card: Card
    llvm_version: str
    model: Model
    options: _containers.RepeatedCompositeFieldContainer[_compiler_service_pb2.Option]
    task: str
    def __init__(self, task: _Optional[str] = ..., options: _Optional[_Iterable[_Union[_compiler_service_pb2.Option, _Mapping]]] = ..., llvm_version: _Optional[str] = ..., builtin: _Optional[str] = ..., model: _Optional[_Union[Model, _Mapping]] = ..., card: _Optional[_Union[Card, _Mapping]] = ...) -> None: ...

class Result(_message.Message):
    __slots__ = ["name", "value"]
    NAME_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    name: str
    value: float
    def __init__(self, name: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...

class Scalar(_message.Message):
    __slots__ = ["high", "log_deviation", "low"]
    HIGH_FIELD_NUMBER: _ClassVar[int]
    LOG_DEVIATION_FIELD_NUMBER: _ClassVar[int]
    LOW_FIELD_NUMBER: _ClassVar[int]
    high: float
    log_deviation: float
    low: float
    def __init__(self, low: _Optional[float] = ..., high: _Optional[float] = ..., log_deviation: _Optional[float] = ...) -> None: ...

class Scale(_message.Message):
    __slots__ = ["factor", "shift"]
    FACTOR_FIELD_NUMBER: _ClassVar[int]
    SHIFT_FIELD_NUMBER: _ClassVar[int]
    factor: _containers.RepeatedScalarFieldContainer[float]
    shift: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, shift: _Optional[_Iterable[float]] = ..., factor: _Optional[_Iterable[float]] = ...) -> None: ...

class SignedLog(_message.Message):
    __slots__ = []
    def __init__(self) -> None: ...

class Transform(_message.Message):
    __slots__ = ["clip", "scale", "signed_log"]
    CLIP_FIELD_NUMBER: _ClassVar[int]
    SCALE_FIELD_NUMBER: _ClassVar[int]
    SIGNED_LOG_FIELD_NUMBER: _ClassVar[int]
    clip: Clip
    scale: Scale
    signed_log: SignedLog
    def __init__(self, signed_log: _Optional[_Union[SignedLog, _Mapping]] = ..., scale: _Optional[_Union[Scale, _Mapping]] = ..., clip: _Optional[_Union[Clip, _Mapping]] = ...) -> None: ...

class Tree(_message.Message):
    __slots__ = ["input", "left", "output", "right", "threshold", "value"]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    LEFT_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    RIGHT_FIELD_NUMBER: _ClassVar[int]
    THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    input: _containers.RepeatedScalarFieldContainer[int]
    left: _containers.RepeatedScalarFieldContainer[int]
    output: int
    right: _containers.RepeatedScalarFieldContainer[int]
    threshold: _containers.RepeatedScalarFieldContainer[float]
    value: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, output: _Optional[int] = ..., input: _Optional[_Iterable[int]] = ..., threshold: _Optional[_Iterable[float]] = ..., left: _Optional[_Iterable[int]] = ..., right: _Optional[_Iterable[int]] = ..., value: _Optional[_Iterable[float]] = ...) -> None: ...

class Trees(_message.Message):
    __slots__ = ["base", "trees"]
    BASE_FIELD_NUMBER: _ClassVar[int]
    TREES_FIELD_NUMBER: _ClassVar[int]
    base: _containers.RepeatedScalarFieldContainer[float]
    trees: _containers.RepeatedCompositeFieldContainer[Tree]
    def __init__(self, base: _Optional[_Iterable[float]] = ..., trees: _Optional[_Iterable[_Union[Tree, _Mapping]]] = ...) -> None: ...
