"""Refusals of the parking scene. Kin of the core's: stable ``code``, words in both languages."""

from cardcore.errors import CardcoreError


class CarParkExistsError(CardcoreError):
    """The code or one of the lanes is another car park's."""

    code = "car_park_exists"
    title_zh = "停车场或车道已登记"
    title_en = "The car park or lane is registered already"


class NothingDueError(CardcoreError):
    """The stay costs nothing now, or is paid."""

    code = "nothing_due"
    title_zh = "无需缴费"
    title_en = "Nothing is due"


class PlateUnprovenError(CardcoreError):
    """The plate is not proven to be this user's: they cannot sign for it."""

    code = "plate_unproven"
    title_zh = "车牌归属尚未核验"
    title_en = "The plate is not proven to be the user's"


class MonthCardNotSoldError(CardcoreError):
    """This car park has no month cards."""

    code = "month_card_not_sold"
    title_zh = "本停车场不办理月卡"
    title_en = "No month cards are sold here"


class AlertStateError(CardcoreError):
    """The alert is not in a state that allows this; ``facts`` name it."""

    code = "alert_state"
    title_zh = "该告警状态不允许此操作"
    title_en = "The alert's state does not allow this"
