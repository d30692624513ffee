"""Every way the core can refuse a request.

A refusal is ordinary business: it has a stable public ``code`` and leaves no effect. HTTP statuses
are given in ``adapters/http/problems.py`` alone. A broken invariant is a bug: ``assert``.
"""

from typing import ClassVar


class CardcoreError(Exception):
    """Base of all refusals.

    ``code`` is stable, sent to terminals and never reused for another meaning. ``retryable``:
    may the same request, unchanged, succeed later? ``field`` names what was wrong, where one
    field was. ``facts`` are further public facts (amounts, instants), never personal data.
    """

    code: ClassVar[str]
    title_zh: ClassVar[str]
    title_en: ClassVar[str]
    retryable: ClassVar[bool] = False

    def __init__(self, detail: str = "", *, field: str | None = None, **facts: object) -> None:
        super().__init__(detail or self.title_en)
        self.detail = detail or self.title_en
        self.field = field
        self.facts = facts


class RequestInvalidError(CardcoreError):
    """A field is missing, of the wrong type, or out of its range."""

    code = "request_invalid"
    title_zh = "请求内容有误"
    title_en = "The request is not valid"


class NotFoundError(CardcoreError):
    """No such object, or it belongs to someone else: the two are not told apart."""

    code = "not_found"
    title_zh = "未找到"
    title_en = "Not found"


class UserUnknownError(NotFoundError):
    """The credential or id leads to no user."""

    code = "user_unknown"
    title_zh = "查无此用户"
    title_en = "No such user"


class TerminalUnknownError(NotFoundError):
    """No such terminal of this merchant, or it is out of service."""

    code = "terminal_unknown"
    title_zh = "终端未登记"
    title_en = "No such terminal"


class MerchantUnknownError(NotFoundError):
    """No such merchant for this caller."""

    code = "merchant_unknown"
    title_zh = "商户未登记"
    title_en = "No such merchant"


class SceneUnknownError(RequestInvalidError):
    """The catalogue has no such scene."""

    code = "scene_unknown"
    title_zh = "场景未登记"
    title_en = "No such scene"


class FundUnknownError(RequestInvalidError):
    """The user has no such fund, or the scene may not use it."""

    code = "fund_unknown"
    title_zh = "资金账户不可用"
    title_en = "No such fund for this scene"


class AmountInvalidError(RequestInvalidError):
    """The amount is absent where it must stand, or stands where the scene prices."""

    code = "amount_invalid"
    title_zh = "金额有误"
    title_en = "The amount is not valid here"


class CodeRefusedError(CardcoreError):
    """A presented code was refused by the acceptance rules; ``reason`` is its stable code."""

    code = "code_invalid"
    title_zh = "二维码无效"
    title_en = "The code was refused"

    def __init__(self, reason: str, detail: str = "", **facts: object) -> None:
        super().__init__(detail, field="user.credential", **facts)
        self.reason = reason


class UserFrozenError(CardcoreError):
    """The user or the credential is frozen, lost, closed or merged."""

    code = "user_frozen"
    title_zh = "账户已冻结"
    title_en = "The user or credential is frozen"


class PersonStateError(CardcoreError):
    """The person, fund or credential is not in a state that allows this; ``facts`` say which."""

    code = "person_state"
    title_zh = "当前状态不允许此操作"
    title_en = "The present state does not allow this"


class PersonExistsError(CardcoreError):
    """The number belongs to another person; ``facts`` name whose, so that the two may be merged."""

    code = "person_exists"
    title_zh = "该证件号或手机号已属于另一用户"
    title_en = "The number belongs to another user"


class ObligationsOpenError(CardcoreError):
    """Something is still open that must be settled first; ``facts`` name it."""

    code = "obligations_open"
    title_zh = "尚有未了结事项"
    title_en = "Something is still open"


class InsufficientBalanceError(CardcoreError):
    """The funds allowed here do not cover the citizen's share."""

    code = "insufficient_balance"
    title_zh = "余额不足"
    title_en = "Insufficient balance"


class LimitExceededError(CardcoreError):
    """A limit stands against it; ``facts`` name which, and until when."""

    code = "limit_exceeded"
    title_zh = "超出限额"
    title_en = "Over a limit"


class IdempotencyKeyReusedError(CardcoreError):
    """The key was used before with another body."""

    code = "idempotency_key_reused"
    title_zh = "幂等键已用于其他请求"
    title_en = "The idempotency key was used with another body"


class RequestInFlightError(CardcoreError):
    """The same key is being worked on right now."""

    code = "request_in_flight"
    title_zh = "相同请求正在处理"
    title_en = "The same request is being worked on"
    retryable = True


class OrderConflictError(CardcoreError):
    """The merchant's ``out_trade_no`` names an order with another content."""

    code = "order_conflict"
    title_zh = "订单号已用于其他订单"
    title_en = "This out_trade_no names another order"


class OrderExistsError(CardcoreError):
    """The merchant's ``out_trade_no`` was booked before with the same content."""

    code = "order_exists"
    title_zh = "订单已存在"
    title_en = "This order exists"


class OrderStateError(CardcoreError):
    """The order is not in a state that allows this."""

    code = "order_state"
    title_zh = "订单状态不允许此操作"
    title_en = "The order's state does not allow this"


class RefundExceedsError(CardcoreError):
    """More would be refunded than was captured."""

    code = "refund_exceeds"
    title_zh = "退款超出已付金额"
    title_en = "The refund exceeds what was captured"


class CaptureExceedsError(CardcoreError):
    """More would be captured than is held."""

    code = "capture_exceeds"
    title_zh = "完成金额超出预授权"
    title_en = "The capture exceeds what is held"


class ForbiddenError(CardcoreError):
    """The caller may not use this function."""

    code = "forbidden"
    title_zh = "无权执行"
    title_en = "Not allowed"


class AuthenticationStaleError(CardcoreError):
    """This act needs a citizen who has just proved who they are; their app asks them to."""

    code = "authentication_stale"
    title_zh = "请先在应用中验证本人身份"
    title_en = "Please prove who you are in the app first"


class InvitationRefusedError(CardcoreError):
    """No such invitation, or it is used, withdrawn, expired, or one's own: no telling which."""

    code = "invitation_refused"
    title_zh = "邀请码无效或已过期"
    title_en = "The invitation is not valid, or no longer"


class ServiceUnavailableError(CardcoreError):
    """A part the request needs does not answer; nothing is known to be booked: retry."""

    code = "service_unavailable"
    title_zh = "服务暂不可用，请稍后重试"
    title_en = "Temporarily unavailable; the same request may be retried"
    retryable = True


class MerchantBalanceError(CardcoreError):
    """What is still owed to the merchant does not cover the refund: it was settled already."""

    code = "merchant_balance_insufficient"
    title_zh = "商户待结算款不足"
    title_en = "The merchant's unsettled balance does not cover this"
