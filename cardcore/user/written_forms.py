"""The one written form of what identifies a person: identity number, phone number, plate. Pure.

A refusal says what is wrong and never repeats the number.
"""

import re
from datetime import date
from typing import Final

from stdnum import numdb
from stdnum.cn import ric
from stdnum.exceptions import ValidationError

from cardcore.errors import RequestInvalidError

_ID_SIZE: Final = 18
_OLD_ID_SIZE: Final = 15
_SEPARATORS: Final = re.compile(r"[\s\-()·.]+")
_MAINLAND_MOBILE: Final = re.compile(r"1[3-9][0-9]{9}", re.ASCII)
_INTERNATIONAL: Final = re.compile(r"\+[1-9][0-9]{6,14}", re.ASCII)
_NEW_ENERGY_SIZE: Final = 8
# Letters I and O are never given out. Small new-energy cars have their letter first, large ones
# last.
_PLATE: Final = re.compile(
    r"[京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼][A-HJ-NP-Z]"
    r"(?:[A-HJ-NP-Z0-9]{4}[A-HJ-NP-Z0-9挂学警港澳]"
    r"|[A-HJK][A-HJ-NP-Z0-9][0-9]{4}|[0-9]{5}[A-HJK])",
    re.ASCII,
)


def normalise_id_no(id_no: str, today: date) -> str:
    """GB 11643 number in its 18-character form with a capital check character.

    A first-generation number (15 digits, before 1999) gets its century and check character.

    Raises:
        RequestInvalidError: with the reason; the number itself is never in the message.

    Source:
        GB 11643-1999; ``python-stdnum`` (cn.ric) for the rules of place, date and check.
    """
    number = id_no.strip().upper()
    if len(number) == _OLD_ID_SIZE and number.isascii() and number.isdigit():
        body = f"{number[:6]}19{number[6:]}"
        number = body + ric.calc_check_digit(body + "0")
    fault = _fault_of_id_no(number, today)
    if fault is not None:
        raise RequestInvalidError(f"not a valid identity number: {fault}", field="id_no")
    return number


def _fault_of_id_no(number: str, today: date) -> str | None:
    """What is wrong with an 18-character number, or None.

    The library's own ``validate`` also demands that the county existed in the year of birth.
    Numbers were given out from 1984 on, with the county of that day: everybody born before their
    county was founded would be refused, so only the place itself is looked up.
    """
    if len(number) != _ID_SIZE or not number[:-1].isascii() or not number[:-1].isdigit():
        return "it has 17 digits and a check character"
    if number[-1] != ric.calc_check_digit(number):
        return "the check character does not match"
    try:
        born_on = ric.get_birth_date(number)
    except ValidationError:
        return "the birth date does not exist"
    if born_on > today:
        return "the birth date lies in the future"
    if not any("county" in facts for _, facts in numdb.get("cn/loc").info(number[:6])):
        return "the place is unknown"
    return None


def normalise_phone(phone: str) -> str:
    """A phone number in the form of E.164: ``+8613800138000``.

    A number without a country is a mainland mobile number; spaces, hyphens, dots and brackets
    between digits are dropped.

    Raises:
        RequestInvalidError: it is neither a mainland mobile nor an international number.

    Source:
        ITU-T E.164; the numbering plan of mainland mobile services (11 digits from 13 to 19).
    """
    number = _SEPARATORS.sub("", phone)
    if number.startswith("00"):
        number = "+" + number[2:]
    if number.startswith("86") and _MAINLAND_MOBILE.fullmatch(number[2:]):
        number = "+" + number
    if _MAINLAND_MOBILE.fullmatch(number):
        number = "+86" + number
    mainland = number.startswith("+86")
    if (mainland and not _MAINLAND_MOBILE.fullmatch(number[3:])) or not _INTERNATIONAL.fullmatch(
        number
    ):
        raise RequestInvalidError("not a phone number", field="phone")
    return number


def is_new_energy(number: str) -> bool:
    """Is a plate, in its one written form, a new-energy car's? Those have one character more."""
    return len(number) == _NEW_ENERGY_SIZE


def normalise_plate(plate: str) -> str:
    """A motor vehicle's plate in capitals, without the dot: ``鲁D12345``, ``鲁DD12345``.

    Raises:
        RequestInvalidError: it does not follow the standard.

    Source:
        GA 36-2018: province, office, then five characters, or six for new-energy cars.
    """
    number = _SEPARATORS.sub("", plate).upper()
    if not _PLATE.fullmatch(number):
        raise RequestInvalidError("not a plate number of GA 36", field="plate")
    return number
