"""Pictures: read back by an independent reader, in the version the design promises."""

import io
import re

import pytest
import zxingcpp
from PIL import Image

from codes import jtt, qr
from tests.codes import city
from tests.codes.test_jtt import GOOD as RIDE_CODE


def _read(picture: Image.Image) -> zxingcpp.Barcode:
    (found,) = zxingcpp.read_barcodes(picture)
    return found


@pytest.mark.parametrize(("letter", "side"), [("S", 45), ("D", 57), ("P", 41)])
def test_a_png_is_read_back_by_another_reader(letter: str, side: int) -> None:
    """How: side is 17 + 4 * version; class D is version 10, S 7, P 6."""
    text = city.CODE_OF_CLASS[letter]()
    assert len(qr.modules(text)) == side
    picture = Image.open(io.BytesIO(qr.png(text)))
    assert picture.size == ((side + 8) * 6,) * 2
    found = _read(picture.convert("L"))
    assert found.text == text
    assert found.ec_level == "M"


def test_an_svg_draws_the_same_modules() -> None:
    text = city.code_s()
    drawing = qr.svg(text)
    rows = qr.modules(text)
    drawn = {
        (int(x) + step - 4, int(y) - 4)
        for x, y, length in re.findall(r"M(\d+) (\d+)h(\d+)v1", drawing)
        for step in range(int(length))
    }
    assert drawn == {(x, y) for y, row in enumerate(rows) for x, dark in enumerate(row) if dark}


def test_what_alphanumeric_mode_lacks_is_refused() -> None:
    with pytest.raises(ValueError, match="represented"):
        qr.png("m1:lower")


def test_a_ride_code_is_drawn_in_byte_mode() -> None:
    rows = qr.modules_of_bytes(RIDE_CODE)
    assert len(rows) == 17 + 4 * 14
    found = _read(qr.image(rows, module_px=4))
    assert jtt.read(found.bytes) == jtt.read(RIDE_CODE)
