# SPDX-License-Identifier: Apache-2.0
"""Real modules to measure on, compiled from Debian's libstb and nlohmann-json."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

from mlcompiler_gym import Program
from mlcompiler_gym.programs.clang import compile_source

_SOURCES = {
    "stb_image": (
        ".c",
        "#define STB_IMAGE_IMPLEMENTATION\n#include <stb/stb_image.h>\n",
    ),
    "stb_truetype": (
        ".c",
        "#define STB_TRUETYPE_IMPLEMENTATION\n#include <stb/stb_truetype.h>\n",
    ),
    "stb_both": (
        ".c",
        "#define STB_IMAGE_IMPLEMENTATION\n#include <stb/stb_image.h>\n"
        "#define STB_TRUETYPE_IMPLEMENTATION\n#include <stb/stb_truetype.h>\n",
    ),
    "nlohmann_json": (
        ".cpp",
        "#include <nlohmann/json.hpp>\n"
        "#include <iostream>\n"
        "int main() {\n"
        "  auto parsed = nlohmann::json::parse(std::cin);\n"
        "  std::cout << parsed.dump(2) << parsed.flatten();\n"
        '  return parsed == nlohmann::json{{"a", 1}, {"b", {1, 2, 3}}};\n'
        "}\n",
    ),
}


@functools.cache
def module(name: str) -> Program:
    """One of the modules, not optimised yet."""
    suffix, text = _SOURCES[name]
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, name + suffix)
        source.write_text(text)
        return Program(name, compile_source(source))
