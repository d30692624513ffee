"""Reading symbols in pictures by zxing-cpp, which is loaded with the first picture.

Its loading costs milliseconds, and a process that ends without tidying up tells pages of its
library's types on standard error: whoever reads no picture must know nothing of it.
"""

from typing import NamedTuple

from PIL import Image


class Symbol(NamedTuple):
    """What a symbol says: as text, and as the bytes it was drawn from."""

    text: str
    content: bytes


def symbols_in(picture: Image.Image, *, qr_only: bool = False) -> list[Symbol]:
    """Every symbol that could be read; ``qr_only`` looks for no other kind."""
    import zxingcpp  # noqa: PLC0415  (see above)

    kinds = [zxingcpp.BarcodeFormat.QRCode] if qr_only else []
    found = zxingcpp.read_barcodes(picture, formats=zxingcpp.BarcodeFormats(kinds))
    return [Symbol(one.text, one.bytes) for one in found]
