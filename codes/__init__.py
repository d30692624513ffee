"""Codes and card tokens: bytes that prove who showed up.

Everything a validator needs to accept a scanned code without network and database: layout and text
form, key ring, status list, acceptance, replay guard; and, for the issuer, the making of codes. It
knows nothing of money, users or scenes beyond a bit in a scope. Source: docs/codes.md.
"""

from codes.acceptance import AuthorisationCache, VerifierMemory, verify
from codes.accepted import Accepted
from codes.errors import CodeError, CodeInvalidError, CodeReplayedError
from codes.fields import CodeClass, FlagD, FlagP, FlagS, Purpose, Scope
from codes.issue import (
    FieldsAuthorisation,
    FieldsP,
    FieldsS,
    Signer,
    authorise_d,
    issue_p,
    issue_s,
    make_d,
)
from codes.key_ring import IssuerKey, KeyRing, KeyRingError, KeyUse
from codes.layout import Authorisation, ClassD, ClassP, ClassS, Code
from codes.offline_uses import MemoryOfflineUses, OfflineUse, OfflineUses
from codes.policy import Policy, context_of
from codes.replay import MemoryReplayGuard, ReplayGuard, ReplayIdentity
from codes.status import Status, StatusSource
from codes.suites import Algorithm
from codes.text_form import decode, encode

__all__ = [
    "Accepted",
    "Algorithm",
    "Authorisation",
    "AuthorisationCache",
    "ClassD",
    "ClassP",
    "ClassS",
    "Code",
    "CodeClass",
    "CodeError",
    "CodeInvalidError",
    "CodeReplayedError",
    "FieldsAuthorisation",
    "FieldsP",
    "FieldsS",
    "FlagD",
    "FlagP",
    "FlagS",
    "IssuerKey",
    "KeyRing",
    "KeyRingError",
    "KeyUse",
    "MemoryOfflineUses",
    "MemoryReplayGuard",
    "OfflineUse",
    "OfflineUses",
    "Policy",
    "Purpose",
    "ReplayGuard",
    "ReplayIdentity",
    "Scope",
    "Signer",
    "Status",
    "StatusSource",
    "VerifierMemory",
    "authorise_d",
    "context_of",
    "decode",
    "encode",
    "issue_p",
    "issue_s",
    "make_d",
    "verify",
]
