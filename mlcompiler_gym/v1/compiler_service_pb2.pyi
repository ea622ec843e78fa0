from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

BROKEN_MODULE: ErrorCode
CRASHED: ErrorCode
DEADLINE_EXCEEDED: ErrorCode
DESCRIPTOR: _descriptor.FileDescriptor
DTYPE_UNSPECIFIED: DType
ERROR_CODE_UNSPECIFIED: ErrorCode
FAILED_PRECONDITION: ErrorCode
FLOAT32: DType
INT64: DType
INVALID_ACTION: ErrorCode
INVALID_ARGUMENT: ErrorCode
INVALID_PROGRAM: ErrorCode
MALFORMED_REQUEST: ErrorCode
NOT_FOUND: ErrorCode
OUT_OF_MEMORY: ErrorCode
PROTOCOL_CURRENT: Protocol
PROTOCOL_UNSPECIFIED: Protocol
RESOURCE_EXHAUSTED: ErrorCode

class ActionSpec(_message.Message):
    __slots__ = ["choices", "mask", "meanings", "tensor"]
    CHOICES_FIELD_NUMBER: _ClassVar[int]
    MASK_FIELD_NUMBER: _ClassVar[int]
    MEANINGS_FIELD_NUMBER: _ClassVar[int]
    TENSOR_FIELD_NUMBER: _ClassVar[int]
    choices: _containers.RepeatedCompositeFieldContainer[Choice]
    mask: str
    meanings: _containers.RepeatedScalarFieldContainer[str]
    tensor: TensorSpec
    def __init__(self, tensor: _Optional[_Union[TensorSpec, _Mapping]] = ..., meanings: _Optional[_Iterable[str]] = ..., mask: _Optional[str] = ..., choices: _Optional[_Iterable[_Union[Choice, _Mapping]]] = ...) -> None: ...

class Alternative(_message.Message):
    __slots__ = ["action", "error", "measurements", "object", "stopped"]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    MEASUREMENTS_FIELD_NUMBER: _ClassVar[int]
    OBJECT_FIELD_NUMBER: _ClassVar[int]
    STOPPED_FIELD_NUMBER: _ClassVar[int]
    action: bytes
    error: Error
    measurements: _containers.RepeatedCompositeFieldContainer[Measurement]
    object: bytes
    stopped: str
    def __init__(self, action: _Optional[bytes] = ..., measurements: _Optional[_Iterable[_Union[Measurement, _Mapping]]] = ..., error: _Optional[_Union[Error, _Mapping]] = ..., stopped: _Optional[str] = ..., object: _Optional[bytes] = ...) -> None: ...

class Attach(_message.Message):
    __slots__ = ["token"]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    token: bytes
    def __init__(self, token: _Optional[bytes] = ...) -> None: ...

class AttachReply(_message.Message):
    __slots__ = []
    def __init__(self) -> None: ...

class Choice(_message.Message):
    __slots__ = ["default_value", "doc", "meanings", "name"]
    DEFAULT_VALUE_FIELD_NUMBER: _ClassVar[int]
    DOC_FIELD_NUMBER: _ClassVar[int]
    MEANINGS_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    default_value: str
    doc: str
    meanings: _containers.RepeatedScalarFieldContainer[str]
    name: str
    def __init__(self, name: _Optional[str] = ..., doc: _Optional[str] = ..., meanings: _Optional[_Iterable[str]] = ..., default_value: _Optional[str] = ...) -> None: ...

class Close(_message.Message):
    __slots__ = []
    def __init__(self) -> None: ...

class CloseReply(_message.Message):
    __slots__ = []
    def __init__(self) -> None: ...

class CodeCache(_message.Message):
    __slots__ = ["bytes", "functions_found", "functions_generated", "whole_modules"]
    BYTES_FIELD_NUMBER: _ClassVar[int]
    FUNCTIONS_FOUND_FIELD_NUMBER: _ClassVar[int]
    FUNCTIONS_GENERATED_FIELD_NUMBER: _ClassVar[int]
    WHOLE_MODULES_FIELD_NUMBER: _ClassVar[int]
    bytes: int
    functions_found: int
    functions_generated: int
    whole_modules: int
    def __init__(self, bytes: _Optional[int] = ..., functions_found: _Optional[int] = ..., functions_generated: _Optional[int] = ..., whole_modules: _Optional[int] = ...) -> None: ...

class CodegenSettings(_message.Message):
    __slots__ = ["address_significance", "call_site_info", "data_sections", "function_sections", "tls_descriptors"]
    ADDRESS_SIGNIFICANCE_FIELD_NUMBER: _ClassVar[int]
    CALL_SITE_INFO_FIELD_NUMBER: _ClassVar[int]
    DATA_SECTIONS_FIELD_NUMBER: _ClassVar[int]
    FUNCTION_SECTIONS_FIELD_NUMBER: _ClassVar[int]
    TLS_DESCRIPTORS_FIELD_NUMBER: _ClassVar[int]
    address_significance: bool
    call_site_info: bool
    data_sections: bool
    function_sections: bool
    tls_descriptors: bool
    def __init__(self, function_sections: bool = ..., data_sections: bool = ..., address_significance: bool = ..., call_site_info: bool = ..., tls_descriptors: bool = ...) -> None: ...

class Describe(_message.Message):
    __slots__ = ["options", "task"]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    TASK_FIELD_NUMBER: _ClassVar[int]
    options: _containers.RepeatedCompositeFieldContainer[Option]
    task: str
    def __init__(self, task: _Optional[str] = ..., options: _Optional[_Iterable[_Union[Option, _Mapping]]] = ...) -> None: ...

class DescribeReply(_message.Message):
    __slots__ = ["code_cache", "llvm_version", "objectives", "observations", "protocol", "sandbox", "targets", "tasks", "version"]
    CODE_CACHE_FIELD_NUMBER: _ClassVar[int]
    LLVM_VERSION_FIELD_NUMBER: _ClassVar[int]
    OBJECTIVES_FIELD_NUMBER: _ClassVar[int]
    OBSERVATIONS_FIELD_NUMBER: _ClassVar[int]
    PROTOCOL_FIELD_NUMBER: _ClassVar[int]
    SANDBOX_FIELD_NUMBER: _ClassVar[int]
    TARGETS_FIELD_NUMBER: _ClassVar[int]
    TASKS_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    code_cache: CodeCache
    llvm_version: str
    objectives: _containers.RepeatedCompositeFieldContainer[ObjectiveSpec]
    observations: _containers.RepeatedCompositeFieldContainer[ObservationSpec]
    protocol: int
    sandbox: Sandbox
    targets: _containers.RepeatedScalarFieldContainer[str]
    tasks: _containers.RepeatedCompositeFieldContainer[TaskSpec]
    version: str
    def __init__(self, version: _Optional[str] = ..., llvm_version: _Optional[str] = ..., targets: _Optional[_Iterable[str]] = ..., tasks: _Optional[_Iterable[_Union[TaskSpec, _Mapping]]] = ..., objectives: _Optional[_Iterable[_Union[ObjectiveSpec, _Mapping]]] = ..., observations: _Optional[_Iterable[_Union[ObservationSpec, _Mapping]]] = ..., sandbox: _Optional[_Union[Sandbox, _Mapping]] = ..., protocol: _Optional[int] = ..., code_cache: _Optional[_Union[CodeCache, _Mapping]] = ...) -> None: ...

class Emit(_message.Message):
    __slots__ = ["format"]
    class Format(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = []
    ASSEMBLY: Emit.Format
    BITCODE: Emit.Format
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    FORMAT_UNSPECIFIED: Emit.Format
    OBJECT: Emit.Format
    format: Emit.Format
    def __init__(self, format: _Optional[_Union[Emit.Format, str]] = ...) -> None: ...

class EmitReply(_message.Message):
    __slots__ = ["data"]
    DATA_FIELD_NUMBER: _ClassVar[int]
    data: bytes
    def __init__(self, data: _Optional[bytes] = ...) -> None: ...

class Episode(_message.Message):
    __slots__ = ["error", "played"]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    PLAYED_FIELD_NUMBER: _ClassVar[int]
    error: Error
    played: PlayReply
    def __init__(self, played: _Optional[_Union[PlayReply, _Mapping]] = ..., error: _Optional[_Union[Error, _Mapping]] = ...) -> None: ...

class Error(_message.Message):
    __slots__ = ["code", "message", "session_ended", "signal"]
    CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    PASS_FIELD_NUMBER: _ClassVar[int]
    SESSION_ENDED_FIELD_NUMBER: _ClassVar[int]
    SIGNAL_FIELD_NUMBER: _ClassVar[int]
    code: ErrorCode
    message: str
    session_ended: bool
    signal: str
    def __init__(self, code: _Optional[_Union[ErrorCode, str]] = ..., message: _Optional[str] = ..., session_ended: bool = ..., signal: _Optional[str] = ..., **kwargs) -> None: ...

class Explore(_message.Message):
    __slots__ = ["actions", "decisions", "objects", "others_only", "parallel", "policy"]
    ACTIONS_FIELD_NUMBER: _ClassVar[int]
    DECISIONS_FIELD_NUMBER: _ClassVar[int]
    OBJECTS_FIELD_NUMBER: _ClassVar[int]
    OTHERS_ONLY_FIELD_NUMBER: _ClassVar[int]
    PARALLEL_FIELD_NUMBER: _ClassVar[int]
    POLICY_FIELD_NUMBER: _ClassVar[int]
    actions: bytes
    decisions: _containers.RepeatedScalarFieldContainer[int]
    objects: bool
    others_only: bool
    parallel: int
    policy: Play
    def __init__(self, policy: _Optional[_Union[Play, _Mapping]] = ..., decisions: _Optional[_Iterable[int]] = ..., actions: _Optional[bytes] = ..., others_only: bool = ..., parallel: _Optional[int] = ..., objects: bool = ...) -> None: ...

class ExploreReply(_message.Message):
    __slots__ = ["decisions", "seed", "state", "stopped"]
    DECISIONS_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    STOPPED_FIELD_NUMBER: _ClassVar[int]
    decisions: _containers.RepeatedCompositeFieldContainer[Explored]
    seed: int
    state: State
    stopped: str
    def __init__(self, state: _Optional[_Union[State, _Mapping]] = ..., decisions: _Optional[_Iterable[_Union[Explored, _Mapping]]] = ..., seed: _Optional[int] = ..., stopped: _Optional[str] = ...) -> None: ...

class Explored(_message.Message):
    __slots__ = ["action", "alternatives", "decision", "features", "legal"]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    ALTERNATIVES_FIELD_NUMBER: _ClassVar[int]
    DECISION_FIELD_NUMBER: _ClassVar[int]
    FEATURES_FIELD_NUMBER: _ClassVar[int]
    LEGAL_FIELD_NUMBER: _ClassVar[int]
    action: bytes
    alternatives: _containers.RepeatedCompositeFieldContainer[Alternative]
    decision: int
    features: bytes
    legal: bytes
    def __init__(self, decision: _Optional[int] = ..., action: _Optional[bytes] = ..., features: _Optional[bytes] = ..., legal: _Optional[bytes] = ..., alternatives: _Optional[_Iterable[_Union[Alternative, _Mapping]]] = ...) -> None: ...

class Fork(_message.Message):
    __slots__ = []
    def __init__(self) -> None: ...

class ForkReply(_message.Message):
    __slots__ = ["pid", "token"]
    PID_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    pid: int
    token: bytes
    def __init__(self, pid: _Optional[int] = ..., token: _Optional[bytes] = ...) -> None: ...

class FunctionOutcome(_message.Message):
    __slots__ = ["decisions", "function", "measurements"]
    DECISIONS_FIELD_NUMBER: _ClassVar[int]
    FUNCTION_FIELD_NUMBER: _ClassVar[int]
    MEASUREMENTS_FIELD_NUMBER: _ClassVar[int]
    decisions: int
    function: str
    measurements: _containers.RepeatedCompositeFieldContainer[Measurement]
    def __init__(self, function: _Optional[str] = ..., measurements: _Optional[_Iterable[_Union[Measurement, _Mapping]]] = ..., decisions: _Optional[int] = ...) -> None: ...

class Heuristic(_message.Message):
    __slots__ = ["action", "decisions", "feature", "options"]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    DECISIONS_FIELD_NUMBER: _ClassVar[int]
    FEATURE_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    action: int
    decisions: int
    feature: str
    options: _containers.RepeatedCompositeFieldContainer[Option]
    def __init__(self, options: _Optional[_Iterable[_Union[Option, _Mapping]]] = ..., feature: _Optional[str] = ..., action: _Optional[int] = ..., decisions: _Optional[int] = ...) -> None: ...

class Limits(_message.Message):
    __slots__ = ["deadline_ms", "memory_bytes"]
    DEADLINE_MS_FIELD_NUMBER: _ClassVar[int]
    MEMORY_BYTES_FIELD_NUMBER: _ClassVar[int]
    deadline_ms: int
    memory_bytes: int
    def __init__(self, memory_bytes: _Optional[int] = ..., deadline_ms: _Optional[int] = ...) -> None: ...

class Measure(_message.Message):
    __slots__ = ["objectives"]
    OBJECTIVES_FIELD_NUMBER: _ClassVar[int]
    objectives: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, objectives: _Optional[_Iterable[str]] = ...) -> None: ...

class MeasureReply(_message.Message):
    __slots__ = ["measurements"]
    MEASUREMENTS_FIELD_NUMBER: _ClassVar[int]
    measurements: _containers.RepeatedCompositeFieldContainer[Measurement]
    def __init__(self, measurements: _Optional[_Iterable[_Union[Measurement, _Mapping]]] = ...) -> None: ...

class Measurement(_message.Message):
    __slots__ = ["objective", "value"]
    OBJECTIVE_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    objective: str
    value: float
    def __init__(self, objective: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...

class ObjectiveSpec(_message.Message):
    __slots__ = ["deterministic", "doc", "name"]
    DETERMINISTIC_FIELD_NUMBER: _ClassVar[int]
    DOC_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    deterministic: bool
    doc: str
    name: str
    def __init__(self, name: _Optional[str] = ..., doc: _Optional[str] = ..., deterministic: bool = ...) -> None: ...

class Observation(_message.Message):
    __slots__ = ["data", "name", "rows", "tensors", "text"]
    DATA_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    TENSORS_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    data: bytes
    name: str
    rows: _containers.RepeatedScalarFieldContainer[str]
    tensors: _containers.RepeatedCompositeFieldContainer[Tensor]
    text: str
    def __init__(self, name: _Optional[str] = ..., text: _Optional[str] = ..., data: _Optional[bytes] = ..., tensors: _Optional[_Iterable[_Union[Tensor, _Mapping]]] = ..., rows: _Optional[_Iterable[str]] = ...) -> None: ...

class ObservationSpec(_message.Message):
    __slots__ = ["at_decision_only", "doc", "media", "name", "scopes", "tensors"]
    AT_DECISION_ONLY_FIELD_NUMBER: _ClassVar[int]
    DOC_FIELD_NUMBER: _ClassVar[int]
    MEDIA_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    SCOPES_FIELD_NUMBER: _ClassVar[int]
    TENSORS_FIELD_NUMBER: _ClassVar[int]
    at_decision_only: bool
    doc: str
    media: str
    name: str
    scopes: _containers.RepeatedScalarFieldContainer[str]
    tensors: _containers.RepeatedCompositeFieldContainer[TensorSpec]
    def __init__(self, name: _Optional[str] = ..., doc: _Optional[str] = ..., at_decision_only: bool = ..., media: _Optional[str] = ..., scopes: _Optional[_Iterable[str]] = ..., tensors: _Optional[_Iterable[_Union[TensorSpec, _Mapping]]] = ...) -> None: ...

class Observe(_message.Message):
    __slots__ = ["names"]
    NAMES_FIELD_NUMBER: _ClassVar[int]
    names: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, names: _Optional[_Iterable[str]] = ...) -> None: ...

class ObserveReply(_message.Message):
    __slots__ = ["observations"]
    OBSERVATIONS_FIELD_NUMBER: _ClassVar[int]
    observations: _containers.RepeatedCompositeFieldContainer[Observation]
    def __init__(self, observations: _Optional[_Iterable[_Union[Observation, _Mapping]]] = ...) -> None: ...

class Open(_message.Message):
    __slots__ = ["codegen", "codegen_opt_level", "cpu", "features_as_float32", "function", "limits", "objectives", "observations", "options", "park", "pipeline", "program_sha256", "target_triple", "task", "tuning"]
    CODEGEN_FIELD_NUMBER: _ClassVar[int]
    CODEGEN_OPT_LEVEL_FIELD_NUMBER: _ClassVar[int]
    CPU_FIELD_NUMBER: _ClassVar[int]
    FEATURES_AS_FLOAT32_FIELD_NUMBER: _ClassVar[int]
    FUNCTION_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    OBJECTIVES_FIELD_NUMBER: _ClassVar[int]
    OBSERVATIONS_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    PARK_FIELD_NUMBER: _ClassVar[int]
    PIPELINE_FIELD_NUMBER: _ClassVar[int]
    PROGRAM_SHA256_FIELD_NUMBER: _ClassVar[int]
    TARGET_TRIPLE_FIELD_NUMBER: _ClassVar[int]
    TASK_FIELD_NUMBER: _ClassVar[int]
    TUNING_FIELD_NUMBER: _ClassVar[int]
    codegen: CodegenSettings
    codegen_opt_level: int
    cpu: str
    features_as_float32: bool
    function: str
    limits: Limits
    objectives: _containers.RepeatedScalarFieldContainer[str]
    observations: _containers.RepeatedScalarFieldContainer[str]
    options: _containers.RepeatedCompositeFieldContainer[Option]
    park: bool
    pipeline: str
    program_sha256: bytes
    target_triple: str
    task: str
    tuning: Tuning
    def __init__(self, task: _Optional[str] = ..., program_sha256: _Optional[bytes] = ..., pipeline: _Optional[str] = ..., target_triple: _Optional[str] = ..., cpu: _Optional[str] = ..., options: _Optional[_Iterable[_Union[Option, _Mapping]]] = ..., objectives: _Optional[_Iterable[str]] = ..., observations: _Optional[_Iterable[str]] = ..., limits: _Optional[_Union[Limits, _Mapping]] = ..., park: bool = ..., codegen_opt_level: _Optional[int] = ..., function: _Optional[str] = ..., features_as_float32: bool = ..., tuning: _Optional[_Union[Tuning, _Mapping]] = ..., codegen: _Optional[_Union[CodegenSettings, _Mapping]] = ...) -> None: ...

class OpenReply(_message.Message):
    __slots__ = ["from_parked", "pid", "state"]
    FROM_PARKED_FIELD_NUMBER: _ClassVar[int]
    PID_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    from_parked: bool
    pid: int
    state: State
    def __init__(self, state: _Optional[_Union[State, _Mapping]] = ..., pid: _Optional[int] = ..., from_parked: bool = ...) -> None: ...

class Option(_message.Message):
    __slots__ = ["name", "value"]
    NAME_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    name: str
    value: str
    def __init__(self, name: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...

class OptionSpec(_message.Message):
    __slots__ = ["default_value", "doc", "high", "low", "name", "type", "values"]
    class Type(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = []
    BOOL: OptionSpec.Type
    DEFAULT_VALUE_FIELD_NUMBER: _ClassVar[int]
    DOC_FIELD_NUMBER: _ClassVar[int]
    ENUM: OptionSpec.Type
    FLOAT: OptionSpec.Type
    HIGH_FIELD_NUMBER: _ClassVar[int]
    INT: OptionSpec.Type
    LOW_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    TEXT: OptionSpec.Type
    TYPE_FIELD_NUMBER: _ClassVar[int]
    TYPE_UNSPECIFIED: OptionSpec.Type
    VALUES_FIELD_NUMBER: _ClassVar[int]
    default_value: str
    doc: str
    high: float
    low: float
    name: str
    type: OptionSpec.Type
    values: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, name: _Optional[str] = ..., default_value: _Optional[str] = ..., doc: _Optional[str] = ..., type: _Optional[_Union[OptionSpec.Type, str]] = ..., low: _Optional[float] = ..., high: _Optional[float] = ..., values: _Optional[_Iterable[str]] = ...) -> None: ...

class Outcome(_message.Message):
    __slots__ = ["functions", "measurements"]
    FUNCTIONS_FIELD_NUMBER: _ClassVar[int]
    MEASUREMENTS_FIELD_NUMBER: _ClassVar[int]
    functions: _containers.RepeatedCompositeFieldContainer[FunctionOutcome]
    measurements: _containers.RepeatedCompositeFieldContainer[Measurement]
    def __init__(self, measurements: _Optional[_Iterable[_Union[Measurement, _Mapping]]] = ..., functions: _Optional[_Iterable[_Union[FunctionOutcome, _Mapping]]] = ...) -> None: ...

class Play(_message.Message):
    __slots__ = ["decisions", "episodes", "features", "legal_columns", "parallel", "policy", "seed"]
    DECISIONS_FIELD_NUMBER: _ClassVar[int]
    EPISODES_FIELD_NUMBER: _ClassVar[int]
    FEATURES_FIELD_NUMBER: _ClassVar[int]
    LEGAL_COLUMNS_FIELD_NUMBER: _ClassVar[int]
    PARALLEL_FIELD_NUMBER: _ClassVar[int]
    POLICY_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    decisions: int
    episodes: int
    features: bool
    legal_columns: bool
    parallel: int
    policy: bytes
    seed: int
    def __init__(self, policy: _Optional[bytes] = ..., seed: _Optional[int] = ..., decisions: _Optional[int] = ..., features: bool = ..., legal_columns: bool = ..., episodes: _Optional[int] = ..., parallel: _Optional[int] = ...) -> None: ...

class PlayReply(_message.Message):
    __slots__ = ["actions", "columns", "episodes", "features", "legal", "log_probabilities", "measured", "seed", "state", "stopped"]
    ACTIONS_FIELD_NUMBER: _ClassVar[int]
    COLUMNS_FIELD_NUMBER: _ClassVar[int]
    EPISODES_FIELD_NUMBER: _ClassVar[int]
    FEATURES_FIELD_NUMBER: _ClassVar[int]
    LEGAL_FIELD_NUMBER: _ClassVar[int]
    LOG_PROBABILITIES_FIELD_NUMBER: _ClassVar[int]
    MEASURED_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    STOPPED_FIELD_NUMBER: _ClassVar[int]
    actions: bytes
    columns: bytes
    episodes: _containers.RepeatedCompositeFieldContainer[Episode]
    features: bytes
    legal: bytes
    log_probabilities: bytes
    measured: _containers.RepeatedScalarFieldContainer[float]
    seed: int
    state: State
    stopped: str
    def __init__(self, state: _Optional[_Union[State, _Mapping]] = ..., actions: _Optional[bytes] = ..., log_probabilities: _Optional[bytes] = ..., features: _Optional[bytes] = ..., legal: _Optional[bytes] = ..., seed: _Optional[int] = ..., stopped: _Optional[str] = ..., columns: _Optional[bytes] = ..., measured: _Optional[_Iterable[float]] = ..., episodes: _Optional[_Iterable[_Union[Episode, _Mapping]]] = ...) -> None: ...

class Reply(_message.Message):
    __slots__ = ["attach", "close", "describe", "emit", "error", "explore", "fork", "measure", "observe", "open", "play", "step", "upload"]
    ATTACH_FIELD_NUMBER: _ClassVar[int]
    CLOSE_FIELD_NUMBER: _ClassVar[int]
    DESCRIBE_FIELD_NUMBER: _ClassVar[int]
    EMIT_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    EXPLORE_FIELD_NUMBER: _ClassVar[int]
    FORK_FIELD_NUMBER: _ClassVar[int]
    MEASURE_FIELD_NUMBER: _ClassVar[int]
    OBSERVE_FIELD_NUMBER: _ClassVar[int]
    OPEN_FIELD_NUMBER: _ClassVar[int]
    PLAY_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    UPLOAD_FIELD_NUMBER: _ClassVar[int]
    attach: AttachReply
    close: CloseReply
    describe: DescribeReply
    emit: EmitReply
    error: Error
    explore: ExploreReply
    fork: ForkReply
    measure: MeasureReply
    observe: ObserveReply
    open: OpenReply
    play: PlayReply
    step: State
    upload: UploadReply
    def __init__(self, describe: _Optional[_Union[DescribeReply, _Mapping]] = ..., upload: _Optional[_Union[UploadReply, _Mapping]] = ..., open: _Optional[_Union[OpenReply, _Mapping]] = ..., step: _Optional[_Union[State, _Mapping]] = ..., fork: _Optional[_Union[ForkReply, _Mapping]] = ..., observe: _Optional[_Union[ObserveReply, _Mapping]] = ..., measure: _Optional[_Union[MeasureReply, _Mapping]] = ..., emit: _Optional[_Union[EmitReply, _Mapping]] = ..., close: _Optional[_Union[CloseReply, _Mapping]] = ..., attach: _Optional[_Union[AttachReply, _Mapping]] = ..., play: _Optional[_Union[PlayReply, _Mapping]] = ..., explore: _Optional[_Union[ExploreReply, _Mapping]] = ..., error: _Optional[_Union[Error, _Mapping]] = ...) -> None: ...

class Request(_message.Message):
    __slots__ = ["attach", "close", "deadline_ms", "describe", "emit", "explore", "fork", "measure", "observe", "open", "play", "step", "upload"]
    ATTACH_FIELD_NUMBER: _ClassVar[int]
    CLOSE_FIELD_NUMBER: _ClassVar[int]
    DEADLINE_MS_FIELD_NUMBER: _ClassVar[int]
    DESCRIBE_FIELD_NUMBER: _ClassVar[int]
    EMIT_FIELD_NUMBER: _ClassVar[int]
    EXPLORE_FIELD_NUMBER: _ClassVar[int]
    FORK_FIELD_NUMBER: _ClassVar[int]
    MEASURE_FIELD_NUMBER: _ClassVar[int]
    OBSERVE_FIELD_NUMBER: _ClassVar[int]
    OPEN_FIELD_NUMBER: _ClassVar[int]
    PLAY_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    UPLOAD_FIELD_NUMBER: _ClassVar[int]
    attach: Attach
    close: Close
    deadline_ms: int
    describe: Describe
    emit: Emit
    explore: Explore
    fork: Fork
    measure: Measure
    observe: Observe
    open: Open
    play: Play
    step: Step
    upload: Upload
    def __init__(self, describe: _Optional[_Union[Describe, _Mapping]] = ..., upload: _Optional[_Union[Upload, _Mapping]] = ..., open: _Optional[_Union[Open, _Mapping]] = ..., step: _Optional[_Union[Step, _Mapping]] = ..., fork: _Optional[_Union[Fork, _Mapping]] = ..., observe: _Optional[_Union[Observe, _Mapping]] = ..., measure: _Optional[_Union[Measure, _Mapping]] = ..., emit: _Optional[_Union[Emit, _Mapping]] = ..., close: _Optional[_Union[Close, _Mapping]] = ..., attach: _Optional[_Union[Attach, _Mapping]] = ..., play: _Optional[_Union[Play, _Mapping]] = ..., explore: _Optional[_Union[Explore, _Mapping]] = ..., deadline_ms: _Optional[int] = ...) -> None: ...

class Rule(_message.Message):
    __slots__ = ["doc", "features", "name", "options"]
    DOC_FIELD_NUMBER: _ClassVar[int]
    FEATURES_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    doc: str
    features: _containers.RepeatedScalarFieldContainer[str]
    name: str
    options: _containers.RepeatedCompositeFieldContainer[Option]
    def __init__(self, name: _Optional[str] = ..., doc: _Optional[str] = ..., options: _Optional[_Iterable[_Union[Option, _Mapping]]] = ..., features: _Optional[_Iterable[str]] = ...) -> None: ...

class Sandbox(_message.Message):
    __slots__ = ["landlock", "missing", "no_new_privileges", "system_calls"]
    LANDLOCK_FIELD_NUMBER: _ClassVar[int]
    MISSING_FIELD_NUMBER: _ClassVar[int]
    NO_NEW_PRIVILEGES_FIELD_NUMBER: _ClassVar[int]
    SYSTEM_CALLS_FIELD_NUMBER: _ClassVar[int]
    landlock: int
    missing: _containers.RepeatedScalarFieldContainer[str]
    no_new_privileges: bool
    system_calls: bool
    def __init__(self, no_new_privileges: bool = ..., system_calls: bool = ..., landlock: _Optional[int] = ..., missing: _Optional[_Iterable[str]] = ...) -> None: ...

class State(_message.Message):
    __slots__ = ["decisions", "features", "finished", "function", "label", "legal", "measurements", "no_effect", "observations", "outcome"]
    DECISIONS_FIELD_NUMBER: _ClassVar[int]
    FEATURES_FIELD_NUMBER: _ClassVar[int]
    FINISHED_FIELD_NUMBER: _ClassVar[int]
    FUNCTION_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    LEGAL_FIELD_NUMBER: _ClassVar[int]
    MEASUREMENTS_FIELD_NUMBER: _ClassVar[int]
    NO_EFFECT_FIELD_NUMBER: _ClassVar[int]
    OBSERVATIONS_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    decisions: int
    features: bytes
    finished: _containers.RepeatedCompositeFieldContainer[FunctionOutcome]
    function: str
    label: str
    legal: bytes
    measurements: _containers.RepeatedCompositeFieldContainer[Measurement]
    no_effect: bool
    observations: _containers.RepeatedCompositeFieldContainer[Observation]
    outcome: Outcome
    def __init__(self, decisions: _Optional[int] = ..., features: _Optional[bytes] = ..., outcome: _Optional[_Union[Outcome, _Mapping]] = ..., observations: _Optional[_Iterable[_Union[Observation, _Mapping]]] = ..., function: _Optional[str] = ..., finished: _Optional[_Iterable[_Union[FunctionOutcome, _Mapping]]] = ..., measurements: _Optional[_Iterable[_Union[Measurement, _Mapping]]] = ..., no_effect: bool = ..., legal: _Optional[bytes] = ..., label: _Optional[str] = ...) -> None: ...

class Step(_message.Message):
    __slots__ = ["actions"]
    ACTIONS_FIELD_NUMBER: _ClassVar[int]
    actions: bytes
    def __init__(self, actions: _Optional[bytes] = ...) -> None: ...

class TaskSpec(_message.Message):
    __slots__ = ["action", "active_action", "default_level", "default_objective", "default_pipeline", "default_programs", "doc", "features", "heuristic", "inactive_action", "kind", "name", "options", "rules"]
    class Kind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = []
    ACTION_FIELD_NUMBER: _ClassVar[int]
    ACTIVE_ACTION_FIELD_NUMBER: _ClassVar[int]
    BEFORE_PIPELINE: TaskSpec.Kind
    DEFAULT_LEVEL_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_OBJECTIVE_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_PIPELINE_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_PROGRAMS_FIELD_NUMBER: _ClassVar[int]
    DOC_FIELD_NUMBER: _ClassVar[int]
    FEATURES_FIELD_NUMBER: _ClassVar[int]
    HEURISTIC_FIELD_NUMBER: _ClassVar[int]
    INACTIVE_ACTION_FIELD_NUMBER: _ClassVar[int]
    IN_CODEGEN: TaskSpec.Kind
    IN_PIPELINE: TaskSpec.Kind
    KIND_FIELD_NUMBER: _ClassVar[int]
    KIND_UNSPECIFIED: TaskSpec.Kind
    NAME_FIELD_NUMBER: _ClassVar[int]
    OPEN_ENDED: TaskSpec.Kind
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    RULES_FIELD_NUMBER: _ClassVar[int]
    action: ActionSpec
    active_action: int
    default_level: str
    default_objective: str
    default_pipeline: str
    default_programs: str
    doc: str
    features: _containers.RepeatedCompositeFieldContainer[TensorSpec]
    heuristic: Heuristic
    inactive_action: int
    kind: TaskSpec.Kind
    name: str
    options: _containers.RepeatedCompositeFieldContainer[OptionSpec]
    rules: _containers.RepeatedCompositeFieldContainer[Rule]
    def __init__(self, name: _Optional[str] = ..., doc: _Optional[str] = ..., default_pipeline: _Optional[str] = ..., action: _Optional[_Union[ActionSpec, _Mapping]] = ..., features: _Optional[_Iterable[_Union[TensorSpec, _Mapping]]] = ..., options: _Optional[_Iterable[_Union[OptionSpec, _Mapping]]] = ..., default_objective: _Optional[str] = ..., kind: _Optional[_Union[TaskSpec.Kind, str]] = ..., heuristic: _Optional[_Union[Heuristic, _Mapping]] = ..., inactive_action: _Optional[int] = ..., active_action: _Optional[int] = ..., default_programs: _Optional[str] = ..., default_level: _Optional[str] = ..., rules: _Optional[_Iterable[_Union[Rule, _Mapping]]] = ...) -> None: ...

class Tensor(_message.Message):
    __slots__ = ["data", "dtype", "name", "shape"]
    DATA_FIELD_NUMBER: _ClassVar[int]
    DTYPE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    SHAPE_FIELD_NUMBER: _ClassVar[int]
    data: bytes
    dtype: DType
    name: str
    shape: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, name: _Optional[str] = ..., dtype: _Optional[_Union[DType, str]] = ..., shape: _Optional[_Iterable[int]] = ..., data: _Optional[bytes] = ...) -> None: ...

class TensorSpec(_message.Message):
    __slots__ = ["doc", "dtype", "high", "low", "name", "option", "shape"]
    DOC_FIELD_NUMBER: _ClassVar[int]
    DTYPE_FIELD_NUMBER: _ClassVar[int]
    HIGH_FIELD_NUMBER: _ClassVar[int]
    LOW_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    OPTION_FIELD_NUMBER: _ClassVar[int]
    SHAPE_FIELD_NUMBER: _ClassVar[int]
    doc: str
    dtype: DType
    high: float
    low: float
    name: str
    option: str
    shape: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, name: _Optional[str] = ..., dtype: _Optional[_Union[DType, str]] = ..., shape: _Optional[_Iterable[int]] = ..., low: _Optional[float] = ..., high: _Optional[float] = ..., doc: _Optional[str] = ..., option: _Optional[str] = ...) -> None: ...

class Tuning(_message.Message):
    __slots__ = ["loop_interleaving", "loop_unrolling", "loop_vectorization", "merge_functions", "slp_vectorization"]
    LOOP_INTERLEAVING_FIELD_NUMBER: _ClassVar[int]
    LOOP_UNROLLING_FIELD_NUMBER: _ClassVar[int]
    LOOP_VECTORIZATION_FIELD_NUMBER: _ClassVar[int]
    MERGE_FUNCTIONS_FIELD_NUMBER: _ClassVar[int]
    SLP_VECTORIZATION_FIELD_NUMBER: _ClassVar[int]
    loop_interleaving: bool
    loop_unrolling: bool
    loop_vectorization: bool
    merge_functions: bool
    slp_vectorization: bool
    def __init__(self, loop_vectorization: bool = ..., slp_vectorization: bool = ..., loop_unrolling: bool = ..., loop_interleaving: bool = ..., merge_functions: bool = ...) -> None: ...

class Upload(_message.Message):
    __slots__ = ["program"]
    PROGRAM_FIELD_NUMBER: _ClassVar[int]
    program: bytes
    def __init__(self, program: _Optional[bytes] = ...) -> None: ...

class UploadReply(_message.Message):
    __slots__ = ["sha256"]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    sha256: bytes
    def __init__(self, sha256: _Optional[bytes] = ...) -> None: ...

class Protocol(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = []

class ErrorCode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = []

class DType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = []
