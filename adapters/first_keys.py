"""The keys an installation cannot be without, and the command that makes those that are missing."""

import contextlib
from datetime import datetime
from typing import Final

from sqlalchemy.ext.asyncio import AsyncEngine

from cardcore.account.custody import LEDGER_SEAL_KEY
from cardcore.audit import SEAL_KEY
from cardcore.books import transaction
from cardcore.business.merchants import open_fixed_accounts
from cardcore.foreign_service import CLEARING_KEY
from cardcore.platform.operators import TOTP_KEY
from cardcore.platform.webhooks import SIGNING_KEY
from cardcore.service import PSEUDONYM_KEY
from cardcore.settlement.files import SETTLEMENT_KEY
from cardcore.user.card_taps import register_card_key
from cardcore.user.card_vault import NUMBER_INDEX_KEY, NUMBER_WRAPPING_KEY
from cardcore.user.issuer_keys import CLOCKS_APART, publish_key, read_issuer_keys
from cardcore.user.personal_data import INDEX_KEY, WRAPPING_KEY
from codes.card_tap import CardSuite
from codes.key_ring import KeyUse
from hsm_sim.interface import HSM, Algorithm, KeyExistsError, KeyUsage
from ledger import Ledger

ISSUER_ID: Final = 0x3704
# Two suites from the first day: terminals must know how to read both.
FIRST_KEYS: Final = (
    (KeyUse.CODES, 1, Algorithm.ED25519),
    (KeyUse.CODES, 2, Algorithm.P256),
    (KeyUse.PACKAGES, 128, Algorithm.ED25519),
    (KeyUse.LISTS, 129, Algorithm.ED25519),
)
CARD_KEY: Final = "card-master-1"
CARD_KEY_VERSION: Final = 1
TOKEN_KEY: Final = "access-token"  # noqa: S105  (a label, not a secret)
TOKEN_KEY_CONTEXT: Final = b"access token signing key, version %d"
SECRET_KEYS: Final = (
    (WRAPPING_KEY, Algorithm.AES256, KeyUsage.WRAP),
    (INDEX_KEY, Algorithm.HMAC_SHA256, KeyUsage.MAC),
    (PSEUDONYM_KEY, Algorithm.HMAC_SHA256, KeyUsage.MAC),
    (TOKEN_KEY, Algorithm.HMAC_SHA256, KeyUsage.MAC),
    (SEAL_KEY, Algorithm.ED25519, KeyUsage.SIGN),
    (LEDGER_SEAL_KEY, Algorithm.ED25519, KeyUsage.SIGN),
    (NUMBER_WRAPPING_KEY, Algorithm.AES256, KeyUsage.WRAP),
    (NUMBER_INDEX_KEY, Algorithm.HMAC_SHA256, KeyUsage.MAC),
    (TOTP_KEY, Algorithm.AES256, KeyUsage.WRAP),
    (SIGNING_KEY, Algorithm.ED25519, KeyUsage.SIGN),
    (CLEARING_KEY, Algorithm.ED25519, KeyUsage.SIGN),
    (SETTLEMENT_KEY, Algorithm.ED25519, KeyUsage.SIGN),
    (CARD_KEY, Algorithm.SM4, KeyUsage.CARD),
)


async def ensure_secret_keys(hsm: HSM) -> None:
    """Make the keys that are missing; two processes may start at once."""
    known = {info.label for info in await hsm.list_keys()}
    for label, algorithm, usage in SECRET_KEYS:
        if label not in known:
            with contextlib.suppress(KeyExistsError):
                await hsm.generate(label, algorithm, usage)


async def ensure_keys(hsm: HSM, engine: AsyncEngine, book: Ledger, now: datetime) -> None:
    """Make the keys and accounts an installation cannot be without; does nothing the next time."""
    await ensure_secret_keys(hsm)
    async with transaction(engine) as (connection, raw):
        await open_fixed_accounts(book, raw)
        await register_card_key(
            connection,
            issuer_id=ISSUER_ID,
            key_version=CARD_KEY_VERSION,
            suite=CardSuite.SM4,
            label=CARD_KEY,
            now=now,
        )
        known = await read_issuer_keys(connection, now)
        for use, kid, algorithm in FIRST_KEYS:
            if not getattr(known, use.value):
                await publish_key(
                    connection,
                    hsm,
                    issuer_id=ISSUER_ID,
                    kid=kid,
                    algorithm=algorithm,
                    use=use,
                    signs_from=now - CLOCKS_APART,
                    now=now,
                )
