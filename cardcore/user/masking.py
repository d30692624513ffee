"""What may be shown of personal data in any listing. Pure.

Counted in characters a reader sees: a rare character beyond the basic plane is one character, and
a variation selector belongs to the character before it.
"""

import unicodedata

_ADDRESS_SHOWN = 6


def mask_name(name: str) -> str:
    """All but the first character hidden: 张** ."""
    seen = _characters(name)
    return seen[0] + "*" * max(len(seen) - 1, 1)


def mask_id_no(id_no: str) -> str:
    """The first and the last four shown: ``3704**********1234``."""
    return f"{id_no[:4]}{'*' * (len(id_no) - 8)}{id_no[-4:]}"


def mask_phone(phone: str) -> str:
    """Of an E.164 number, the start and the last four: ``+86138****8000``."""
    return f"{phone[:-8]}****{phone[-4:]}"


def mask_plate(plate: str) -> str:
    """Province, office and the last two: ``鲁D***45``."""
    return f"{plate[:2]}{'*' * (len(plate) - 4)}{plate[-2:]}"


def mask_address(address: str) -> str:
    """The start, which names the district: ``枣庄市山亭区****``."""
    return "".join(_characters(address)[:_ADDRESS_SHOWN]) + "****"


def mask_payee(payee: str) -> str:
    """The last four of where money is paid out to: ``****6789``."""
    return "****" + "".join(_characters(payee)[-4:])


def _characters(text: str) -> list[str]:
    seen: list[str] = []
    for character in text:
        # Marks and variation selectors do not stand alone.
        if seen and unicodedata.category(character) in ("Mn", "Me", "Mc"):
            seen[-1] += character
        else:
            seen.append(character)
    return seen
