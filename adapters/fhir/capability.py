"""What the face says of itself: a CapabilityStatement and OperationDefinitions. Pure.

Both are made of the declarations that make the routes, so what they say is what is served.
Source: FHIR R4B, ``capabilitystatement.html``, ``operationdefinition.html``.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from adapters.fhir.act import Act, Taken
from adapters.fhir.datatypes import coding, instant
from adapters.fhir.json_text import Tree, present
from adapters.fhir.kind import Kind

FHIR_VERSION: Final = "4.3.0"
FORMAT: Final = "application/fhir+json"
_SECURITY: Final = "http://terminology.hl7.org/CodeSystem/restful-security-service"
_PUBLISHER: Final = "cardcore"


def capability_statement(
    kinds: Sequence[Kind], acts: Sequence[Act], *, base_url: str, version: str, since: datetime
) -> Tree:
    """The CapabilityStatement of the face.

    Args:
        kinds: the resource types served.
        acts: the operations served.
        base_url: address of the face.
        version: of this software.
        since: when this face was put together.
    """
    return {
        "resourceType": "CapabilityStatement",
        "url": f"{base_url}/metadata",
        "version": version,
        "name": "CardcoreHospital",
        "title": "市民卡医院场景 · hospital scene of the citizen card",
        "status": "active",
        "date": instant(since),
        "publisher": _PUBLISHER,
        "kind": "instance",
        "software": {"name": _PUBLISHER, "version": version},
        "implementation": {"description": "市民卡核心 · citizen-card core", "url": base_url},
        "fhirVersion": FHIR_VERSION,
        "format": [FORMAT, "json"],
        "rest": [
            {
                "mode": "server",
                "documentation": (
                    "Unknown search parameters are refused unless Prefer: handling=lenient. "
                    "Operations that change something demand an Idempotency-Key."
                ),
                "security": {
                    "service": [{"coding": [coding(_SECURITY, "OAuth")], "text": "OAuth 2.0"}],
                    "description": "Bearer tokens of POST /v1/oauth/token (client credentials)",
                },
                "resource": [
                    *(_resource(kind, acts, base_url) for kind in kinds),
                    {"type": "OperationDefinition", "interaction": [{"code": "read"}]},
                ],
            }
        ],
    }


def _resource(kind: Kind, acts: Sequence[Act], base_url: str) -> Tree:
    return present(
        type=kind.name,
        documentation=kind.words,
        interaction=[{"code": "read"}, {"code": "search-type"}],
        versioning="no-version",
        readHistory=False,
        updateCreate=False,
        conditionalCreate=False,
        conditionalUpdate=False,
        searchParam=[
            {"name": one.name, "type": one.type, "documentation": one.words}
            for one in kind.parameters
        ],
        operation=[
            {
                "name": act.name,
                "definition": f"{base_url}/OperationDefinition/{act.definition_id}",
                "documentation": act.words,
            }
            for act in acts
            if act.kind == kind.name
        ],
    )


def operation_definition(act: Act, *, base_url: str, version: str) -> Tree:
    """The OperationDefinition of one operation."""
    answer = {"name": "return", "use": "out", "min": 1, "max": "1", "type": act.gives}
    return {
        "resourceType": "OperationDefinition",
        "id": act.definition_id,
        "url": f"{base_url}/OperationDefinition/{act.definition_id}",
        "version": version,
        "name": "".join(word.capitalize() for word in (act.kind, *act.name.split("-"))),
        "status": "active",
        "kind": "operation",
        "publisher": _PUBLISHER,
        "description": f"{act.words} As {act.native}.",
        "affectsState": True,
        "code": act.name,
        "resource": [act.kind],
        "system": False,
        "type": not act.on_one,
        "instance": act.on_one,
        "parameter": [*map(_parameter, act.takes), answer],
    }


def _parameter(taken: Taken) -> Tree:
    return present(
        name=taken.name,
        use="in",
        min=taken.min,
        max=taken.max,
        documentation=taken.words,
        type=taken.type,
        targetProfile=(
            None
            if taken.target is None
            else [f"http://hl7.org/fhir/StructureDefinition/{taken.target}"]
        ),
        part=[_parameter(part) for part in taken.parts],
    )
