"""Settlement at a glance, for who keeps an eye on it: the last windows, and what stands open."""

from datetime import date

from cardcore.connections import RawConnection
from cardcore.model import Model
from cardcore.settlement.states import WindowState

_WINDOWS = """
SELECT w.number, w.state, w.business_on, count(s.merchant_id), coalesce(sum(s.fee_taken_fen), 0),
       coalesce(sum(s.payout_fen), 0),
       coalesce(sum(s.payout_fen) FILTER (WHERE p.state = 'held'), 0),
       coalesce(sum(s.payout_fen) FILTER (WHERE p.state = 'refused'), 0),
       count(*) FILTER (WHERE s.held_back IN ('no_payee', 'custody_short'))
  FROM cardcore.settlement_window w
  LEFT JOIN cardcore.settlement_statement s USING (number)
  LEFT JOIN cardcore.settlement_payout p ON p.payout_id = s.statement_id
 GROUP BY w.number ORDER BY w.number DESC LIMIT %s
"""
_DIFFERENCES = """
SELECT source, kind, count(*), min(business_on) FROM cardcore.settlement_difference
 WHERE closed_at IS NULL GROUP BY source, kind ORDER BY source, kind
"""


class WindowSums(Model):
    """A window in one line; ``unpaid`` counts merchants whose money is carried though it is due."""

    number: int
    state: WindowState
    business_on: date | None
    merchants: int
    fees_fen: int
    payouts_fen: int
    held_fen: int
    refused_fen: int
    unpaid: int


class StandingDifferences(Model):
    """How many differences of a source and kind stand, and since which date."""

    source: str
    kind: str
    count: int
    since: date


class Overview(Model):
    """The last windows, newest first, and differences that stand."""

    windows: list[WindowSums]
    differences: list[StandingDifferences]

    @property
    def ok(self) -> bool:
        """Whether nothing waits for a person."""
        return not self.differences and not any(
            one.state is WindowState.FAILED or one.unpaid for one in self.windows[:2]
        )


async def read_overview(raw: RawConnection, windows_max: int) -> Overview:
    """The overview as it stands."""
    found = await raw.execute(_WINDOWS, (windows_max,))
    names = tuple(WindowSums.model_fields)
    windows = [WindowSums(**dict(zip(names, row, strict=True))) for row in await found.fetchall()]
    found = await raw.execute(_DIFFERENCES)
    names = tuple(StandingDifferences.model_fields)
    return Overview(
        windows=windows,
        differences=[
            StandingDifferences(**dict(zip(names, row, strict=True)))
            for row in await found.fetchall()
        ],
    )
