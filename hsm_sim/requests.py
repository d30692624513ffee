"""From the fields of a request to a call on a session, and from its result to an answer's fields.

A handler may raise any ``HSMError`` (an ordinary refusal) or ``ValueError`` (the fields are not of
the operation's form: the server answers ``request_invalid``).
"""

from collections.abc import Callable, Sequence
from typing import Final

from hsm_sim.interface import Algorithm
from hsm_sim.session import Session
from hsm_sim.wire import FRAME_SIZE_MAX, Operation, component_of, info_fields, usage_of

Handler = Callable[[Session, list[bytes]], Sequence[bytes]]


def _generate(session: Session, fields: list[bytes]) -> Sequence[bytes]:
    label, algorithm, usage = fields
    return info_fields(
        session.generate(label.decode(), Algorithm(algorithm.decode()), usage_of(usage))
    )


def _describe(session: Session, fields: list[bytes]) -> Sequence[bytes]:
    (label,) = fields
    return info_fields(session.describe(label.decode()))


def _list_keys(session: Session, fields: list[bytes]) -> Sequence[bytes]:
    (after,) = fields
    page: list[bytes] = []
    size = 0
    for info in session.list_keys():
        if info.label > after.decode():
            size += 20 + sum(map(len, info_fields(info)))
            if size > FRAME_SIZE_MAX // 2:
                break
            page.extend(info_fields(info))
    return page


def _derive(session: Session, fields: list[bytes]) -> Sequence[bytes]:
    label, context, child, algorithm, usage = fields
    return info_fields(
        session.derive(
            label.decode(),
            context,
            child=child.decode(),
            algorithm=Algorithm(algorithm.decode()),
            usage=usage_of(usage),
        )
    )


def _import_key(session: Session, fields: list[bytes]) -> Sequence[bytes]:
    label, block, transport = fields
    return info_fields(session.import_key(label.decode(), block, transport=transport.decode()))


def _load_components(session: Session, fields: list[bytes]) -> Sequence[bytes]:
    label, algorithm, usage, *rest = fields
    components = tuple(component_of(rest[at : at + 4]) for at in range(0, len(rest), 4))
    return info_fields(
        session.load_components(
            label.decode(), Algorithm(algorithm.decode()), usage_of(usage), components
        )
    )


def _sign(session: Session, fields: list[bytes]) -> Sequence[bytes]:
    label, message = fields
    return (session.sign(label.decode(), message),)


def _verify(session: Session, fields: list[bytes]) -> Sequence[bytes]:
    label, message, signature = fields
    session.verify(label.decode(), message, signature)
    return ()


def _mac(session: Session, fields: list[bytes]) -> Sequence[bytes]:
    label, message = fields
    return (session.mac(label.decode(), message),)


def _wrap(session: Session, fields: list[bytes]) -> Sequence[bytes]:
    label, plaintext, context = fields
    return (session.wrap(label.decode(), plaintext, context=context),)


def _unwrap(session: Session, fields: list[bytes]) -> Sequence[bytes]:
    label, wrapped, context = fields
    return (session.unwrap(label.decode(), wrapped, context=context),)


def _random(session: Session, fields: list[bytes]) -> Sequence[bytes]:
    (size,) = fields
    return (session.random(int.from_bytes(size, "big")),)


def _tac(session: Session, fields: list[bytes]) -> Sequence[bytes]:
    label, message, card_no = fields
    return (session.tac(label.decode(), message, card_no=card_no),)


def _verify_tac(session: Session, fields: list[bytes]) -> Sequence[bytes]:
    label, message, tac, card_no = fields
    session.verify_tac(label.decode(), message, tac, card_no=card_no)
    return ()


def _translate_pin(session: Session, fields: list[bytes]) -> Sequence[bytes]:
    source, target, block, pan = fields
    return (session.translate_pin(source.decode(), target.decode(), block, pan=pan.decode()),)


def _pin_reference(session: Session, fields: list[bytes]) -> Sequence[bytes]:
    source, reference, block, pan = fields
    return (session.pin_reference(source.decode(), reference.decode(), block, pan=pan.decode()),)


# The calls on keys: one handler each, from request fields to answer fields.
HANDLERS: Final[dict[int, Handler]] = {
    Operation.GENERATE: _generate,
    Operation.DESCRIBE: _describe,
    Operation.LIST_KEYS: _list_keys,
    Operation.DERIVE: _derive,
    Operation.IMPORT_KEY: _import_key,
    Operation.LOAD_COMPONENTS: _load_components,
    Operation.SIGN: _sign,
    Operation.VERIFY: _verify,
    Operation.MAC: _mac,
    Operation.WRAP: _wrap,
    Operation.UNWRAP: _unwrap,
    Operation.RANDOM: _random,
    Operation.TAC: _tac,
    Operation.VERIFY_TAC: _verify_tac,
    Operation.TRANSLATE_PIN: _translate_pin,
    Operation.PIN_REFERENCE: _pin_reference,
}
