"""Refusals as OperationOutcomes: FHIR's kind of issue, our stable code, words for people. Pure.

Source: FHIR R4B, ``operationoutcome.html`` and the value set issue-type.
"""

from typing import Final

from pydantic_core import to_json

from adapters.fhir.datatypes import coding, extension
from adapters.fhir.json_text import Tree, present
from adapters.fhir.names import FACTS, REASON
from adapters.http.problems import Problem
from adapters.http.settings import Language

# HTTP status → issue-type of the standard.
ISSUE_TYPES: Final = {
    400: "invalid",
    401: "login",
    402: "business-rule",
    403: "forbidden",
    404: "not-found",
    405: "not-supported",
    406: "not-supported",
    408: "timeout",
    409: "conflict",
    413: "too-long",
    415: "not-supported",
    422: "invalid",
    429: "throttled",
    431: "too-long",
    500: "exception",
    503: "transient",
}


def outcome_of(problem: Problem, language: Language) -> Tree:
    """The same as a problem document says: one issue for each wrong field, or one in all."""
    kind = ISSUE_TYPES[problem.status]
    facts = None
    if problem.facts:
        facts = [extension(FACTS, valueString=to_json(problem.facts).decode())]
    said = {"coding": [coding(REASON, problem.code)], "text": problem.title}
    issues = [
        present(
            extension=facts,
            severity="error",
            code=kind,
            details=said,
            diagnostics=f"{fault.code}: {fault.reason}",
            expression=[fault.field] if fault.field else None,
        )
        for fault in problem.errors
    ] or [
        present(
            extension=facts, severity="error", code=kind, details=said, diagnostics=problem.detail
        )
    ]
    return {
        "resourceType": "OperationOutcome",
        "language": "zh-CN" if language == "zh" else "en",
        "issue": issues,
    }
