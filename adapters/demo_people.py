"""People of the demo city with an account in the simulated host app. All synthetic."""

from typing import Final

from adapters.demo.job import PEOPLE
from adapters.partners.host_app import HostAccount
from adapters.wiring import City
from cardcore.account.request import TopUpRequest
from cardcore.caller import Caller, Scope
from cardcore.user.request import OpenUserRequest

FIRST_TOPUP_FEN: Final = 5_000
_CENTRE: Final = Caller(
    client_id="card-centre",
    merchant_id=None,
    scopes=frozenset({Scope.USERS_WRITE.value, Scope.FUNDS_WRITE.value}),
)


async def load(city: City) -> list[HostAccount]:
    """Open them with 50 yuan each; doing it again changes nothing."""
    accounts = []
    for person in PEOPLE:
        request = OpenUserRequest(name=person.name, id_no=person.id_no, funds=["transit"])
        user, _ = await city.core.open_user(_CENTRE, request, f"host-app/{person.role}")
        topup = TopUpRequest(
            fund="transit",
            amount_fen=FIRST_TOPUP_FEN,
            channel="test",
            channel_no=f"HOST-APP-{person.role.upper()}",
        )
        await city.core.top_up(_CENTRE, user.user_id, topup, f"host-app/{person.role}/topup")
        accounts.append(HostAccount(name=person.name, user_id=user.user_id))
    return accounts
