"""Every declared route × no proof, wrong scope, another's resource, right caller.

Generated from the declarations: a resource type or an operation that is declared is in here.
"""

from collections.abc import Iterator
from typing import Any, cast

import httpx2

from adapters.demo_city import GATE_MERCHANT
from adapters.fhir.act import VALUES, Taken
from adapters.fhir.acts import acts_of
from adapters.fhir.desk import Desk
from adapters.fhir.kinds import KINDS
from adapters.http.hospital import registration_noun
from adapters.http.hospital_payments import fee_noun
from cardcore.caller import Scope
from tests.adapters.fhir.conftest import Clinic, Day, read
from tests.adapters.fhir.test_refusals import code_of
from tests.adapters.fhir.test_searches import OF_THE_DAY

ACTS = acts_of(cast("Desk", None))
EXAMPLES: dict[str, object] = {
    "string": "X1",
    "code": "auto",
    "boolean": False,
    "integer": 0,
    "decimal": 1,
    "date": "2026-06-01",
    "Money": {"value": 1, "currency": "CNY"},
}


def example_of(taken: Taken, day: Day) -> dict[str, Any]:
    """A parameter as its declaration has it, with the day's resources in it."""
    if taken.parts:
        return {"name": taken.name, "part": [example_of(part, day) for part in taken.parts]}
    value = EXAMPLES.get(taken.type)
    if taken.target is not None:
        value = {"reference": f"{taken.target}/{OF_THE_DAY[taken.target](day)}"}
    return {"name": taken.name, VALUES[taken.type]: value}


def requests_of(day: Day) -> Iterator[tuple[str, str, Scope, bool, dict[str, Any] | None]]:
    """Method, path, scope, whether it names a resource, and body of each route."""
    for kind in KINDS:
        wanted = OF_THE_DAY[kind.name](day)
        yield "GET", f"/fhir/{kind.name}/{wanted}", Scope.HOSPITAL_READ, True, None
        yield "GET", f"/fhir/{kind.name}?_count=1", Scope.HOSPITAL_READ, False, None
    for act in ACTS:
        identity = OF_THE_DAY[act.kind](day)
        said = [example_of(one, day) for one in act.takes if one.min or one.name == "credential"]
        body = {"resourceType": "Parameters", "parameter": said}
        names_one = act.on_one or any(one.target for one in act.takes)
        yield "POST", f"/fhir{act.path.format(id=identity)}", act.scope, names_one, body


async def call(
    http: httpx2.AsyncClient,
    method: str,
    path: str,
    body: dict[str, Any] | None,
    headers: dict[str, str],
) -> httpx2.Response:
    keyed = {**headers, "Idempotency-Key": f"{method}{path}"[:200]} if body else headers
    return await http.request(method, path, json=body, headers=keyed)


async def test_who_may_do_what_on_every_route(clinic: Clinic) -> None:
    day = await clinic.day()
    await clinic.admit("community-system", GATE_MERCHANT)
    await clinic.admit("centre-system", None)
    foreign = await clinic.bearer("community-system")
    centre = await clinic.bearer("centre-system")
    scopes = {Scope.HOSPITAL_READ, *(act.scope for act in ACTS)}
    without = {one: await clinic.bearer("centre-system", one.value) for one in scopes}
    http, wrong, seen = clinic.http, [], 0
    for method, path, scope, names_one, body in requests_of(day):
        nobody = await call(http, method, path, body, {})
        if (nobody.status_code, code_of(nobody)) != (401, "token_missing"):
            wrong.append(f"without proof: {path} → {nobody.status_code}")
        scopeless = await call(http, method, path, body, without[scope])
        if (scopeless.status_code, code_of(scopeless)) != (403, "forbidden"):
            wrong.append(f"without scope: {path} → {scopeless.status_code} {scopeless.text}")
        other = await call(http, method, path, body, foreign)
        if names_one and other.status_code != 404:
            wrong.append(f"another's: {path} → {other.status_code} {other.text}")
        if method == "GET" and not names_one and read(other).get("entry"):
            wrong.append(f"another's list: {path}")
        right = await call(http, method, path, body, centre)
        if right.status_code in (401, 403) or right.status_code >= 500:
            wrong.append(f"right caller: {path} → {right.status_code} {right.text}")
        seen += 1
    assert wrong == []
    assert seen == 2 * len(KINDS) + len(ACTS)


async def test_the_face_describes_what_it_serves(clinic: Clinic) -> None:
    """How: whatever the statement names is asked for, without a token where it is a description."""
    answer = await clinic.http.get("/fhir/metadata")
    (rest,) = read(answer)["rest"]
    served = {one["type"]: one for one in rest["resource"]}
    definitions = served.pop("OperationDefinition")
    assert definitions["interaction"] == [{"code": "read"}]
    assert {name: searched(one) for name, one in served.items()} == {
        kind.name: [(one.name, one.type) for one in kind.parameters] for kind in KINDS
    }
    named = [one for kind in served.values() for one in kind.get("operation", [])]
    assert len(named) == len(ACTS)
    for operation, act in zip(
        sorted(named, key=lambda one: str(one["definition"])),
        sorted(ACTS, key=lambda one: one.definition_id),
        strict=True,
    ):
        told = await clinic.http.get(operation["definition"])
        assert told.status_code == 200
        definition = read(told)
        assert (definition["code"], definition["instance"]) == (act.name, act.on_one)
        taken = [one["name"] for one in definition["parameter"] if one["use"] == "in"]
        assert taken == [one.name for one in act.takes]


def searched(resource: dict[str, Any]) -> list[tuple[str, str]]:
    return [(one["name"], one["type"]) for one in resource["searchParam"]]


def test_every_operation_has_its_native_route_and_its_rules() -> None:
    nouns = (registration_noun(cast("Any", None)), fee_noun(cast("Any", None)))
    native = {f"{one.method} {one.path}": one for noun in nouns for one in noun.operations}
    rules = {act.definition_id: (act.keyed, act.scope) for act in ACTS}
    assert rules == {
        act.definition_id: (native[act.native].keyed, native[act.native].scope) for act in ACTS
    }
