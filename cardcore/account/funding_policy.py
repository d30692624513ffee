"""Plans and programmes as rows with versions, and the copy of them that orders are funded by.

Every change is a new version of the whole policy. The writer of orders reads the greatest version
in the one statement that reads its other facts, so a change made by any process holds from the
next batch of every process on, and the version on an order's line is the one that chose its fund.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime

from sqlalchemy import func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection
from typing_extensions import override

from cardcore import tables
from cardcore.account.fund_tables import fund_regime, funding_policy, subsidy_programme
from cardcore.account.funding_plan import SUBSIDY, FundingPolicy, Programme
from cardcore.connections import RawConnection
from cardcore.errors import FundUnknownError


class FundingPlans(Mapping[str, Sequence[str]]):
    """The policy as this process knows it; as a mapping, the steps of each scene's plan."""

    def __init__(self, policy: FundingPolicy | None = None) -> None:
        self._policy = policy or FundingPolicy()

    @property
    def version(self) -> int:
        """The version known here."""
        return self._policy.version

    def kinds(self, scene: str, merchant_id: str, on: date) -> tuple[str, ...]:
        """Kinds of funds a purchase may draw on, first to last."""
        return self._policy.kinds(scene, merchant_id, on)

    async def refresh(self, connection: RawConnection) -> None:
        """Read the policy again."""
        self._policy = await read_policy(connection)

    @override
    def __getitem__(self, scene: str) -> Sequence[str]:
        return self._policy.plans[scene]

    @override
    def __iter__(self) -> Iterator[str]:
        return iter(self._policy.plans)

    @override
    def __len__(self) -> int:
        return len(self._policy.plans)


async def read_policy(connection: RawConnection) -> FundingPolicy:
    """The policy of the greatest version."""
    found = await connection.execute(
        """
        SELECT (SELECT max(version) FROM cardcore.funding_policy),
               (SELECT json_agg(json_build_array(p.scene, p.step) ORDER BY p.scene, p.position)
                  FROM cardcore.funding_plan p
                 WHERE p.version = (SELECT max(version) FROM cardcore.funding_plan l
                                     WHERE l.scene = p.scene)),
               (SELECT json_agg(json_build_array(p.programme, p.payer, p.scenes, p.merchants,
                                                 p.valid_from, p.valid_to))
                  FROM (SELECT DISTINCT ON (programme) * FROM cardcore.subsidy_programme
                         ORDER BY programme, version DESC) p)
        """
    )
    row = await found.fetchone()
    assert row is not None
    plans: dict[str, list[str]] = {}
    for scene, step in row[1] or ():
        plans.setdefault(scene, []).append(step)
    return FundingPolicy(
        version=row[0],
        plans=plans,
        programmes=tuple(
            Programme(
                kind=kind,
                payer=payer,
                scenes=frozenset(scenes),
                merchants=frozenset(merchants),
                valid_from=date.fromisoformat(valid_from),
                valid_to=date.fromisoformat(valid_to),
            )
            for kind, payer, scenes, merchants, valid_from, valid_to in row[2] or ()
        ),
    )


async def set_plan(
    connection: AsyncConnection,
    scene: str,
    steps: Sequence[str],
    *,
    client_id: str,
    reason: str,
    now: datetime,
) -> int:
    """Give a scene a plan.

    Args:
        connection: of the caller's transaction.
        scene: code of the scene; that it exists is the caller's to know.
        steps: kinds of funds in yuan, or ``subsidy``; first to last, none twice, at least one.
        client_id: who does it.
        reason: why.
        now: when.

    Returns:
        The version of the policy from which it holds.

    Raises:
        FundUnknownError: a step is neither, or is one programme's (those come with ``subsidy``).
    """
    assert steps
    assert len(set(steps)) == len(steps)
    kind, regime = tables.fund_kind.c, fund_regime
    found = await connection.execute(
        select(kind.kind)
        .join(regime, regime.c.regime == kind.regime)
        .where(kind.unit == "fen", regime.c.nature != "restricted")
    )
    allowed = {SUBSIDY, *found.scalars()}
    for step in steps:
        if step not in allowed:
            raise FundUnknownError(f"a plan cannot draw on {step!r}", field="steps")
    version = await next_version(
        connection, f"plan:{scene}", client_id=client_id, reason=reason, now=now
    )
    await connection.execute(
        insert(tables.funding_plan),
        [
            {"scene": scene, "version": version, "position": position, "step": step}
            for position, step in enumerate(steps, start=1)
        ],
    )
    return version


async def set_programme(
    connection: AsyncConnection,
    programme: Programme,
    *,
    client_id: str,
    reason: str,
    now: datetime,
) -> int:
    """Say what a programme's money may be spent on from now on.

    Returns:
        The version of the policy from which it holds.
    """
    version = await next_version(
        connection, f"programme:{programme.kind}", client_id=client_id, reason=reason, now=now
    )
    await connection.execute(
        insert(subsidy_programme).values(
            programme=programme.kind,
            version=version,
            payer=programme.payer,
            scenes=sorted(programme.scenes),
            merchants=sorted(programme.merchants),
            valid_from=programme.valid_from,
            valid_to=programme.valid_to,
        )
    )
    return version


async def next_version(
    connection: AsyncConnection, subject: str, *, client_id: str, reason: str, now: datetime
) -> int:
    """Begin a version of the policy. Two at once meet at the primary key; the later tries again."""
    last = await connection.execute(select(func.max(funding_policy.c.version)))
    version: int = last.scalar_one() + 1
    await connection.execute(
        insert(funding_policy).values(
            version=version, subject=subject, client_id=client_id, reason=reason, recorded_at=now
        )
    )
    return version
