"""Every way the hospital scene can refuse, beside those of the core and of the insurer."""

from typing import ClassVar

from cardcore.errors import CardcoreError, ForbiddenError, NotFoundError, RequestInvalidError


class HospitalUnknownError(NotFoundError):
    """No such hospital for this caller."""

    code: ClassVar[str] = "hospital_unknown"
    title_zh: ClassVar[str] = "医院未登记"
    title_en: ClassVar[str] = "No such hospital"


class RealNameNeededError(CardcoreError):
    """A visit is for a person known by their real name."""

    code: ClassVar[str] = "real_name_needed"
    title_zh: ClassVar[str] = "请先完成实名认证"
    title_en: ClassVar[str] = "Registration with the real name is needed"


class ScheduleExistsError(CardcoreError):
    """The same doctor, half day and type of slot is planned already, otherwise."""

    code: ClassVar[str] = "schedule_exists"
    title_zh: ClassVar[str] = "该排班已存在"
    title_en: ClassVar[str] = "This schedule exists"


class SlotUnavailableError(CardcoreError):
    """No place is left, or registration is not open; ``facts`` say which."""

    code: ClassVar[str] = "slot_unavailable"
    title_zh: ClassVar[str] = "号源不可用"
    title_en: ClassVar[str] = "No place to be had"


class RegisteredAlreadyError(CardcoreError):
    """The person has a place in this department on this half day."""

    code: ClassVar[str] = "registered_already"
    title_zh: ClassVar[str] = "同一时段已挂号"
    title_en: ClassVar[str] = "Registered for this half day already"


class RegistrationLimitError(CardcoreError):
    """Too many places on one day, or too many that were not kept; ``facts`` say which."""

    code: ClassVar[str] = "registration_limit"
    title_zh: ClassVar[str] = "超出挂号限制"
    title_en: ClassVar[str] = "Over a limit of registrations"


class RegistrationStateError(CardcoreError):
    """The registration's state does not allow this; ``facts`` name it."""

    code: ClassVar[str] = "registration_state"
    title_zh: ClassVar[str] = "挂号状态不允许此操作"
    title_en: ClassVar[str] = "The registration's state does not allow this"


class CancelWindowError(CardcoreError):
    """It is too late to give the place back; ``facts`` say until when it was possible."""

    code: ClassVar[str] = "cancel_window_over"
    title_zh: ClassVar[str] = "已超过退号时限"
    title_en: ClassVar[str] = "Too late to give the place back"


class NobodyWaitsError(NotFoundError):
    """There is nobody to call."""

    code: ClassVar[str] = "nobody_waits"
    title_zh: ClassVar[str] = "当前无人候诊"
    title_en: ClassVar[str] = "Nobody is waiting"


class BillConflictError(CardcoreError):
    """The number names another bill or visit, or the bill is in another payment."""

    code: ClassVar[str] = "bill_conflict"
    title_zh: ClassVar[str] = "单据冲突"
    title_en: ClassVar[str] = "The number is taken, or the bill is being paid"


class PaymentStateError(CardcoreError):
    """The payment's state does not allow this; ``facts`` name it."""

    code: ClassVar[str] = "payment_state"
    title_zh: ClassVar[str] = "缴费状态不允许此操作"
    title_en: ClassVar[str] = "The payment's state does not allow this"


class ReturnExceedsError(CardcoreError):
    """More of a bill line would be given back than it cost."""

    code: ClassVar[str] = "return_exceeds"
    title_zh: ClassVar[str] = "退费超出该项目金额"
    title_en: ClassVar[str] = "More than the line cost"


class RefundUnderWayError(CardcoreError):
    """Another refund of this payment is under way: the insurer settles one after another."""

    code: ClassVar[str] = "refund_under_way"
    title_zh: ClassVar[str] = "该笔缴费正在退费"
    title_en: ClassVar[str] = "Another refund of this payment is under way"
    retryable: ClassVar[bool] = True


class AgreementMissingError(ForbiddenError):
    """Paying after the visit needs an agreement the person has signed."""

    code: ClassVar[str] = "credit_agreement_missing"
    title_zh: ClassVar[str] = "未签约信用就医"
    title_en: ClassVar[str] = "No agreement to pay after the visit"


class PrepaymentOffError(ForbiddenError):
    """This hospital takes no deposits for outpatient visits."""

    code: ClassVar[str] = "prepayment_off"
    title_zh: ClassVar[str] = "本院已取消门诊预交金"
    title_en: ClassVar[str] = "No prepayment for outpatients here"


class DepositStateError(CardcoreError):
    """The deposit is closed, or the visit has none."""

    code: ClassVar[str] = "deposit_state"
    title_zh: ClassVar[str] = "预交金账户不可用"
    title_en: ClassVar[str] = "No open deposit"


class CountedDayError(RequestInvalidError):
    """Counts are for today and the two weeks before."""

    code: ClassVar[str] = "counted_day"
    title_zh: ClassVar[str] = "只接收今天及之前14天的计数"
    title_en: ClassVar[str] = "Counts are taken for today and fourteen days back"
