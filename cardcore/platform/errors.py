"""Every way the platform can refuse a request. The base and its rules: ``cardcore/errors.py``."""

from cardcore.errors import CardcoreError, ForbiddenError, NotFoundError, RequestInvalidError


class UnauthenticatedError(CardcoreError):
    """The request does not prove who makes it."""

    code = "unauthenticated"
    title_zh = "未登录"
    title_en = "Not signed in"


class SignInRefusedError(UnauthenticatedError):
    """Name, password or one-time password is wrong, used, or the operator is locked or disabled.

    One answer for all, so that nothing can be learned by trying.
    """

    code = "sign_in_refused"
    title_zh = "登录失败，请稍后再试"
    title_en = "Sign-in refused; wait before trying again"


class SessionInvalidError(UnauthenticatedError):
    """There is no session, or it has ended."""

    code = "session_invalid"
    title_zh = "会话已失效，请重新登录"
    title_en = "The session has ended; sign in again"


class CSRFRefusedError(ForbiddenError):
    """A change needs the session's own token in ``X-CSRF-Token``, from the same site."""

    code = "csrf_refused"
    title_zh = "请求来源无法确认"
    title_en = "The request may not come from our page"


class HostCodeRefusedError(ForbiddenError):
    """The one-time code is unknown, used, expired, or was made for another app."""

    code = "host_code_refused"
    title_zh = "登录凭证已失效，请返回重试"
    title_en = "The one-time code is not valid any more"


class OperatorUnknownError(NotFoundError):
    """No such operator."""

    code = "operator_unknown"
    title_zh = "操作员不存在"
    title_en = "No such operator"


class OperatorExistsError(CardcoreError):
    """An operator of this name exists."""

    code = "operator_exists"
    title_zh = "操作员已存在"
    title_en = "This operator exists"


class PasswordWeakError(RequestInvalidError):
    """The password is too short or is the operator's own name."""

    code = "password_weak"
    title_zh = "密码强度不足"
    title_en = "The password is too weak"


class ClientUnknownError(NotFoundError):
    """No such client."""

    code = "client_unknown"
    title_zh = "接入方不存在"
    title_en = "No such client"


class ClientExistsError(CardcoreError):
    """A client of this name exists with another content."""

    code = "client_exists"
    title_zh = "接入方已存在"
    title_en = "This client exists"


class KeyUnfitError(RequestInvalidError):
    """The public key is not an Ed25519 or P-256 key in JWK form, or it holds a private part."""

    code = "key_unfit"
    title_zh = "公钥不符合要求"
    title_en = "The public key is not fit"


class MerchantExistsError(CardcoreError):
    """A merchant of this id exists with another content."""

    code = "merchant_exists"
    title_zh = "商户编号已被使用"
    title_en = "This id names another merchant"


class MerchantClosedError(CardcoreError):
    """The merchant is closed, for good."""

    code = "merchant_closed"
    title_zh = "商户已注销"
    title_en = "The merchant is closed"


class TerminalExistsError(CardcoreError):
    """The id names another terminal, or a client."""

    code = "terminal_exists"
    title_zh = "终端编号已被使用"
    title_en = "This id names another terminal"


class TerminalRetiredError(CardcoreError):
    """The terminal is retired, for good."""

    code = "terminal_retired"
    title_zh = "终端已报废"
    title_en = "The terminal is retired"


class OwnProposalError(ForbiddenError):
    """Whoever proposes does not decide: it needs a second operator."""

    code = "own_proposal"
    title_zh = "不得复核本人提出的事项"
    title_en = "Another operator must decide this"


class ProposalStateError(CardcoreError):
    """The proposal was decided before, or its time is over."""

    code = "proposal_state"
    title_zh = "事项已处理或已过期"
    title_en = "The proposal is not open any more"


class ProposalChangedError(CardcoreError):
    """The digest is not that of this proposal: something else was read than is decided."""

    code = "proposal_changed"
    title_zh = "事项内容与所见不符"
    title_en = "This is not the proposal that was read"


class RecordDecidedError(CardcoreError):
    """Somebody has decided this record before; ``facts`` say what."""

    code = "record_decided"
    title_zh = "该记录已有处理结论"
    title_en = "This record was decided before"


class ProposalImpossibleError(CardcoreError):
    """What was approved cannot be done: an account is unknown or does not hold the money."""

    code = "proposal_impossible"
    title_zh = "事项无法执行"
    title_en = "The proposal cannot be carried out"


class WebhookURLRefusedError(RequestInvalidError):
    """The URL is not https, hides where it leads, or leads into a private network."""

    code = "webhook_url_refused"
    title_zh = "推送地址不符合要求"
    title_en = "The webhook URL is not fit"


class WebhookEndpointsFullError(CardcoreError):
    """The merchant has as many endpoints as it may have."""

    code = "webhook_endpoints_full"
    title_zh = "推送地址数量已达上限"
    title_en = "Too many webhook endpoints"


class BillNotReadyError(CardcoreError):
    """The business day is not closed yet; ``ready_at`` says when its bill will be there."""

    code = "not_ready"
    title_zh = "账单尚未生成"
    title_en = "The bill is not ready yet"
    retryable = True


class ClockBackwardsError(CardcoreError):
    """The sandbox's clock goes forwards only."""

    code = "clock_backwards"
    title_zh = "沙箱时钟只能向前拨"
    title_en = "The test clock moves forwards only"
