# SPDX-License-Identifier: Apache-2.0
"""Random loops over memory that overlaps in all ways, without undefined behaviour.

Counters are of all widths, signed and not. They go both ways, and some go once round
their type. Pointers also count. Accesses are of mixed sizes, at constant, indirect and
huge distances, and some are conditional. Others lie in an address space of their own,
which is ordinary memory where the gs segment begins at 0. Functions recurse.
"""

from __future__ import annotations

import random

_HEAD = """
#include <stdint.h>
int printf(const char *, ...);
#define APART __attribute__((noinline)) static
#define PLAIN _Pragma("clang loop vectorize(disable) unroll(disable)")
#define BYTES 10240
#define ELEMENTS 640
TYPES
static uint8_t bytes[BYTES] __attribute__((aligned(16)));
static int32_t A[ELEMENTS], B[ELEMENTS], C[ELEMENTS];
static int16_t D[ELEMENTS], E[ELEMENTS];
static int64_t F[ELEMENTS];
static uint32_t state;
static volatile long one = 1;
static uint32_t next(void) { return (state = state * 1664525u + 1013904223u) >> 8; }
APART void fill(void) {
  PLAIN for (int i = 0; i < BYTES; i++) bytes[i] = next();
  PLAIN for (int i = 0; i < ELEMENTS; i++) {
    A[i] = next() % 1000; B[i] = next(); C[i] = next() % 64; D[i] = next();
    E[i] = next(); F[i] = next();
  }
}
APART uint64_t sum(void) {
  uint64_t h = 14695981039346656037u;
  PLAIN for (int i = 0; i < BYTES; i++) h = (h ^ bytes[i]) * 1099511628211u;
  PLAIN for (int i = 0; i < ELEMENTS; i++) {
    h = (h ^ (uint32_t)A[i]) * 1099511628211u;
    h = (h ^ (uint32_t)B[i]) * 1099511628211u;
    h = (h ^ (uint32_t)C[i]) * 1099511628211u;
    h = (h ^ (uint16_t)D[i]) * 1099511628211u;
    h = (h ^ (uint16_t)E[i]) * 1099511628211u;
    h = (h ^ (uint64_t)F[i]) * 1099511628211u;
  }
  return h;
}
"""

#: Attributes of what pointers point to. Without one, only the same type and bytes may
#: access it. With the others every type may, and with the last at every address.
_ATTRIBUTES = [
    "",
    "__attribute__((may_alias))",
    "__attribute__((may_alias, aligned(1)))",
]
_SIZES = {"u8": "uint8_t", "i16": "int16_t", "i32": "int32_t", "i64": "int64_t"}
#: Most iterations that a caller asks for.
_LENGTH = 100
#: Bytes from one iteration to the next, where an access is made in one alone.
_HUGE = [-524288, -524288, 524288, -65536, 65536, 1 << 20, -(1 << 39), 1 << 30]


class _Loop:
    """The head of a loop: what comes before it, and what ends its body.

    Attributes:
        index: A ``long`` that grows or falls by a constant with each iteration.
        last: The largest value of the index; the smallest is not below 0.
    """

    def __init__(self, rng: random.Random, kinds: dict[str, str], depth: int) -> None:
        self.before: list[str] = []
        self.behind: list[str] = []
        self.index, self.last = "i", _LENGTH + 3
        kind = rng.choice(["wide", "wide", "typed", "while", "do", "round", "pointer"])
        #: Pointers that walk through what the keys name.
        self.walking: dict[str, str] = {}
        self.head, self.tail = getattr(self, f"_{kind}")(rng)
        for pointer in kinds:
            if rng.random() < 0.25:
                self._walk(rng, pointer, kinds[pointer], depth)

    def _wide(self, rng: random.Random) -> tuple[str, str]:
        step = rng.choice([1, 1, 1, 2, 3])
        if rng.random() < 0.3:
            return f"for (long i = n; i >= 0; i -= {step}) {{", "}"
        return f"for (long i = 0; i <= n; i += {step}) {{", "}"

    def _typed(self, rng: random.Random) -> tuple[str, str]:
        counter, step = _counter(rng), rng.choice([1, 1, 1, 2, 3])
        self.index = "(long)i"
        if rng.random() < 0.4:
            return f"for ({counter} i = n; i >= {step}; i -= {step}) {{", "}"
        relation = rng.choice(["<", "<="])
        return f"for ({counter} i = 0; i {relation} ({counter})n; i += {step}) {{", "}"

    def _while(self, rng: random.Random) -> tuple[str, str]:
        self.index = "(long)i"
        return f"{{ {_counter(rng)} i = n; while (i--) {{", "} }"

    def _do(self, rng: random.Random) -> tuple[str, str]:
        self.index = "(long)i"
        return f"if (n) {{ {_counter(rng)} i = n; do {{", "} while (--i); }"

    def _round(self, rng: random.Random) -> tuple[str, str]:
        """To the end of a type and round it, or once through all of a byte."""
        bits = rng.choice([8, 16, 32])
        count = 256 if bits == 8 and rng.random() < 0.5 else rng.randint(2, 200)
        if rng.random() < 0.4:
            # A signed counter must be widened before it is computed with.
            signed = bits < 32 and rng.random() < 0.5
            counter = f"{'' if signed else 'u'}int{bits}_t"
            most = (1 << (bits - 1 if signed else bits)) - 1
            self.last, start = count, most - count + 1
            if count == 256:
                start = most - 255
                end = f"++i != ({counter}){start}"
            else:
                end = "++i > 0" if signed else "++i"
            self.index = f"((long)i - {start}L)"
            return f"{{ {counter} i = {start}; do {{", f"}} while ({end}); }}"
        counter = f"uint{bits}_t"
        self.last, self.index = max(count, _LENGTH), "(long)i"
        first = str(count - 1) if rng.random() < 0.5 else "n"
        return f"{{ {counter} i = {first}; do {{", "} while (i--); }"

    def _pointer(self, rng: random.Random) -> tuple[str, str]:
        step = rng.choice([1, 1, 2])
        array, kind = rng.choice([("A", "int32_t"), ("D", "int16_t")])
        compare = "!=" if step == 1 else "<"
        self.walking[array] = "w"
        if rng.random() < 0.4:
            return (
                f"{{ long i = n; for ({kind} *e = {array} + 8, *w = e + n; w > e; i--)"
                " { w--;",
                "} }",
            )
        return (
            f"{{ long i = 0; for ({kind} *w = {array} + 8, *e = w + {step} * n; "
            f"w {compare} e; w += {step}, i++) {{",
            "} }",
        )

    def _walk(self, rng: random.Random, pointer: str, kind: str, depth: int) -> None:
        name = f"{pointer}{depth}"
        step = rng.choice([1, 1, -1, -1, 2])
        start = 8 if step > 0 else 10 + self.last
        self.before.append(f"{kind} *{name} = {pointer} + {start};")
        self.behind.append(f"{name} += {step};")
        self.walking[pointer] = name


def _counter(rng: random.Random) -> str:
    return f"{rng.choice(['', 'u'])}int{rng.choice([8, 16, 32, 64])}_t"


class _Body:
    """The statements of one loop: arrays of their own, and three pointers."""

    def __init__(self, rng: random.Random, kinds: dict[str, str], depth: int) -> None:
        self.rng, self.kinds = rng, kinds
        self.loop = _Loop(rng, kinds, depth)
        self.arrays = rng.sample([*"ABCDEF", *kinds], rng.randint(4, 9))

    def text(self) -> str:
        statements = [self.statement() for _ in range(self.rng.randint(3, 8))]
        loop = self.loop
        return " ".join(
            ["{", *loop.before, loop.head, *statements, *loop.behind, loop.tail, "}"]
        )

    def access(self) -> str:
        array = self.rng.choice(self.arrays)
        walking = self.loop.walking.get(array)
        if walking and self.rng.random() < 0.7:
            return f"{walking}[{self.rng.choice([0, 0, 0, 1, -1, 2, -3])}]"
        index = self.rng.choices(
            [self._affine(), "C[i & 63] & 63", "4"], weights=[92, 4, 4]
        )[0]
        return f"{array}[{index}]"

    def _affine(self) -> str:
        i, last = self.loop.index, self.loop.last
        index = self.rng.choice([i, i, i, i, f"2 * {i}", f"({last} - {i})"])
        if self.rng.random() < 0.05:
            index += " + n"
        return f"{index} + {8 + self.rng.choice([0, 0, 1, -1, 2, -2, 3, 5, 8, -8])}"

    def value(self, depth: int = 0) -> str:
        kind = self.rng.random()
        if depth > 1 or kind < 0.6:
            return f"(uint32_t){self.access()}"
        if kind < 0.75:
            return self.rng.choice(["s", "t", "u", "(uint32_t)i", "7"])
        operator = self.rng.choice("+-*^&|")
        return f"({self.value(depth + 1)} {operator} {self.value(depth + 1)})"

    def statement(self, depth: int = 0) -> str:
        kind = self.rng.random()
        if kind < 0.05:
            return f"u = {self.value()};"
        if kind < 0.15:
            scalar = self.rng.choice("st")
            return f"{scalar} = {scalar} {self.rng.choice('+*^')} {self.value()};"
        if kind < 0.25 and depth < 2:
            inner = [self.statement(depth + 1) for _ in range(3)]
            other = f" else {{ {inner[2]} }}" if self.rng.random() < 0.4 else ""
            return f"if ({self.value()} & 2) {{ {inner[0]} {inner[1]} }}{other}"
        if kind < 0.35:
            return self._far()
        if kind < 0.45:
            # What two statements need, and may load from where the first stores it.
            first, second = self.access(), self.access()
            product = f"{self.value()} * {self.value()}"
            sum_ = f"v + {self.value()}"
            return f"{{ uint32_t v = {product}; {first} = v; {second} = {sum_}; }}"
        return f"{self.access()} = {self.value()};"

    def _far(self) -> str:
        """An access that one iteration makes, and that all would make far apart."""
        pointer = self.rng.choice(list(self.kinds))
        kind, middle = self.kinds[pointer], self.rng.choice([0, 0, 1, 5])
        count = f"({self.loop.index} - {middle})"
        char = kind.replace(kind.split()[-1], "char")
        target = (
            f"*({kind} *)(({char} *)({pointer} + 8) + {count} * {self._distance()})"
        )
        made = self.rng.choice([f"{target} = {self.value()};", f"u ^= {target};"])
        return f"if ((uint64_t){count} < one) {{ {made} }}"

    def _distance(self) -> str:
        return f"({self.rng.choice(_HUGE)}L)"


def random_loops(seed: int) -> str:
    """A program of one or two loops in a function, as C.

    They are run over pointers that lie apart, next to, and within each other. Its
    ``main`` prints a hash of all memory.
    """
    rng = random.Random(seed)
    attributes = rng.choice(_ATTRIBUTES)
    one = rng.choice(list(_SIZES))
    # Others than of one size must not overlap, unless they may alias.
    choice = list(_SIZES) if attributes else [one, one, one, "u8"]
    kinds = {pointer: rng.choice(choice) for pointer in "pqr"}
    if rng.random() < 0.2:
        apart = rng.choice("pqr")
        kinds[apart] = f"__attribute__((address_space(256))) {kinds[apart]}"
    loops = [_Body(rng, kinds, depth).text() for depth in range(rng.choice([1, 2, 2]))]
    if rng.random() < 0.2:
        loops[0] = f"for (long j = 0; j < 3; j++) {{ {loops[0]} }}"
    types = "\n".join(f"typedef {_SIZES[name]} {name} {attributes};" for name in _SIZES)
    # Loops that are known to be short may put values into arrays.
    short = rng.choice(["", "n = n < 100 ? n : 100;", "n = n < 1900 ? n : 1900;"])
    parameters = ", ".join(f"{kinds[each]} *{each}" for each in "pqr")
    parameters += ", long n, uint32_t s, uint32_t t, uint64_t one, int depth"
    deep = rng.random() < 0.25
    again, call = "", ""
    if deep:
        again = f"APART uint32_t f({parameters});\n"
        if rng.random() < 0.5:
            again += f"static uint32_t (*volatile g)({parameters}) = f;\n"
            call = "  if (depth) s += g(p, q, r, n, s, t, one, depth - 1);\n"
        else:
            call = "  if (depth) s += f(p, q, r, n, s, t, one, depth - 1);\n"
    unit = 8 if "aligned" not in attributes else 1
    runs = []
    for _ in range(6):
        first = rng.randrange(0, 512) * 8
        near = [max(0, first + rng.randint(-64, 64) // unit * unit) for _ in range(2)]
        far = rng.choice([near[1], rng.randrange(0, 600) * 8])
        length = rng.choice([0, 1, 2, 7, 31, 64, _LENGTH])
        runs.append((first, near[0], far, length, 0))
    runs += [(0, 2048, 4096, _LENGTH, 0), (0, 448, 896, _LENGTH, 0)]
    if deep:
        # More than 8 MiB of stack, had each call an array of 1900 elements.
        runs.append((0, 64, 128, 3, 1100))
    calls = "".join(
        "  fill();\n  h = h * 31 + f("
        + ", ".join(
            f"({kinds[each]} *)(uintptr_t)(bytes + {offset})"
            for each, offset in zip("pqr", offsets, strict=True)
        )
        + f", {length}, 1, 2, one, {depth});\n  h = h * 31 + sum();\n"
        for *offsets, length, depth in runs
    )
    return (
        f"{_HEAD.replace('TYPES', types)}{again}APART uint32_t f({parameters}) {{\n"
        f"  uint32_t u = 5;\n  {short}\n"
        + "".join(f"  {loop}\n" for loop in loops)
        + f"{call}  return s ^ (t * 3) ^ u;\n}}\n"
        "int main(int argc, char **argv) {\n  uint64_t h = 0;\n  state = 7;\n"
        f'{calls}  printf("%llx\\n", (unsigned long long)h);\n  return 0;\n}}\n'
    )
