"""How cards and their taps are refused."""

from cardcore.errors import CardcoreError, NotFoundError, RequestInvalidError


class CardUnknownError(NotFoundError):
    """No such card."""

    code = "card_unknown"
    title_zh = "查无此卡"
    title_en = "No such card"


class CardNumberError(RequestInvalidError):
    """The number is none that this issuer gives out, or its check digit is wrong."""

    code = "card_number_invalid"
    title_zh = "卡号有误"
    title_en = "The card number is not valid"


class CardBoundError(CardcoreError):
    """The number is registered already; it is bound anew only after it was unbound."""

    code = "card_bound"
    title_zh = "此卡已登记，请先解绑"
    title_en = "The card is registered already; unbind it first"


class CardStateError(CardcoreError):
    """The card is not in a state that allows this; ``facts`` name the state."""

    code = "card_state"
    title_zh = "卡状态不允许此操作"
    title_en = "The card's state does not allow this"


class CardTapError(RequestInvalidError):
    """The tap is malformed, of an unknown card, of another terminal, or its TAC is wrong."""

    code = "card_tap_invalid"
    title_zh = "刷卡数据无效"
    title_en = "The card tap is not valid"


class CardTapExpiredError(CardTapError):
    """The tap is of another time: older than the window, or ahead of our clock."""

    code = "card_tap_expired"
    title_zh = "刷卡已超时，请重新刷卡"
    title_en = "The tap is not of now; please tap again"


class CardDomainError(CardTapError):
    """The card's token was given for another scene or merchant."""

    code = "card_domain_not_allowed"
    title_zh = "此卡不适用于本场景或商户"
    title_en = "The card may not be used in this scene or with this merchant"


class CardCounterError(CardTapError):
    """The card's counter is below one seen before: an old tap, or a copied card."""

    code = "card_counter_regressed"
    title_zh = "卡计数异常，请联系发卡方"
    title_en = "The card's counter went backwards; please ask the issuer"


class CardLostError(CardcoreError):
    """The card was reported lost; the issuer answers for it from that instant on."""

    code = "card_lost"
    title_zh = "此卡已挂失"
    title_en = "The card was reported lost"


class CardInactiveError(CardcoreError):
    """The card is frozen, replaced, closed, not bound, or outside its validity."""

    code = "card_inactive"
    title_zh = "此卡已停用"
    title_en = "The card is not in use"
