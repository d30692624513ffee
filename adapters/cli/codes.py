"""``cardcore codes``: look at a code, draw it, size status lists, show hostile input."""

import dataclasses
import json
import random
import sys
import zlib
from collections.abc import Sequence
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.table import Table

import codes
from adapters.bench.mutated_codes import ANSWER_MS_MAX, Fuzzer
from codes import Status
from codes.card_hash_list import HASH_SIZE_DEFAULT
from codes.status_list import encode_changes, pack

app = typer.Typer(help="Codes and status lists.", no_args_is_help=True)

SIZES: Final = (300_000, 1_000_000, 10_000_000)
RATES: Final = (0.001, 0.01, 0.05)
# Share of the denied that is new since the delta before; five minutes of a busy day.
CHANGED_SHARE: Final = 0.001
FUZZ_COUNT_DEFAULT: Final = 1_000_000
FUZZ_STEP: Final = 20_000


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StatusSize:
    """Bytes that one population takes in each form."""

    entry_count: int
    denied_share: float
    raw_bytes: int
    full_bytes: int
    delta_bytes: int
    card_hash_bytes: int


def status_size(entry_count: int, denied_share: float, seed: int = 1) -> StatusSize:
    """Sizes for a population in which this share, evenly spread, is revoked."""
    rng = random.Random(seed)  # noqa: S311  (a population to measure, no secret)
    denied = rng.sample(range(entry_count), int(entry_count * denied_share))
    packed = pack(dict.fromkeys(denied, Status.REVOKED), entry_count)
    more = rng.sample(range(entry_count), max(1, int(len(denied) * CHANGED_SHARE)))
    changed = pack(dict.fromkeys([*denied, *more], Status.REVOKED), entry_count)
    return StatusSize(
        entry_count=entry_count,
        denied_share=denied_share,
        raw_bytes=len(packed),
        full_bytes=len(zlib.compress(packed, 9)),
        delta_bytes=len(encode_changes(packed, changed)[1]),
        card_hash_bytes=HASH_SIZE_DEFAULT * len(denied),
    )


@app.command("status-sizes")
def status_sizes(
    *,
    entries: Annotated[
        list[int] | None, typer.Option(help="Population; default 300 k, 1 M and 10 M.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Print the size of status lists: raw, full, delta, and as truncated card hashes."""
    populations: Sequence[int] = entries or SIZES
    sizes = [status_size(count, share) for count in populations for share in RATES]
    if as_json:
        _print_json([dataclasses.asdict(size) for size in sizes])
        return
    table = Table("entries", "denied", "raw", "full, zlib", "delta", "card hashes")
    for size in sizes:
        table.add_row(
            f"{size.entry_count:,}",
            f"{size.denied_share:.1%}",
            *(
                f"{number:,} B"
                for number in (
                    size.raw_bytes,
                    size.full_bytes,
                    size.delta_bytes,
                    size.card_hash_bytes,
                )
            ),
        )
    Console().print(table)


@app.command()
def show(
    text: Annotated[str, typer.Argument(help="Scanned text, or - for standard input.")],
) -> None:
    """Print the fields of a code. Signatures are not checked: nothing shown here is proven."""
    if text == "-":
        text = sys.stdin.readline().rstrip("\r\n")
    try:
        code = codes.decode(text)
    except codes.CodeError as refusal:
        Console(stderr=True).print(f"[red]{refusal.code}[/] {refusal.detail}")
        raise typer.Exit(1) from None
    _print_json({"class": code.code_class.name} | _plain(dataclasses.asdict(code)))


@app.command()
def draw(
    text: Annotated[str, typer.Argument(help="Text of the code.")],
    file: Annotated[Path, typer.Argument(help="File to write, .png or .svg.")],
) -> None:
    """Draw a code as a QR symbol."""
    # Drawing needs an imaging library that the other commands do without.
    from codes import qr  # noqa: PLC0415  (see above)

    try:
        if file.suffix == ".svg":
            file.write_text(qr.svg(text), encoding="utf-8")
        elif file.suffix == ".png":
            file.write_bytes(qr.png(text))
        else:
            raise typer.BadParameter("the file must end in .png or .svg")
    except ValueError as problem:
        raise typer.BadParameter(f"not the text of a code: {problem}") from None


@app.command()
def fuzz(
    *,
    count: Annotated[int, typer.Option(help="Mutated codes to show.", min=1)] = FUZZ_COUNT_DEFAULT,
    seed: Annotated[int, typer.Option(help="Same seed, same mutations.")] = 1,
) -> None:
    """Show mutated codes of every class and suite; exit code 1 on any acceptance or crash."""
    console = Console()
    fuzzer = Fuzzer(seed)
    report = fuzzer.report
    while report.shown < count:
        fuzzer.run(min(FUZZ_STEP, count - report.shown))
        if sys.stdout.isatty():
            console.print(f"{report.shown:,} of {count:,}", end="\r")
    for code, times in report.refusals.most_common():
        console.print(f"{code}: {times:,}")
    console.print(
        f"seed {seed}: {report.shown:,} shown, {len(report.accepted)} accepted, "
        f"{len(report.crashed)} crashed, {report.printed_twins} twins of printed codes, "
        f"slowest answer {report.slowest_ms:.2f} ms, {report.slow} above {ANSWER_MS_MAX:g} ms, "
        f"{report.paused} above it the first time only"
    )
    for finding in (*report.accepted, *report.crashed):
        console.print(finding, markup=False)
    raise typer.Exit(0 if report.is_clean else 1)


def _plain(value: Any) -> Any:  # noqa: ANN401  (any JSON value)
    """Bytes as hex, enumeration members as numbers."""
    if isinstance(value, dict):
        return {name: _plain(member) for name, member in value.items()}
    if isinstance(value, bytes):
        return value.hex()
    return value.value if isinstance(value, Enum) else value


def _print_json(value: object) -> None:
    print(json.dumps(value, ensure_ascii=False, indent=2))  # noqa: T201  (its purpose)
