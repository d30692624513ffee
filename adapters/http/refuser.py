"""A refusal as the answer a client gets: RFC 9457 everywhere, RFC 6749 at the token endpoint."""

from typing import Final

from pydantic_core import to_json
from starlette.responses import Response
from starlette.types import Scope

from adapters.http.headers import preferred_language
from adapters.http.problems import PROBLEM_TYPE, answer_headers, entry_of, problem_of
from adapters.http.record import record_of
from adapters.http.refusals import OAuthError
from adapters.http.settings import HTTPSettings, Language
from cardcore.errors import CardcoreError

_TAGS: Final[dict[Language, str]] = {"zh": "zh-CN", "en": "en"}


class Refuser:
    """Makes the answer to a refused request, in the language the request asks for."""

    def __init__(self, settings: HTTPSettings) -> None:
        self._settings = settings

    def answer(self, error: CardcoreError, scope: Scope) -> Response:
        """The answer to ``error``; its code is noted in the request's record."""
        record = record_of(scope)
        record.problem = entry_of(error).code
        response = (
            self._oauth_answer(error, record.request_id)
            if isinstance(error, OAuthError)
            else self._problem_answer(error, record.request_id, self.language(scope))
        )
        for name, value in answer_headers(error, retry_after_s=self._settings.retry_after_s):
            response.headers[name] = value
        return response

    def language(self, scope: Scope) -> Language:
        """What the client of this request wants to read."""
        match preferred_language(scope["headers"]):
            case "zh":
                return "zh"
            case "en":
                return "en"
            case _:
                return self._settings.language

    def _problem_answer(
        self, error: CardcoreError, request_id: str, language: Language
    ) -> Response:
        problem = problem_of(error, language=language, request_id=request_id)
        return Response(
            to_json(problem),
            problem.status,
            headers={"Content-Language": _TAGS[language]},
            media_type=PROBLEM_TYPE,
        )

    def _oauth_answer(self, error: OAuthError, request_id: str) -> Response:
        content = {
            "error": error.code,
            "error_description": error.detail,
            "error_uri": f"{self._settings.public_url}/problems/{error.code}",
            "request_id": request_id,
        }
        return Response(to_json(content), error.status, media_type="application/json")
