# SPDX-License-Identifier: Apache-2.0
"""Text as a picture, for what records or shows environments."""

from __future__ import annotations

import bisect
import functools
import re
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mlcompiler_gym.errors import MissingLibraryError

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont, ImageFont

#: All pictures are of one size, since those of a video have to be. Video encoders
#: want multiples of 16.
_WIDTH, _HEIGHT = 960, 480
_MARGIN = 16
_SIZE, _LINE, _COLUMN = 15, 19, 8
_PAPER, _INK = (255, 255, 255), (32, 32, 32)

#: Words with single spaces between them: what stands in one column.
_RUN = re.compile(r"\S+(?: \S+)*")


def draw(text: str) -> NDArray[np.uint8]:
    """A picture of a text whose columns are two spaces or more apart.

    Lines that find no room are left out, and others cut, at an ellipsis.

    Returns:
        Red, green and blue, uint8 array of shape ``(480, 960, 3)``.

    Raises:
        MissingLibraryError: Pillow is not installed.
    """
    try:
        from PIL import Image, ImageDraw
    except ImportError as error:
        raise MissingLibraryError("pillow", extra="render") from error

    image = Image.new("RGB", (_WIDTH, _HEIGHT), _PAPER)
    canvas = ImageDraw.Draw(image)
    font = _font()
    lines = text.splitlines()
    room = (_HEIGHT - 2 * _MARGIN) // _LINE
    if len(lines) > room:
        lines[room - 1 :] = ["…"]
    for row, line in enumerate(lines):
        for run in _RUN.finditer(line):
            left = _MARGIN + run.start() * _COLUMN
            fitting = _cut(run[0], font, _WIDTH - _MARGIN - left)
            canvas.text((left, _MARGIN + row * _LINE), fitting, _INK, font)
    return np.array(image, np.uint8)


@functools.cache
def _font() -> FreeTypeFont | ImageFont:
    from PIL import ImageFont

    return ImageFont.load_default(_SIZE)


def _cut(text: str, font: Any, width: float) -> str:
    # A letter is a pixel wide at least, and a line may have thousands.
    if len(text) <= width and font.getlength(text) <= width:
        return text
    lengths = range(1, int(width))
    fitting = bisect.bisect_right(
        lengths, width, key=lambda length: font.getlength(text[:length] + "…")
    )
    return text[:fitting] + "…"
