import subprocess
import sys

import qrcode

from adapters.symbol_reader import symbols_in


def test_text_and_bytes_of_a_symbol_are_read() -> None:
    picture = qrcode.make("CARD:一卡通").get_image()
    for qr_only in (False, True):
        (symbol,) = symbols_in(picture, qr_only=qr_only)
        assert symbol.text == "CARD:一卡通"
        assert symbol.content == "CARD:一卡通".encode()


def test_commands_that_read_no_picture_do_not_load_the_reader() -> None:
    loaded = subprocess.run(
        [sys.executable, "-c", "import sys, adapters.cli.main; print('zxingcpp' in sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert loaded.stdout.strip() == "False"
    assert not loaded.stderr
