"""Which line of an order gives back how much. Pure.

The line that paid last gives back first: subsidies stand behind the citizen's funds and a second
fund behind the first, so what was drawn last returns first.
"""

from collections.abc import Mapping, Sequence

from cardcore.business.orders import OrderLine
from cardcore.errors import RefundExceedsError


def split_refund(
    amount_fen: int | None,
    lines: Sequence[OrderLine],
    captured_fen: Mapping[int, int],
    refunded_fen: Mapping[int, int],
) -> list[tuple[OrderLine, int]]:
    """Share a refund over the lines, last line first.

    Args:
        amount_fen: how much of the order's nominal value, or None for all that is left.
        lines: the order's lines.
        captured_fen: by line number, what was captured.
        refunded_fen: by line number, what was given back before; absent means 0.

    Returns:
        Lines and what each gives back, > 0; the sum is the refund.

    Raises:
        RefundExceedsError: more than is left, or nothing is left.
    """
    left = [
        (line, captured_fen.get(line.line_no, 0) - refunded_fen.get(line.line_no, 0))
        for line in lines
    ]
    left_fen = sum(fen for _, fen in left)
    missing_fen = left_fen if amount_fen is None else amount_fen
    if missing_fen > left_fen or missing_fen == 0:
        raise RefundExceedsError(field="amount_fen", left_fen=left_fen)
    shares: list[tuple[OrderLine, int]] = []
    for line, fen in reversed(left):
        given_fen = min(fen, missing_fen)
        if given_fen:
            shares.append((line, given_fen))
            missing_fen -= given_fen
    assert missing_fen == 0
    return shares


def split_by_rule(
    shares_fen: Mapping[str, int],
    lines: Sequence[OrderLine],
    captured_fen: Mapping[int, int],
    refunded_fen: Mapping[int, int],
) -> list[tuple[OrderLine, int]]:
    """As ``split_refund``, where it is said how much goes back by which rule.

    Args:
        shares_fen: by rule id, how much of its lines; each > 0.
        lines: the order's lines.
        captured_fen: by line number, what was captured.
        refunded_fen: by line number, what was given back before; absent means 0.

    Raises:
        RefundExceedsError: more than is left of a rule's lines; ``facts`` name the rule.
    """
    shares: list[tuple[OrderLine, int]] = []
    for rule_id, amount_fen in shares_fen.items():
        of_rule = [line for line in lines if line.rule_id == rule_id]
        try:
            shares += split_refund(amount_fen, of_rule, captured_fen, refunded_fen)
        except RefundExceedsError as exceeds:
            left_fen = exceeds.facts["left_fen"]
            raise RefundExceedsError(field="shares", rule_id=rule_id, left_fen=left_fen) from None
    return shares
