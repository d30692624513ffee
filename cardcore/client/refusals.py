"""A problem document as the core's own exception: what the server raised is raised here."""

from collections.abc import Iterator
from typing import Any

from pydantic_core import from_json

from cardcore.business import dispute_errors, scene_errors
from cardcore.errors import CardcoreError, CodeRefusedError

# Named, so that a program that imports the client alone knows these refusals too.
KNOWN = (dispute_errors, scene_errors)


class UnknownRefusalError(CardcoreError):
    """A refusal this version of the client has no class for.

    It has no ``code`` of its own: ``problem_code`` is the server's, empty where it sent none.
    """

    def __init__(self, problem_code: str, status: int, detail: str) -> None:
        super().__init__(detail or f"refused with status {status}")
        self.problem_code = problem_code
        self.status = status


def refusal_of(status: int, content: bytes) -> CardcoreError:
    """The exception of a refused request.

    A code is looked for among the core's own classes; a refused presented code carries its reason.
    """
    problem = _problem(content)
    code = str(problem.get("code", problem.get("error", "")))
    detail = str(problem.get("detail", problem.get("error_description", "")))
    facts = {str(name): value for name, value in dict(problem.get("facts") or {}).items()}
    fields = [str(one.get("field", "")) for one in problem.get("errors") or []]
    refusal = _exception(code, status, detail, fields[0] if fields else None)
    refusal.facts = facts
    return refusal


def _exception(code: str, status: int, detail: str, field: str | None) -> CardcoreError:
    kind = next((one for one in _kinds(CardcoreError) if vars(one).get("code") == code), None)
    if kind is CodeRefusedError or (kind is None and field == "user.credential"):
        return CodeRefusedError(code, detail)
    if kind is None or kind.__init__ is not CardcoreError.__init__:
        return UnknownRefusalError(code, status, detail)
    return kind(detail, field=field)


def _problem(content: bytes) -> dict[str, Any]:
    try:
        problem = from_json(content)
    except ValueError:
        return {}
    return problem if isinstance(problem, dict) else {}


def _kinds(root: type[CardcoreError]) -> Iterator[type[CardcoreError]]:
    for kind in root.__subclasses__():
        yield kind
        yield from _kinds(kind)
