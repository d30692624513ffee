"""How well the pictures of codes are read after blur, noise, rotation and at small size.

The symbol is drawn, scaled (150 px is what a phone held half a metre away fills), set into a grey
VGA frame, rotated, blurred and made noisy, and read by zxing-cpp, which shares no code with the
writer. The 332-byte ride code goes through the same set for comparison. Places and angles come from
a fixed seed, the noise does not.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from PIL import Image, ImageChops, ImageFilter

from adapters.bench.report import Result
from adapters.symbol_reader import symbols_in
from codes import base45, qr

FRAME_PX: Final = (640, 480)
SYMBOL_PX: Final = 150
TRIALS: Final = 60
TRIALS_QUICK: Final = 8
SYMBOLS: Final = 4
CODE_SIZES: Final = {"S": 104, "D": 204, "P": 94}
RIDE_CODE_SIZE: Final = 332
_BACKGROUND: Final = 170
Symbol = tuple[Image.Image, bytes]


@dataclass(frozen=True, slots=True)
class Degradation:
    """What happens to a picture between screen and sensor. Noise is a standard deviation."""

    name: str
    symbol_px: int
    blur_px: float
    noise: float
    rotation_max_deg: float


DEGRADATIONS: Final = (
    Degradation("clean", 300, 0.0, 0.0, 0.0),
    Degradation("blur", 200, 1.0, 0.0, 0.0),
    Degradation("noise", 200, 0.0, 30.0, 0.0),
    Degradation("rotation", 200, 0.0, 0.0, 180.0),
    Degradation("150 px", SYMBOL_PX, 0.0, 0.0, 0.0),
    Degradation("150 px, noise, 15 degrees", SYMBOL_PX, 0.6, 20.0, 15.0),
)


def degrade(symbol: Image.Image, how: Degradation, rng: random.Random) -> Image.Image:
    """``symbol`` as a sensor may see it."""
    scaled = symbol.resize((how.symbol_px,) * 2, Image.Resampling.LANCZOS)
    frame = Image.new("L", FRAME_PX, _BACKGROUND)
    left = (FRAME_PX[0] - how.symbol_px) // 2 + rng.randint(-20, 20)
    top = (FRAME_PX[1] - how.symbol_px) // 2 + rng.randint(-20, 20)
    frame.paste(scaled, (left, top))
    if how.rotation_max_deg:
        angle = rng.uniform(-how.rotation_max_deg, how.rotation_max_deg)
        frame = frame.rotate(angle, Image.Resampling.BICUBIC, fillcolor=_BACKGROUND)
    if how.blur_px:
        frame = frame.filter(ImageFilter.GaussianBlur(how.blur_px))
    if how.noise:
        # Noise around 128, so that its mean adds nothing.
        noise = Image.effect_noise(FRAME_PX, how.noise)
        frame = ImageChops.add(frame, noise, offset=-128)
    return frame


def _rate(symbols: Sequence[Symbol], how: Degradation, trials: int) -> float:
    # Not for secrets: two runs must see the same pictures.
    rng = random.Random(150)  # noqa: S311  (see above)
    good = 0
    for number in range(trials):
        symbol, content = symbols[number % len(symbols)]
        found = symbols_in(degrade(symbol, how, rng))
        good += any(one.content == content for one in found)
    return good / trials


def _our_symbols(size: int) -> list[Symbol]:
    rng = random.Random(size)  # noqa: S311  (as in _rate)
    texts = ["M1:" + base45.encode(rng.randbytes(size)) for _ in range(SYMBOLS)]
    return [(qr.image(qr.modules(text)), text.encode()) for text in texts]


def _ride_symbols() -> list[Symbol]:
    rng = random.Random(RIDE_CODE_SIZE)  # noqa: S311  (as in _rate)
    contents = [b"\x81" + rng.randbytes(RIDE_CODE_SIZE - 1) for _ in range(SYMBOLS)]
    return [(qr.image(qr.modules_of_bytes(content)), content) for content in contents]


def read_rates(*, quick: bool) -> list[Result]:
    """Share of pictures read, our codes beside the 332-byte code."""
    trials = TRIALS_QUICK if quick else TRIALS
    ours = {letter: _our_symbols(size) for letter, size in CODE_SIZES.items()}
    rides = _ride_symbols()
    results = []
    for how in DEGRADATIONS:
        ride_rate = _rate(rides, how, trials)
        for letter, symbols in ours.items():
            results.append(
                Result(
                    name=f"QR class {letter} read, {how.name}",
                    value=_rate(symbols, how, trials),
                    unit="share",
                    reference="332-byte ride code",
                    reference_value=ride_rate,
                )
            )
    return results
