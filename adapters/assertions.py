"""Asserts guard money: a program running without them must not start."""


def refuse_optimised_python() -> None:
    """Let nothing start without assertions.

    Raises:
        SystemExit: Python was started with ``-O``.
    """
    if not __debug__:
        raise SystemExit("cardcore does not run under python -O: its assertions guard money")
