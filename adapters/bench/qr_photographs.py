"""How well a gate reads a phone 30 cm away: tilted, in low light, its screen cracked.

A camera of 1280 × 720 whose picture is 60 degrees wide sees a code 6 cm wide at 30 cm on 222
pixels; the gate reads the middle of its picture, by turns as it is and enlarged
(``reading_window.ts``). The symbol is projected with 15 degrees of tilt, some roll and pitch,
blurred, darkened, made noisy, and crossed by cracks from one blow; zxing-cpp reads it. *Within five
frames* is what a person sees: the cracks stay, hand and noise change, and the gate looks that often
in half a second. Everything comes from a seed.
"""

import io
import math
import random
from dataclasses import dataclass
from typing import Final

from PIL import Image, ImageChops, ImageDraw, ImageFilter

from adapters.bench.qr_reading import CODE_SIZES, RIDE_CODE_SIZE, Symbol
from adapters.bench.report import Result
from adapters.symbol_reader import symbols_in
from codes import base45, qr

FRAME_PX: Final = (640, 640)
SYMBOL_PX: Final = 222
FRAMES: Final = 5
PHONES: Final = 20
PHONES_QUICK: Final = 4
_DISTANCE: Final = 5  # widths of the symbol: 30 cm to 6 cm
_ROLL_DEG: Final = 15.0
_PITCH_DEG: Final = 5.0
_OFF_CENTRE_PX: Final = 20.0
_ENLARGED: Final = 1.5
_SEEN_PX: Final = 420  # what the symbol may cover: its diagonal, nearer corner and way off centre
_FINER: Final = 2  # drawn larger first, as light falls on a pixel from its whole area
_SURROUNDINGS: Final = 170
_CRACK_GREYS: Final = (70, 130, 190)
_CRACK_STEPS_OF_WIDTH: Final = 12
Matrix = tuple[tuple[float, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """``black`` and ``white`` are what the sensor makes of them, ``noise`` the most added to it."""

    name: str
    tilt_deg: float = 15.0
    cracks: int = 0
    black: int = 0
    white: int = 255
    noise: int = 8
    blur_px: float = 0.6


CONDITIONS: Final = (
    Conditions(name="30 cm, 15 degrees"),
    Conditions(name="30 cm, 15 degrees, low light", black=25, white=110, noise=11),
    Conditions(name="30 cm, 15 degrees, cracked", cracks=5),
    Conditions(
        name="30 cm, 15 degrees, low light, cracked", black=25, white=110, noise=11, cracks=5
    ),
)


def cracked(symbol: Image.Image, cracks: int, rng: random.Random) -> Image.Image:
    """The symbol under a screen that has been hit once: cracks run from there to the edges."""
    shown = symbol.copy()
    draw = ImageDraw.Draw(shown)
    side = symbol.width
    blow = (rng.uniform(0, side), rng.uniform(0, side))
    for _ in range(cracks):
        (x, y), course = blow, rng.uniform(0, 2 * math.pi)
        while 0 <= x < side and 0 <= y < side:
            course += rng.uniform(-0.4, 0.4)
            onward = (
                x + math.cos(course) * side / _CRACK_STEPS_OF_WIDTH,
                y + math.sin(course) * side / _CRACK_STEPS_OF_WIDTH,
            )
            width = max(1, int(side * rng.uniform(0.002, 0.006)))
            draw.line([(x, y), onward], fill=rng.choice(_CRACK_GREYS), width=width)
            x, y = onward
    return shown


def photographed(symbol: Image.Image, how: Conditions, rng: random.Random) -> Image.Image:
    """One frame of the phone that shows ``symbol``."""
    coefficients = _inverse(_projection(symbol.width, how, rng))
    seen = symbol.transform(
        (_FINER * _SEEN_PX,) * 2,
        Image.Transform.PERSPECTIVE,
        coefficients,
        Image.Resampling.BILINEAR,
        fillcolor=_SURROUNDINGS,
    ).resize((_SEEN_PX,) * 2, Image.Resampling.BOX)
    frame = Image.new("L", FRAME_PX, _SURROUNDINGS)
    frame.paste(seen, ((FRAME_PX[0] - _SEEN_PX) // 2, (FRAME_PX[1] - _SEEN_PX) // 2))
    frame = frame.filter(ImageFilter.GaussianBlur(how.blur_px))
    span = how.white - how.black
    frame = frame.point([how.black + span * value // 255 for value in range(256)])
    noise = Image.frombytes("L", FRAME_PX, rng.randbytes(FRAME_PX[0] * FRAME_PX[1]))
    noise = noise.point([128 + (value - 128) * how.noise // 128 for value in range(256)])
    return ImageChops.add(frame, noise, offset=-128)


def _projection(side: int, how: Conditions, rng: random.Random) -> Matrix:
    """From a point of the symbol, in its pixels, to one of the middle drawn finer (homogeneous)."""
    yaw = math.radians(rng.choice((-1, 1)) * how.tilt_deg)
    roll = math.radians(rng.uniform(-_ROLL_DEG, _ROLL_DEG))
    pitch = math.radians(rng.uniform(-_PITCH_DEG, _PITCH_DEG))

    def turned(x: float, y: float) -> tuple[float, float, float]:
        x, y = x * math.cos(roll) - y * math.sin(roll), x * math.sin(roll) + y * math.cos(roll)
        x, z = x * math.cos(yaw), -x * math.sin(yaw)
        y, z = y * math.cos(pitch) - z * math.sin(pitch), y * math.sin(pitch) + z * math.cos(pitch)
        return x, y, z

    focal = SYMBOL_PX * _DISTANCE * _FINER
    centre = [
        (_SEEN_PX / 2 + rng.uniform(-_OFF_CENTRE_PX, _OFF_CENTRE_PX)) * _FINER for _ in FRAME_PX
    ]
    right, down, origin = turned(1 / side, 0), turned(0, 1 / side), turned(-0.5, -0.5)
    origin = (origin[0], origin[1], origin[2] + _DISTANCE)
    axes = (right, down, origin)
    return (
        tuple(focal * axis[0] + centre[0] * axis[2] for axis in axes),
        tuple(focal * axis[1] + centre[1] * axis[2] for axis in axes),
        tuple(axis[2] for axis in axes),
    )


def _inverse(matrix: Matrix) -> tuple[float, ...]:
    """The eight coefficients of the way back, as Pillow takes them."""
    (a, b, c), (d, e, f), (g, h, i) = matrix
    last = a * e - b * d
    rows = (
        (e * i - f * h, c * h - b * i, b * f - c * e),
        (f * g - d * i, a * i - c * g, c * d - a * f),
        (d * h - e * g, b * g - a * h),
    )
    return tuple(value / last for row in rows for value in row)


def shares_read(symbols: list[Symbol], how: Conditions, rng: random.Random) -> tuple[float, float]:
    """Shares of single frames and of phones that were read; each symbol is one phone."""
    frames = phones = 0
    for symbol, content in symbols:
        screen = cracked(symbol, how.cracks, rng)
        read = [
            _is_read(photographed(screen, how, rng), content, turn=turn) for turn in range(FRAMES)
        ]
        frames += sum(read)
        phones += any(read)
    return frames / (FRAMES * len(symbols)), phones / len(symbols)


def _is_read(frame: Image.Image, content: bytes, *, turn: int) -> bool:
    """As the gate reads the middle of its picture: by turns as it is, and nearer and enlarged."""
    if turn % 2 == 1:
        left, top = ((edge - round(edge / _ENLARGED)) // 2 for edge in FRAME_PX)
        nearer = frame.crop((left, top, FRAME_PX[0] - left, FRAME_PX[1] - top))
        frame = nearer.resize(FRAME_PX, Image.Resampling.BILINEAR)
    # It looks for nothing else either.
    return any(found.content == content for found in symbols_in(frame, qr_only=True))


def symbols_of(letter: str, count: int) -> list[Symbol]:
    """Symbols of a class, or of the deployed ride code for ``""``, each with other content."""
    rng = random.Random(f"photographs {letter}")  # noqa: S311  (two runs must see the same)
    if not letter:
        contents = [b"\x81" + rng.randbytes(RIDE_CODE_SIZE - 1) for _ in range(count)]
        return [(qr.image(qr.modules_of_bytes(one), 8), one) for one in contents]
    texts = ["M1:" + base45.encode(rng.randbytes(CODE_SIZES[letter])) for _ in range(count)]
    pictures = [Image.open(io.BytesIO(qr.png(text, 8))).convert("L") for text in texts]
    return [(picture, text.encode()) for picture, text in zip(pictures, texts, strict=True)]


def photograph_rates(*, quick: bool) -> list[Result]:
    """Shares of frames and of phones read, our codes beside the deployed one."""
    count = PHONES_QUICK if quick else PHONES
    symbols = {letter: symbols_of(letter, count) for letter in ("", *CODE_SIZES)}
    results = []
    for how in CONDITIONS:
        rng = random.Random(30)  # noqa: S311  (as above)
        reference = shares_read(symbols[""], how, rng)
        for letter in CODE_SIZES:
            shares = shares_read(symbols[letter], how, rng)
            kinds = ("frames", f"within {FRAMES} frames")
            for kind, share, other in zip(kinds, shares, reference, strict=True):
                results.append(
                    Result(
                        name=f"QR class {letter} read, {how.name}, {kind}",
                        value=share,
                        unit="share",
                        reference="332-byte ride code",
                        reference_value=other,
                    )
                )
    return results
