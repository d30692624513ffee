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


class BillConflictError(CardcoreError):
    """Another bill of this channel and date was taken before."""

    code = "bill_conflict"
    title_zh = "该渠道该日账单已存在且内容不同"
    title_en = "Another bill of this channel and date is known"
