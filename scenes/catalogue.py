"""The ten scene classes of the city and the scenes in them, as data.

A scene that only pays, holds, refunds or opens a door needs no Python of its own: an operator
registers it under one of these classes and it works through the uniform API. The wire scope is
the bit a code carries; it never changes its meaning (layout of the codes, scope bitmap).
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class IdentityLevel(StrEnum):
    """How well a person must be known before a scene serves them, weakest first."""

    ANONYMOUS = "anonymous"
    PHONE = "phone"
    REAL_NAME = "real_name"


class OfflineRule(StrEnum):
    """What a terminal may do while it cannot ask."""

    ONLINE_ONLY = "online_only"
    IDENTITY_ONLY = "identity_only"
    CAPPED_PAYMENT = "capped_payment"


class SettlementCycle(StrEnum):
    """When merchants of the class get their money, in business days after the ride or sale."""

    NONE = "none"
    NEXT_DAY = "t1"
    WEEKLY = "weekly"
    MONTHLY = "monthly"


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneClass:
    """One of the ten classes.

    Attributes:
        code: stable name.
        funds: kinds a citizen's share may be drawn from, first to last.
        offline: what terminals may do without a connection.
    """

    code: str
    name_zh: str
    name_en: str
    department_zh: str
    department_en: str
    level_min: IdentityLevel
    funds: tuple[str, ...]
    offline: OfflineRule
    settlement: SettlementCycle


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A scene as requests name it, the class it belongs to, and its bit in a code's scope."""

    code: str
    class_code: str
    scope_bit: int
    name_zh: str
    name_en: str

    @property
    def scope(self) -> int:
        """The scope bitmap with this scene's bit alone."""
        return 1 << self.scope_bit


CLASSES: Final[tuple[SceneClass, ...]] = (
    SceneClass(
        code="social_security",
        name_zh="社会保障",
        name_en="Social security",
        department_zh="人力资源和社会保障局",
        department_en="Human Resources and Social Security Bureau",
        level_min=IdentityLevel.REAL_NAME,
        funds=("purse",),
        offline=OfflineRule.ONLINE_ONLY,
        settlement=SettlementCycle.NEXT_DAY,
    ),
    SceneClass(
        code="health",
        name_zh="医疗健康",
        name_en="Health care",
        department_zh="卫生健康局",
        department_en="Health Commission",
        level_min=IdentityLevel.REAL_NAME,
        funds=("purse",),
        offline=OfflineRule.ONLINE_ONLY,
        settlement=SettlementCycle.NEXT_DAY,
    ),
    SceneClass(
        code="transit",
        name_zh="公共交通",
        name_en="Public transport",
        department_zh="交通运输局",
        department_en="Transport Bureau",
        level_min=IdentityLevel.ANONYMOUS,
        funds=("transit", "purse"),
        offline=OfflineRule.CAPPED_PAYMENT,
        settlement=SettlementCycle.NEXT_DAY,
    ),
    SceneClass(
        code="parking",
        name_zh="智慧停车",
        name_en="Smart parking",
        department_zh="城市管理局",
        department_en="Urban Management Bureau",
        level_min=IdentityLevel.PHONE,
        funds=("purse", "parking_arrears"),
        offline=OfflineRule.CAPPED_PAYMENT,
        settlement=SettlementCycle.NEXT_DAY,
    ),
    SceneClass(
        code="education",
        name_zh="教育校园",
        name_en="Education and campus",
        department_zh="教育和体育局",
        department_en="Education and Sports Bureau",
        level_min=IdentityLevel.REAL_NAME,
        funds=("purse",),
        offline=OfflineRule.CAPPED_PAYMENT,
        settlement=SettlementCycle.WEEKLY,
    ),
    SceneClass(
        code="culture_tourism",
        name_zh="文化旅游",
        name_en="Culture and tourism",
        department_zh="文化和旅游局",
        department_en="Culture and Tourism Bureau",
        level_min=IdentityLevel.REAL_NAME,
        funds=("purse",),
        offline=OfflineRule.IDENTITY_ONLY,
        settlement=SettlementCycle.NEXT_DAY,
    ),
    SceneClass(
        code="venues_libraries",
        name_zh="文体场馆与图书馆",
        name_en="Sports venues and libraries",
        department_zh="文化和旅游局",
        department_en="Culture and Tourism Bureau",
        level_min=IdentityLevel.PHONE,
        funds=("purse",),
        offline=OfflineRule.IDENTITY_ONLY,
        settlement=SettlementCycle.WEEKLY,
    ),
    SceneClass(
        code="community_care",
        name_zh="社区物业与养老",
        name_en="Community and elder care",
        department_zh="民政局",
        department_en="Civil Affairs Bureau",
        level_min=IdentityLevel.PHONE,
        funds=("purse",),
        offline=OfflineRule.IDENTITY_ONLY,
        settlement=SettlementCycle.MONTHLY,
    ),
    SceneClass(
        code="public_service",
        name_zh="公共服务",
        name_en="Public services",
        department_zh="行政审批服务局",
        department_en="Administrative Approval Service Bureau",
        level_min=IdentityLevel.REAL_NAME,
        funds=("purse",),
        offline=OfflineRule.ONLINE_ONLY,
        settlement=SettlementCycle.NEXT_DAY,
    ),
    SceneClass(
        code="enterprise",
        name_zh="企业服务",
        name_en="Enterprise services",
        department_zh="工业和信息化局",
        department_en="Industry and Information Technology Bureau",
        level_min=IdentityLevel.REAL_NAME,
        funds=("purse",),
        offline=OfflineRule.ONLINE_ONLY,
        settlement=SettlementCycle.MONTHLY,
    ),
)

SCENES: Final[tuple[Scene, ...]] = (
    Scene(code="bus", class_code="transit", scope_bit=0, name_zh="公交", name_en="Bus"),
    Scene(code="hospital", class_code="health", scope_bit=1, name_zh="医院", name_en="Hospital"),
    Scene(
        code="scenic",
        class_code="culture_tourism",
        scope_bit=2,
        name_zh="景区",
        name_en="Scenic area",
    ),
    Scene(code="school", class_code="education", scope_bit=3, name_zh="校园", name_en="School"),
    Scene(
        code="community",
        class_code="community_care",
        scope_bit=4,
        name_zh="社区",
        name_en="Residential community",
    ),
    Scene(code="parking", class_code="parking", scope_bit=5, name_zh="停车", name_en="Car park"),
    Scene(
        code="venue",
        class_code="venues_libraries",
        scope_bit=6,
        name_zh="场馆",
        name_en="Venue or library",
    ),
    Scene(
        code="service_window",
        class_code="public_service",
        scope_bit=7,
        name_zh="政务窗口",
        name_en="Government service window",
    ),
    Scene(
        code="social_security_window",
        class_code="social_security",
        scope_bit=7,
        name_zh="社保窗口",
        name_en="Social security window",
    ),
    Scene(
        code="enterprise_window",
        class_code="enterprise",
        scope_bit=7,
        name_zh="企业服务窗口",
        name_en="Enterprise service window",
    ),
    Scene(
        code="retail",
        class_code="enterprise",
        scope_bit=8,
        name_zh="商户消费",
        name_en="Retail",
    ),
)

CLASS_BY_CODE: Final = {scene_class.code: scene_class for scene_class in CLASSES}
SCENE_BY_CODE: Final = {scene.code: scene for scene in SCENES}
