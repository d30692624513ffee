"""Every way settlement can refuse a request. The base and its rules: ``cardcore/errors.py``."""

from cardcore.errors import CardcoreError, NotFoundError, RequestInvalidError


class WindowUnknownError(NotFoundError):
    """No such settlement window, or this caller has no part in it."""

    code = "window_unknown"
    title_zh = "结算窗口不存在"
    title_en = "No such settlement window"


class WindowStateError(CardcoreError):
    """The window is in another state than this needs."""

    code = "window_state"
    title_zh = "结算窗口状态不允许此操作"
    title_en = "The window's state does not allow this"


class ReceiptExceedsError(CardcoreError):
    """The payer owes less than this, as far as windows are computed."""

    code = "receipt_exceeds"
    title_zh = "到账金额超过应收余额"
    title_en = "More than the payer owes"


class BillInvalidError(RequestInvalidError):
    """The bill's count, sum or digest is not that of its rows: it was cut or changed."""

    code = "bill_invalid"
    title_zh = "渠道账单不完整"
    title_en = "The channel's bill is not whole"


class DifferenceUnknownError(NotFoundError):
    """No such difference between books."""

    code = "difference_unknown"
    title_zh = "对账差异不存在"
    title_en = "No such difference"


class DifferenceClosedError(CardcoreError):
    """The difference is closed, or is none that money can end."""

    code = "difference_closed"
    title_zh = "对账差异已关闭或不可调账"
    title_en = "The difference is closed, or is none that money can end"


class SourceUnknownError(RequestInvalidError):
    """There is no such bank or payment channel here."""

    code = "source_unknown"
    title_zh = "账单来源未开通"
    title_en = "No such source of bills"


class AdjustmentRefusedError(CardcoreError):
    """The ledger does not allow the adjustment: the bank would hold less than nothing."""

    code = "adjustment_refused"
    title_zh = "账本不允许该调账"
    title_en = "The ledger does not allow this adjustment"
