"""Pictures of a code's text: QR symbols as PNG and SVG, error correction level M.

The alphabet of base45 is that of QR alphanumeric mode, so a class D code fits version 10. Text mode
only: some scanners mangle binary symbols. Drawing takes 15 to 30 ms: keep it out of an event loop,
draw once and cache. Source: ISO/IEC 18004.
"""

import io
from typing import Final

import qrcode
from PIL import Image
from qrcode.util import QRData

QUIET_ZONE_MODULES: Final = 4
MODULE_PX_DEFAULT: Final = 6
_MODE_ALPHANUMERIC: Final = 2  # as in the symbol itself (ISO/IEC 18004, table 2)
_MODE_BYTE: Final = 4


def modules(text: str) -> list[list[bool]]:
    """The symbol's modules without quiet zone, True = dark, row by row.

    Raises:
        ValueError: ``text`` has a character that alphanumeric mode lacks, or is too long.
    """
    return _modules(QRData(text.encode("ascii"), mode=_MODE_ALPHANUMERIC))


def modules_of_bytes(data: bytes) -> list[list[bool]]:
    """As ``modules`` in byte mode, for foreign codes that are binary."""
    return _modules(QRData(data, mode=_MODE_BYTE))


def _modules(data: QRData) -> list[list[bool]]:
    symbol = qrcode.QRCode(error_correction=qrcode.ERROR_CORRECT_M, border=0)
    symbol.add_data(data, optimize=0)
    symbol.make(fit=True)
    return [[bool(dark) for dark in row] for row in symbol.get_matrix()]


def image(rows: list[list[bool]], module_px: int = MODULE_PX_DEFAULT) -> Image.Image:
    """Grey picture with the quiet zone around it, ``module_px`` pixels per module."""
    side = len(rows)
    pixels = bytes(0 if dark else 255 for row in rows for dark in row)
    whole = side + 2 * QUIET_ZONE_MODULES
    picture = Image.new("L", (whole, whole), 255)
    picture.paste(Image.frombytes("L", (side, side), pixels), (QUIET_ZONE_MODULES,) * 2)
    return picture.resize((whole * module_px,) * 2, Image.Resampling.NEAREST)


def png(text: str, module_px: int = MODULE_PX_DEFAULT) -> bytes:
    """PNG of ``text``. Raises as ``modules``."""
    file = io.BytesIO()
    image(modules(text), module_px).convert("1").save(file, "PNG", optimize=True)
    return file.getvalue()


def svg(text: str) -> str:
    """SVG of ``text``, one path, unit = module. Raises as ``modules``."""
    rows = modules(text)
    whole = len(rows) + 2 * QUIET_ZONE_MODULES
    path = "".join(
        f"M{start + QUIET_ZONE_MODULES} {y + QUIET_ZONE_MODULES}h{length}v1h-{length}z"
        for y, row in enumerate(rows)
        for start, length in _runs(row)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {whole} {whole}" '
        f'shape-rendering="crispEdges"><path fill="#fff" d="M0 0h{whole}v{whole}H0z"/>'
        f'<path d="{path}"/></svg>'
    )


def _runs(row: list[bool]) -> list[tuple[int, int]]:
    """(start, length) of each run of dark modules."""
    runs: list[tuple[int, int]] = []
    for x, dark in enumerate(row):
        if not dark:
            continue
        if runs and sum(runs[-1]) == x:
            runs[-1] = (runs[-1][0], runs[-1][1] + 1)
        else:
            runs.append((x, 1))
    return runs
