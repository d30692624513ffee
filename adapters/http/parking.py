"""``/v1/parking``: lanes, counters and owners of car parks, and drivers who pay afterwards."""

from datetime import date
from typing import Final

from adapters.http.examples import (
    ALERT_CLAIM,
    ALERT_CLOSING,
    CAR_PARK,
    CONTRACT,
    FIND_STAY,
    MONTH_CARD,
    PASSAGES,
    PAY_STAY,
    TARIFF,
)
from adapters.http.operation import Answer, Call, Noun
from cardcore.business.dispute_errors import DisputeExceedsError
from cardcore.caller import Scope
from cardcore.errors import (
    CodeRefusedError,
    FundUnknownError,
    InsufficientBalanceError,
    LimitExceededError,
    NotFoundError,
    ObligationsOpenError,
    OrderStateError,
    PersonStateError,
    TerminalUnknownError,
    UserFrozenError,
    UserUnknownError,
)
from scenes.parking.errors import (
    AlertStateError,
    CarParkExistsError,
    MonthCardNotSoldError,
    NothingDueError,
    PlateUnprovenError,
)
from scenes.parking.request import (
    ClaimAlertRequest,
    CloseAlertRequest,
    FindStayRequest,
    MonthCardRequest,
    PassagesRequest,
    PayStayRequest,
    RegisterCarParkRequest,
    RegisterTariffRequest,
    SignContractRequest,
)
from scenes.parking.service import ParkingService
from scenes.parking.views import (
    AlertView,
    CarParkView,
    ContractView,
    DayView,
    DriverView,
    MonthCardView,
    PassagesView,
    PaymentView,
    StaysView,
    StayView,
)

_SHOWN: Final = (
    CodeRefusedError,
    UserUnknownError,
    UserFrozenError,
    FundUnknownError,
    InsufficientBalanceError,
    LimitExceededError,
    TerminalUnknownError,
)


def parking_noun(parking: ParkingService) -> Noun:
    """The operations of the parking scene."""
    noun = Noun("parking", "Car parks: what lanes read, what stays cost, who pays afterwards.")
    _lanes(noun, parking)
    _owners(noun, parking)
    _drivers(noun, parking)
    _alerts(noun, parking)
    return noun


def _lanes(noun: Noun, parking: ParkingService) -> None:
    @noun.operation(
        "POST",
        "/v1/parking/passages",
        summary="Readings of plates",
        body=PassagesRequest,
        reply=PassagesView,
        body_bytes_max=256 * 1024,
        scope=Scope.PARKING_EVENTS,
        examples={"a car leaves": PASSAGES},
    )
    async def take_passages(call: Call[PassagesRequest]) -> Answer:
        """Live ones and late ones, in any order; one result each, from a closed list.

        `lane_id` and `event_no` name a reading: sent again it changes nothing and is answered as
        things stand.
        """
        return Answer(view=await parking.passages(call.caller, call.body))

    @noun.operation(
        "POST",
        "/v1/parking/stays/search",
        summary="Find the stay of a plate",
        body=FindStayRequest,
        reply=StaysView,
        scope=Scope.PARKING_EVENTS,
        refusals=(NotFoundError,),
        examples={"at the kiosk": FIND_STAY},
    )
    async def find_stays(call: Call[FindStayRequest]) -> Answer:
        """The stay of a car that is here, and unpaid ones of its plate at any car park."""
        return Answer(view=await parking.find_stays(call.caller, call.body))

    @noun.operation(
        "POST",
        "/v1/parking/stays/{stay_id}/payments",
        summary="Pay a stay by code",
        body=PayStayRequest,
        reply=PaymentView,
        status=201,
        keyed=True,
        scope=Scope.PARKING_EVENTS,
        refusals=(NotFoundError, NothingDueError, *_SHOWN),
        examples={"at the exit": PAY_STAY},
    )
    async def pay_stay(call: Call[PayStayRequest]) -> Answer:
        """What is due at this instant, whoever shows the code.

        Before the exit, some minutes are left to leave. A stay at another car park may be paid
        here: the money is its owner's.
        """
        view, replayed = await parking.pay_stay(
            call.caller, call.id("stay_id"), call.body, call.key
        )
        return Answer(view=view, replayed=replayed)

    @noun.operation(
        "POST",
        "/v1/parking/month-cards",
        summary="Buy a month card",
        body=MonthCardRequest,
        reply=MonthCardView,
        status=201,
        keyed=True,
        scope=Scope.PARKING_EVENTS,
        refusals=(NotFoundError, MonthCardNotSoldError, *_SHOWN),
        examples={"by code": MONTH_CARD},
    )
    async def buy_month_card(call: Call[MonthCardRequest]) -> Answer:
        """Months of 30 days for one plate. What it covers costs nothing; the rest by the tariff."""
        view, replayed = await parking.drivers.buy_month_card(call.caller, call.body, call.key)
        return Answer(view=view, replayed=replayed)


def _owners(noun: Noun, parking: ParkingService) -> None:
    @noun.operation(
        "POST",
        "/v1/parking/car-parks",
        summary="Register a car park",
        body=RegisterCarParkRequest,
        reply=CarParkView,
        status=201,
        scope=Scope.PARKING_WRITE,
        refusals=(CarParkExistsError,),
        examples={"by the east gate": CAR_PARK},
    )
    async def register_car_park(call: Call[RegisterCarParkRequest]) -> Answer:
        """With lanes (terminals of the merchant) and first tariff. Its code is the key."""
        return Answer(view=await parking.register_car_park(call.caller, call.body))

    @noun.operation(
        "POST",
        "/v1/parking/car-parks/{car_park_id}/tariffs",
        summary="Add a version of a tariff",
        body=RegisterTariffRequest,
        reply=CarParkView,
        status=201,
        scope=Scope.PARKING_WRITE,
        refusals=(NotFoundError,),
        examples={"from next month": TARIFF},
    )
    async def register_tariff(call: Call[RegisterTariffRequest]) -> Answer:
        """For stays that begin at or after `valid_from`; the others keep theirs."""
        return Answer(
            view=await parking.register_tariff(call.caller, call.path["car_park_id"], call.body)
        )

    @noun.operation(
        "GET",
        "/v1/parking/car-parks/{car_park_id}",
        summary="Read a car park",
        reply=CarParkView,
        scope=Scope.PARKING_READ,
        refusals=(NotFoundError,),
    )
    async def read_car_park(call: Call[None]) -> Answer:
        """Lanes, all versions of its tariff, cars inside."""
        return Answer(view=await parking.car_park(call.caller, call.path["car_park_id"]))

    @noun.operation(
        "GET",
        "/v1/parking/car-parks/{car_park_id}/days/{business_on}",
        summary="A car park's business date",
        reply=DayView,
        scope=Scope.PARKING_READ,
        refusals=(NotFoundError,),
    )
    async def read_day(call: Call[None]) -> Answer:
        """What the owner gets for it, by kind of charge; what is unpaid."""
        try:
            on = date.fromisoformat(call.path["business_on"])
        except ValueError:
            raise NotFoundError(field="business_on") from None
        return Answer(view=await parking.day(call.caller, call.path["car_park_id"], on))

    @noun.operation(
        "GET",
        "/v1/parking/stays/{stay_id}",
        summary="Read a stay",
        reply=StayView,
        scope=Scope.PARKING_READ,
        refusals=(NotFoundError,),
    )
    async def read_stay(call: Call[None]) -> Answer:
        """What it costs now, what was paid. At another merchant's car park it is not found."""
        return Answer(view=await parking.read_stay(call.caller, call.id("stay_id")))


def _drivers(noun: Noun, parking: ParkingService) -> None:
    @noun.operation(
        "POST",
        "/v1/parking/contracts",
        summary="Sign to pay afterwards",
        body=SignContractRequest,
        reply=ContractView,
        status=201,
        keyed=True,
        scope=Scope.PARKING_WRITE,
        refusals=(
            PlateUnprovenError,
            UserUnknownError,
            PersonStateError,
            FundUnknownError,
            LimitExceededError,
            ObligationsOpenError,
        ),
        examples={"one car": CONTRACT},
    )
    async def sign_contract(call: Call[SignContractRequest]) -> Answer:
        """For one proven plate. Gates open for it from now on; the limit is for all the user's."""
        view, replayed = await parking.drivers.sign_contract(call.caller, call.body, call.key)
        return Answer(view=view, replayed=replayed)

    @noun.operation(
        "POST",
        "/v1/parking/contracts/{contract_id}/end",
        summary="End a contract",
        reply=ContractView,
        scope=Scope.PARKING_WRITE,
        refusals=(NotFoundError,),
    )
    async def end_contract(call: Call[None]) -> Answer:
        """The plate pays first from now on. What is owed stays owed."""
        return Answer(view=await parking.drivers.end_contract(call.caller, call.id("contract_id")))

    @noun.operation(
        "GET",
        "/v1/parking/drivers/{user_id}",
        summary="How a driver stands",
        reply=DriverView,
        scope=Scope.PARKING_READ,
    )
    async def read_driver(call: Call[None]) -> Answer:
        """Contracts, debt, notices, alerts of their plates."""
        return Answer(view=await parking.drivers.driver(call.caller, call.id("user_id")))

    @noun.operation(
        "POST",
        "/v1/parking/drivers/{user_id}/collection",
        summary="Pay what is owed out of the purse, now",
        reply=DriverView,
        scope=Scope.PARKING_WRITE,
    )
    async def collect(call: Call[None]) -> Answer:
        """As far as the purse reaches. When nothing is owed, the grey list is left at once."""
        return Answer(view=await parking.drivers.collect(call.caller, call.id("user_id")))


def _alerts(noun: Noun, parking: ParkingService) -> None:
    @noun.operation(
        "GET",
        "/v1/parking/alerts/{alert_id}",
        summary="Read an alert",
        reply=AlertView,
        scope=Scope.PARKING_READ,
        refusals=(NotFoundError,),
    )
    async def read_alert(call: Call[None]) -> Answer:
        """One plate in two places, with what was seen there."""
        return Answer(view=await parking.drivers.alert(call.caller, call.id("alert_id")))

    @noun.operation(
        "POST",
        "/v1/parking/alerts/{alert_id}/claim",
        summary="Say which stay was not theirs",
        body=ClaimAlertRequest,
        reply=AlertView,
        scope=Scope.PARKING_WRITE,
        refusals=(NotFoundError, AlertStateError, OrderStateError, DisputeExceedsError),
        examples={"the other one": ALERT_CLAIM},
    )
    async def claim_alert(call: Call[ClaimAlertRequest]) -> Answer:
        """What that stay cost the citizen is disputed as `not_recognised`; see `/v1/disputes`."""
        return Answer(
            view=await parking.drivers.claim_alert(call.caller, call.id("alert_id"), call.body)
        )

    @noun.operation(
        "POST",
        "/v1/parking/alerts/{alert_id}/closing",
        summary="Close an alert",
        body=CloseAlertRequest,
        reply=AlertView,
        scope=Scope.PARKING_WRITE,
        refusals=(NotFoundError, AlertStateError),
        examples={"copied": ALERT_CLOSING},
    )
    async def close_alert(call: Call[CloseAlertRequest]) -> Answer:
        """An operator has found out; the plate may pay afterwards again."""
        return Answer(
            view=await parking.drivers.close_alert(call.caller, call.id("alert_id"), call.body)
        )
