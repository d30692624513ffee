"""What a gate's camera sees: phones that come in, turn, come nearer and go, as a Y4M film.

Grey in 4:2:0, twenty pictures a second; Chromium plays such a file for ever in place of a camera
(``--use-file-for-fake-video-capture``).
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from PIL import Image

from codes import qr

SIZE: Final = (640, 480)
FRAMES_PER_S: Final = 20
_GROUND: Final = 90
_MODULE_PX: Final = 4
_TURN_DEGREES: Final = 20
_PATH_PX: Final = (160, 12)
_SCALES: Final = (0.8, 0.5)


def write_film(texts: Sequence[str], path: Path, *, frames_each: int = 24) -> None:
    """A film of codes one after another, each moving, turning and growing over its frames."""
    chroma = bytes([128]) * (SIZE[0] * SIZE[1] // 2)
    with path.open("wb") as file:
        head = b"YUV4MPEG2 W%d H%d F%d:1 Ip A1:1 C420jpeg\n"
        file.write(head % (*SIZE, FRAMES_PER_S))
        for picture in pictures(texts, frames_each=frames_each):
            file.write(b"FRAME\n" + picture.tobytes() + chroma)


def pictures(texts: Sequence[str], *, frames_each: int) -> Iterator[Image.Image]:
    """The frames of the film, each a grey picture of ``SIZE``."""
    for text in texts:
        symbol = qr.image(qr.modules(text), _MODULE_PX)
        for number in range(frames_each):
            yield _picture(symbol, number / frames_each)


def _picture(symbol: Image.Image, share: float) -> Image.Image:
    """The symbol on its way, ``share`` from 0 to 1 of it."""
    turned = symbol.rotate(_TURN_DEGREES * (share - 0.5), expand=True, fillcolor=_GROUND)
    scale = _SCALES[0] + _SCALES[1] * share
    size = (int(turned.width * scale), int(turned.height * scale))
    shown = turned.resize(size, Image.Resampling.BILINEAR)
    picture = Image.new("L", SIZE, _GROUND)
    left = int((SIZE[0] - shown.width) / 2 - _PATH_PX[0] * (0.5 - share))
    top = (SIZE[1] - shown.height) // 2 + int(_PATH_PX[1] * share)
    picture.paste(shown, (left, top))
    return picture
