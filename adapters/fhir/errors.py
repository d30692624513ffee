"""Every way the FHIR face refuses beside those of HTTP, the core and the scene."""

from adapters.http.refusals import HTTPRefusalError


class SearchInvalidError(HTTPRefusalError):
    """A search parameter is unknown, or its value or modifier is not one of its type.

    ``Prefer: handling=lenient`` leaves unknown parameters out instead.
    """

    code = "search_invalid"
    title_zh = "查询参数有误"
    title_en = "A search parameter is not valid"
    status = 400

    def __init__(self, detail: str, *, field: str) -> None:
        super().__init__(detail)
        self.field = f"http.{field}" if field else None


class NotAcceptableError(HTTPRefusalError):
    """Only JSON is spoken: ``application/fhir+json``."""

    code = "not_acceptable"
    title_zh = "仅提供 JSON 格式"
    title_en = "Only JSON is served"
    status = 406
