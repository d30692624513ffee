"""Every way the HTTP face itself refuses a request, before or beside the core.

Like the core's refusals they have a stable ``code``; unlike those they know their HTTP status,
because they mean nothing without HTTP. Sources: RFC 9110 (statuses), RFC 6750 (bearer tokens),
RFC 6749 section 5.2 (token endpoint).
"""

from collections.abc import Sequence
from typing import ClassVar

from cardcore.errors import CardcoreError


class HTTPRefusalError(CardcoreError):
    """Base of the refusals of the HTTP face.

    ``headers`` are sent with the answer; ``closes`` says that the connection is given up because
    the rest of the request is not wanted.
    """

    status: ClassVar[int]
    closes: ClassVar[bool] = False

    def __init__(
        self, detail: str = "", *, headers: Sequence[tuple[str, str]] = (), **facts: object
    ) -> None:
        super().__init__(detail)
        self.facts = facts
        self.headers = tuple(headers)


class JSONInvalidError(HTTPRefusalError):
    """The body is not strict JSON: malformed, duplicate keys, too deep, not UTF-8, NaN."""

    code = "json_invalid"
    title_zh = "请求体不是严格的 JSON"
    title_en = "The body is not strict JSON"
    status = 400


class HeaderInvalidError(HTTPRefusalError):
    """A header is given twice or does not have its form."""

    code = "header_invalid"
    title_zh = "请求头有误"
    title_en = "A header is not valid"
    status = 400


class IdempotencyKeyMissingError(HTTPRefusalError):
    """A request that moves money needs an ``Idempotency-Key`` header."""

    code = "idempotency_key_missing"
    title_zh = "缺少幂等键"
    title_en = "The Idempotency-Key header is missing"
    status = 400


class IdempotencyKeyInvalidError(HTTPRefusalError):
    """The ``Idempotency-Key`` is not 1 to 255 visible ASCII characters."""

    code = "idempotency_key_invalid"
    title_zh = "幂等键格式有误"
    title_en = "The Idempotency-Key header is not valid"
    status = 400


class TokenMissingError(HTTPRefusalError):
    """No bearer token was given; get one from ``POST /v1/oauth/token``."""

    code = "token_missing"
    title_zh = "缺少访问令牌"
    title_en = "The access token is missing"
    status = 401

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail, headers=[("WWW-Authenticate", 'Bearer realm="cardcore"')])


class TokenInvalidError(HTTPRefusalError):
    """The bearer token is malformed, expired, not ours, or its client was revoked."""

    code = "token_invalid"
    title_zh = "访问令牌无效"
    title_en = "The access token is not valid"
    status = 401

    def __init__(self, detail: str = "") -> None:
        challenge = 'Bearer realm="cardcore", error="invalid_token"'
        super().__init__(detail, headers=[("WWW-Authenticate", challenge)])


class RouteUnknownError(HTTPRefusalError):
    """There is no such route."""

    code = "route_unknown"
    title_zh = "无此接口"
    title_en = "No such route"
    status = 404


class MethodNotAllowedError(HTTPRefusalError):
    """The route does not know this method; ``Allow`` names those it knows."""

    code = "method_not_allowed"
    title_zh = "不支持的请求方法"
    title_en = "Method not allowed"
    status = 405


class HTTPMalformedError(HTTPRefusalError):
    """What came is no HTTP request, or its method is none that HTTP has."""

    code = "http_malformed"
    title_zh = "不是有效的 HTTP 请求"
    title_en = "This is no HTTP request"
    status = 400
    closes = True


class HeadTooLargeError(HTTPRefusalError):
    """What stands around the body (head, framing, trailers) is larger than this service reads."""

    code = "head_too_large"
    title_zh = "请求头过大"
    title_en = "The head of the request is too large"
    status = 431
    closes = True


class BodyTimeoutError(HTTPRefusalError):
    """The body did not arrive in time."""

    code = "body_timeout"
    title_zh = "请求体接收超时"
    title_en = "The body did not arrive in time"
    status = 408
    retryable = True
    closes = True


class BodyTooLargeError(HTTPRefusalError):
    """The body is larger than this service reads."""

    code = "body_too_large"
    title_zh = "请求体过大"
    title_en = "The body is too large"
    status = 413
    closes = True


class ContentTypeError(HTTPRefusalError):
    """The body's type or encoding is not the one this route reads."""

    code = "content_type"
    title_zh = "不支持的内容类型"
    title_en = "Unsupported content type or encoding"
    status = 415
    closes = True


class RateLimitedError(HTTPRefusalError):
    """The client asks more often than it may; ``Retry-After`` says when to come again."""

    code = "rate_limited"
    title_zh = "请求过于频繁"
    title_en = "Too many requests"
    status = 429
    retryable = True


class InternalError(HTTPRefusalError):
    """A fault of ours, logged under the request id. Nothing is known to be booked: retry."""

    code = "internal_error"
    title_zh = "服务内部错误"
    title_en = "Internal error"
    status = 500
    retryable = True


class OAuthError(HTTPRefusalError):
    """Base of what the token endpoint refuses; answered in the form of RFC 6749."""


class OAuthRequestError(OAuthError):
    """A parameter is missing, given twice, or does not have its form."""

    code = "invalid_request"
    title_zh = "令牌请求有误"
    title_en = "The token request is not valid"
    status = 400


class OAuthClientError(OAuthError):
    """The client is unknown or revoked, or its assertion does not prove it."""

    code = "invalid_client"
    title_zh = "客户端认证失败"
    title_en = "Client authentication failed"
    status = 401

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail, headers=[("WWW-Authenticate", 'Bearer realm="cardcore"')])


class OAuthGrantTypeError(OAuthError):
    """Only ``client_credentials`` is granted."""

    code = "unsupported_grant_type"
    title_zh = "不支持的授权类型"
    title_en = "Unsupported grant type"
    status = 400


class OAuthScopeError(OAuthError):
    """A scope was asked for that the client does not have."""

    code = "invalid_scope"
    title_zh = "请求的权限超出范围"
    title_en = "A scope is not granted to this client"
    status = 400
