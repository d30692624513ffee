"""How terminals are refused."""

from cardcore.errors import CardcoreError, ForbiddenError


class ActivationRefusedError(ForbiddenError):
    """The activation code is wrong, used, burnt or expired, or the key's proof does not fit.

    Which of these, is nobody's business.
    """

    code = "activation_refused"
    title_zh = "激活码无效"
    title_en = "The activation was refused"


class TerminalKeysExhaustedError(CardcoreError):
    """All 256 key numbers of this terminal are used up: register it under a new id."""

    code = "terminal_keys_exhausted"
    title_zh = "终端密钥编号已用尽，请重新登记终端"
    title_en = "The terminal has used up its key numbers"
