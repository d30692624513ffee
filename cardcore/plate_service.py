"""The verbs about plates: bound, proven, read by a camera."""

from uuid import UUID

from cardcore.acts import Acting, Acts, Outcome
from cardcore.books import transaction
from cardcore.caller import Caller, Scope
from cardcore.errors import ForbiddenError, PersonStateError
from cardcore.parts import Parts
from cardcore.user.life import Status
from cardcore.user.people_request import Act, BindPlateRequest
from cardcore.user.people_views import LifeEventView
from cardcore.user.plates import (
    OwnPlate,
    PlateReading,
    bind_with_proof,
    proven_plates,
    read_plate,
    withdraw_proof,
)

Done = tuple[LifeEventView, bool]


class PlateService:
    """Serves plates."""

    def __init__(self, parts: Parts, acts: Acts) -> None:
        self._parts = parts
        self._acts = acts

    async def bind_plate(
        self, caller: Caller, user_id: UUID, request: BindPlateRequest, idempotency_key: str
    ) -> Done:
        """Bind a car's plate; the event's ``object`` is the credential. See ``plates``.

        Raises:
            RequestInvalidError: not a plate number.
            PersonExistsError: it is bound to somebody else, who has proved it or need not yet.
        """

        async def work(acting: Acting) -> Outcome:
            person = await self._acts.person(acting, user_id)
            if person.status != Status.ACTIVE:
                raise PersonStateError(field="user_id", status=person.status)
            key = await self._acts.people.key_of(acting.connection, person)
            credential_id = await bind_with_proof(
                acting.connection,
                self._acts.data,
                key,
                person.user_id,
                request.plate,
                proof=request.proof,
                doing=acting.doing,
            )
            return Outcome(user_id=person.user_id, of=str(credential_id))

        return await self._acts.perform(
            caller,
            Scope.USERS_WRITE,
            kind="plate_bound",
            subject=f"user/{user_id}",
            request=request,
            key=idempotency_key,
            work=work,
        )

    async def withdraw_plate_proof(
        self, caller: Caller, credential_id: UUID, request: Act, idempotency_key: str
    ) -> Done:
        """A plate is only said to be theirs from now on; nobody pays by it.

        Raises:
            NotFoundError: no such credential.
            PersonStateError: it is not proven.
        """

        async def work(acting: Acting) -> Outcome:
            whose = await withdraw_proof(acting.connection, credential_id, acting.doing)
            return Outcome(user_id=whose, of=str(credential_id))

        return await self._acts.perform(
            caller,
            Scope.USERS_WRITE,
            kind="plate_proof_withdrawn",
            subject=f"credential/{credential_id}",
            request=request,
            key=idempotency_key,
            work=work,
        )

    async def read_plate(self, caller: Caller, plate: str) -> PlateReading:
        """Whose plate a camera has read. For scenes of our own: no merchant may ask.

        Nothing of the person is opened, so no look is written down.

        Raises:
            RequestInvalidError: not a plate number.
        """
        caller.require(Scope.USERS_READ)
        if caller.merchant_id is not None:
            raise ForbiddenError("whose plate it is, is not told to merchants", field="plate")
        async with transaction(self._parts.engine) as (connection, _):
            return await read_plate(connection, self._acts.data, plate)

    async def proven_plates(self, caller: Caller, user_id: UUID) -> list[OwnPlate]:
        """The plates proven to be a person's, as hashes. For scenes of our own, for that person.

        Nothing of the person is opened, so no look is written down.
        """
        caller.require(Scope.USERS_READ)
        if caller.merchant_id is not None:
            raise ForbiddenError("whose plates they are, is not told to merchants")
        async with transaction(self._parts.engine) as (connection, _):
            return await proven_plates(connection, user_id)
