"""How registered scenes, and orders of theirs, are refused."""

from cardcore.errors import CardcoreError, RequestInvalidError


class SceneExistsError(CardcoreError):
    """The code names another scene."""

    code = "scene_exists"
    title_zh = "场景代码已被使用"
    title_en = "This code names another scene"


class SceneRetiredError(CardcoreError):
    """The scene takes no more orders; what is held, captured or disputed goes on."""

    code = "scene_retired"
    title_zh = "场景已停用"
    title_en = "The scene takes no more orders"


class ModeNotAllowedError(RequestInvalidError):
    """The scene is not registered for this mode; ``facts`` name those it is registered for."""

    code = "mode_not_allowed"
    title_zh = "该场景未开通此交易方式"
    title_en = "The scene is not registered for this mode"


class LevelTooLowError(CardcoreError):
    """The scene serves people who are better known; ``facts`` name the level it asks for."""

    code = "level_too_low"
    title_zh = "实名等级不足"
    title_en = "The user's registration level is too low for this scene"
