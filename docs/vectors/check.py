"""Independent checker of the public test vectors: `python check.py [folder]`.

Written from the tables of docs/codes.md alone; it imports nothing of the project. Needs Python 3.11
and the package `cryptography` (for Ed25519, P-256, SM3, SM4 and 3DES); SM2 is computed here in plain Python,
which is slow and good for nothing but checking. Exit code 0: every vector is judged as it says.

A "refused" in the vectors means: refused, with whatever reason comes first.
"""

import hashlib
import json
import sys
import zlib
from datetime import datetime, timezone
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, utils
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.algorithms import SM4
from cryptography.hazmat.primitives.hashes import SHA256, SM3, Hash

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
ED25519, SM2, ES256 = 1, 2, 3
ALGORITHM_NAMES = {"ed25519": ED25519, "sm2-sm3": SM2, "es256": ES256}
KEY_SIZE = {ED25519: 32, SM2: 33, ES256: 33}
IDENTITY, PAY, ONLINE = 1, 2, 4


class Refused(Exception):
    """A code is refused; the argument is the reason code."""


def need(condition, reason="code_invalid"):
    if not condition:
        raise Refused(reason)


# --- base45 (RFC 9285) --------------------------------------------------------------------------


def base45_decode(text):
    need(all(character in ALPHABET for character in text))
    values = [ALPHABET.index(character) for character in text]
    out = bytearray()
    for start in range(0, len(values), 3):
        group = values[start : start + 3]
        need(len(group) > 1)
        number = sum(value * 45**place for place, value in enumerate(group))
        size = len(group) - 1
        need(number < 256**size)
        out += number.to_bytes(size, "big")
    return bytes(out)


# --- signatures ---------------------------------------------------------------------------------

P = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF
N = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
A = P - 3
B = 0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93
G = (
    0x32C4AE2C1F1981195F9904466A39C9948FE30BBFF2660BE1715A4589334C74C7,
    0xBC3736A2F4F6779C59BDCEE36B692153D0A9877CC62A474002DF32E52139F0A0,
)
P256_N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
ED_P = 2**255 - 19
ED_D = -121665 * pow(121666, -1, ED_P) % ED_P


def sm3(data):
    digest = Hash(SM3())
    digest.update(data)
    return digest.finalize()


def point_add(one, two):
    if one is None:
        return two
    if two is None:
        return one
    if one[0] == two[0] and (one[1] + two[1]) % P == 0:
        return None
    if one == two:
        slope = (3 * one[0] * one[0] + A) * pow(2 * one[1], -1, P)
    else:
        slope = (two[1] - one[1]) * pow(two[0] - one[0], -1, P)
    x = (slope * slope - one[0] - two[0]) % P
    return x, (slope * (one[0] - x) - one[1]) % P


def point_multiply(scalar, point):
    result = None
    while scalar:
        if scalar & 1:
            result = point_add(result, point)
        point = point_add(point, point)
        scalar >>= 1
    return result


def sm2_point(raw):
    need(len(raw) == 33 and raw[0] in (2, 3))
    x = int.from_bytes(raw[1:], "big")
    need(x < P)
    square = (x**3 + A * x + B) % P
    y = pow(square, (P + 1) // 4, P)
    need(y * y % P == square)
    return (x, y) if y % 2 == raw[0] % 2 else (x, P - y)


def sm2_verify(raw, signature, message):
    point = sm2_point(raw)
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    need(0 < r < N and 0 < s < N)
    user_id = b"1234567812345678"
    numbers = (A, B, *G, *point)
    curve_and_key = b"".join(number.to_bytes(32, "big") for number in numbers)
    za = sm3((8 * len(user_id)).to_bytes(2, "big") + user_id + curve_and_key)
    e = int.from_bytes(sm3(za + message), "big")
    t = (r + s) % N
    need(t)
    found = point_add(point_multiply(s, G), point_multiply(t, point))
    need(found is not None and (e + found[0]) % N == r)


def ed25519_has_small_order(encoded):
    """Eight times the point is the neutral element (x = 0, y = 1)."""
    y = (int.from_bytes(encoded, "little") & (2**255 - 1)) % ED_P
    # The doubling formula needs y and x*x only until the last step: (x, y) and (-x, y) behave alike.
    for _ in range(3):
        denominator = (ED_D * y * y + 1) % ED_P
        if denominator == 0:
            return False
        x2 = (y * y - 1) * pow(denominator, -1, ED_P) % ED_P
        y = (y * y + x2) * pow(1 - ED_D * x2 * y * y, -1, ED_P) % ED_P
    return y == 1


def verify_signature(algorithm, raw, signature, message):
    need(len(raw) == KEY_SIZE[algorithm] and len(signature) == 64)
    try:
        if algorithm == SM2:
            sm2_verify(raw, signature, message)
        elif algorithm == ES256:
            key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), raw)
            r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
            need(0 < r < P256_N and 0 < s < P256_N)
            key.verify(utils.encode_dss_signature(r, s), message, ec.ECDSA(SHA256()))
        else:
            need(int.from_bytes(raw, "little") & (2**255 - 1) < ED_P)
            need(not ed25519_has_small_order(raw))
            need(not ed25519_has_small_order(signature[:32]))
            ed25519.Ed25519PublicKey.from_public_bytes(raw).verify(signature, message)
    except (InvalidSignature, ValueError):
        raise Refused("code_invalid") from None


# --- codes --------------------------------------------------------------------------------------


class Reader:
    """Takes big-endian fields off the front."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def bytes(self, size):
        need(self.at + size <= len(self.data))
        self.at += size
        return self.data[self.at - size : self.at]

    def number(self, size):
        return int.from_bytes(self.bytes(size), "big")

    def end(self):
        need(self.at == len(self.data))


def parse(text):
    """All fields of a code as a dictionary."""
    need(text.startswith("M1:") and len(text) <= 309)
    data = base45_decode(text[3:])
    reader = Reader(data)
    first = reader.number(1)
    need(first in (0x11, 0x12, 0x13))
    code = {"class": "SDP"[first - 0x11], "data": data, "suite": reader.number(1)}
    code["issuer"], code["kid"], code["token"] = reader.number(2), reader.number(1), reader.bytes(8)
    legal = (0x11, 0x13, 0x22, 0x23, 0x33) if code["class"] == "D" else (0x10, 0x20, 0x30)
    need(code["suite"] in legal)
    if code["class"] != "S":
        code["index"] = reader.number(4)
    code["scope"] = reader.number(2)
    need(code["scope"] < 0x200)
    code["purpose"] = reader.number(1) & 7
    code["made"] = code["authorised"] = reader.number(4)
    {"S": parse_s, "D": parse_d, "P": parse_p}[code["class"]](reader, code)
    reader.end()
    return code


def parse_s(reader, code):
    ttl, code["cap"], code["domain"] = reader.number(2), 10 * reader.number(2), reader.number(2)
    code["jti"], code["context"], code["flags"] = reader.bytes(8), reader.bytes(4), reader.number(1)
    need(ttl > 0 and not code["flags"] & 0x10 and reader.number(1) == 0)
    need(ttl <= 30 or not code["purpose"] & PAY or any(code["context"]))
    code["expires"] = code["made"] + ttl
    reader.bytes(64)


def parse_d(reader, code):
    validity, code["cap"], code["sum_cap"] = (
        reader.number(2),
        10 * reader.number(2),
        10 * reader.number(2),
    )
    code["uses"], ttl = reader.number(1), reader.number(1)
    need(0 < validity <= 10080 and 15 <= ttl <= 60)
    code["ends"] = code["authorised"] + 60 * validity
    code["device_key"] = reader.bytes(KEY_SIZE[code["suite"] & 15])
    reader.bytes(64)
    code["authorisation_size"] = reader.at
    code["made"] += reader.number(3)
    code["counter"], code["context"], code["flags"] = (
        reader.number(3),
        reader.bytes(4),
        reader.number(1),
    )
    need(not code["flags"] & 0x10)
    code["expires"] = code["made"] + ttl
    reader.bytes(64)


def parse_p(reader, code):
    days, code["cap"], code["flags"] = reader.number(2), 10 * reader.number(2), reader.number(1)
    need(days > 0 and not code["flags"] & 0x1F and reader.number(1) == 0)
    code["expires"] = code["made"] + 86400 * days
    reader.bytes(64)


def identity(code):
    if code["class"] == "S":
        return ("S", code["issuer"], code["jti"])
    return ("D", code["issuer"], code["token"], code["counter"])


def check_signatures(code, key):
    algorithm, data = code["suite"] >> 4, code["data"]
    if code["class"] != "D":
        tag = b"CC1-" + code["class"].encode()
        verify_signature(algorithm, key, data[-64:], tag + data[:-64])
        return
    granted = data[: code["authorisation_size"]]
    verify_signature(algorithm, key, granted[-64:], b"CC1-A" + granted[:-64])
    verify_signature(code["suite"] & 15, code["device_key"], data[-64:], b"CC1-D" + data[:-64])


def context_of(place_id, suite):
    data = place_id.encode()
    return (sm3(data) if suite >> 4 == SM2 else hashlib.sha256(data).digest())[:4]


def check_place(code, policy, amount):
    need(code["scope"] & policy["scope"], "scene_not_allowed")
    needs = policy["needs"] | (PAY if amount else 0)
    need(not needs & ~code["purpose"], "purpose_not_allowed")
    if not policy["online"]:
        need(not code["purpose"] & ONLINE, "ask_online")
        need(code["class"] != "P" or not needs & PAY, "ask_online")
    need(code.get("domain", 0) in (0, policy["domain"]), "domain_not_allowed")
    if code["class"] == "P":
        return
    if any(code["context"]):
        here = [context_of(place_id, code["suite"]) for place_id in policy["place_ids"]]
        need(code["context"] in here, "context_mismatch")
    else:
        need(not policy["context_required"], "context_mismatch")
    verified = code["flags"] & 0x80 or not policy["user_verified_required"]
    need(verified, "user_verification_required")


def check_status(code, vector):
    if code["class"] == "S":
        return
    status, policy, now = vector["status"], vector["policy"], vector["now_s"]
    need(status is not None, "list_stale")
    value = status["statuses"].get(str(code["index"]), 0)
    need(value != 1, "code_revoked")
    need(value != 2, "code_suspended")
    need(value != 3 or policy["online"], "ask_online")
    age = now - status["issued_at_s"]
    fresh = -policy["skew_s"] <= age <= policy["list_age_max_s"] and now <= status["expires_at_s"]
    stale_cap = policy["stale_cap_fen"]
    need(fresh or (stale_cap is not None and vector["amount_fen"] <= stale_cap), "list_stale")


def accept(text, vector, ring, claimed):
    """The acceptance order of docs/codes.md. Raises `Refused`."""
    policy, now, amount = vector["policy"], vector["now_s"], vector["amount_fen"]
    skew = policy["skew_s"]
    code = parse(text)
    key = ring.get((code["issuer"], code["kid"]))
    need(key is not None and key["algorithm"] == code["suite"] >> 4)
    need(key["not_before"] <= now < key["not_after"])
    need(code["authorised"] <= now + skew, "clock_skew")
    if "ends" in code:
        need(now <= code["ends"] and code["made"] <= code["ends"], "code_expired")
    need(code["made"] <= now + skew, "clock_skew")
    need(now <= code["expires"] + skew, "code_expired")
    check_place(code, policy, amount)
    check_status(code, vector)
    check_signatures(code, key["public_key"])
    if code["class"] != "P":
        need(identity(code) not in claimed, "code_replayed")
        claimed.add(identity(code))
    need(amount <= code["cap"], "cap_exceeded")
    if code["class"] == "D" and not policy["online"]:
        need(amount <= code["sum_cap"], "cap_cumulative_exceeded")
        need(code["uses"] >= 1, "cap_count_exceeded")


def unix(instant):
    return int(datetime.fromisoformat(instant).astimezone(timezone.utc).timestamp())


def check_codes(document):
    ring = {}
    for key in document["key_ring"]["keys"]:
        ring[key["issuer_id"], key["kid"]] = {
            "algorithm": ALGORITHM_NAMES[key["algorithm"]],
            "public_key": bytes.fromhex(key["public_key"]),
            "not_before": unix(key["not_before"]),
            "not_after": unix(key["not_after"]),
        }
    for vector in document["vectors"]:
        claimed = set()
        for earlier in vector["presented_before"]:
            accept(earlier, vector, ring, claimed)
        try:
            accept(vector["text"], vector, ring, claimed)
            verdict = "accepted"
        except Refused as refusal:
            verdict = str(refusal)
        expected = vector["expect"]
        good = verdict != "accepted" if expected == "refused" else verdict == expected
        yield f"codes {vector['id']} ({vector['note']}): {verdict}, not {expected}", good


# --- records, lists, ride codes -----------------------------------------------------------------


def check_records(document):
    for place, entry in enumerate(document["records"]):
        try:
            check_record(bytes.fromhex(entry["record"]), entry)
            verdict = True
        except (Refused, UnicodeDecodeError):
            verdict = False
        yield f"records {place}: {verdict}, not {entry['valid']}", verdict == entry["valid"]


def check_record(data, entry):
    reader = Reader(data)
    need(reader.number(1) == 0x18 and reader.number(1) == entry["algorithm"] << 4)
    reader.number(1)
    decision = reader.number(1)
    need(decision in (1, 2, 3))
    reader.bytes(16)
    need(reader.number(4) > 0)
    reader.bytes(32 + 8 + 4)
    scene = reader.number(2)
    need(scene.bit_count() == 1 and scene < 0x200 and reader.number(1) in (1, 2))
    need(reader.number(1) < 4)
    reader.bytes(12)
    texts = [reader.bytes(reader.number(1)).decode() for _ in range(6)]
    need(texts[0] and bool(texts[5]) == (decision == 3))
    need(reader.bytes(reader.number(2)))
    signature = reader.bytes(64)
    reader.end()
    key = bytes.fromhex(entry["public_key"])
    verify_signature(entry["algorithm"], key, signature, b"CC1-R" + data[:-64])


def check_lists(document):
    for place, entry in enumerate(document["lists"]):
        try:
            check_list(entry)
            good = True
        except Refused:
            good = False
        yield f"status_lists {place}: not as it says", good


def check_list(entry):
    full, delta = bytes.fromhex(entry["full"]), bytes.fromhex(entry["delta"])
    key = bytes.fromhex(entry["public_key"])
    for document, kind in ((full, 0x14), (delta, 0x15)):
        need(document[0] == kind and document[1] == entry["algorithm"] << 4 and document[5] == 2)
        verify_signature(entry["algorithm"], key, document[-64:], b"CC1-L" + document[:-64])
    count = int.from_bytes(full[22:26], "big")
    packed = bytearray(zlib.decompress(full[26:-64]))
    need(len(packed) == (count + 3) // 4)
    statuses = {i: packed[i // 4] >> 2 * (i % 4) & 3 for i in range(count)}
    need({str(i): status for i, status in statuses.items() if status} == entry["statuses"])
    need(delta[26:30] == full[6:10] and int.from_bytes(delta[6:10], "big") > int.from_bytes(full[6:10], "big"))
    new_count = int.from_bytes(delta[22:26], "big")
    previous, number, shift, changes = -1, 0, 0, 0
    for byte in zlib.decompress(delta[66:-64]):
        number |= (byte & 0x7F) << shift
        shift += 7
        if byte & 0x80:
            continue
        previous += 1 + (number >> 2)
        statuses[previous] = number & 3
        number = shift = 0
        changes += 1
    need(changes == int.from_bytes(delta[62:66], "big"))
    need({str(i): status for i, status in statuses.items() if status} == entry["statuses_after"])
    packed = bytearray((new_count + 3) // 4)
    for i, status in statuses.items():
        packed[i // 4] |= status << 2 * (i % 4)
    need(hashlib.sha256(packed).digest() == delta[30:62])


def check_ride_codes(document):
    roots = {int(place): bytes.fromhex(key) for place, key in document["roots"].items()}
    for entry in document["codes"]:
        try:
            check_ride_code(bytes.fromhex(entry["code"]), roots, entry["now_s"])
            verdict = True
        except Refused:
            verdict = False
        yield f"ride_codes ({entry['note']}): {verdict}", verdict == entry["valid"]


def check_ride_code(data, roots, now):
    need(len(data) >= 332 and data[0] == 0x81)
    n = data[197]
    need(len(data) == 332 + n and int.from_bytes(data[1:3], "big") in (332 + n, 329 + n))
    certificate = data[3:120]
    need(certificate[0] == 0x24 and certificate[6] == 0x12 and certificate[16:18] == b"\4\4")
    need(certificate[19] == 0x21 and certificate[5] in roots and certificate[7:11] == data[146:150])
    digits = certificate[11:13].hex()
    need(digits.isdigit() and 1 <= int(digits[:2]) <= 12 and data[136:146].hex().isdigit())
    months = (2000 + int(digits[2:])) * 12 + int(digits[:2])
    end = datetime(months // 12, months % 12 + 1, 1, tzinfo=timezone.utc).timestamp() - 28800
    need(now < end)
    verify_signature(SM2, roots[certificate[5]], certificate[53:], certificate[6:53])
    generated = int.from_bytes(data[263 + n : 267 + n], "big")
    validity, ends = int.from_bytes(data[195:197], "big"), int.from_bytes(data[191:195], "big")
    need(0 < validity <= 600 and generated <= now + 30 and now <= generated + validity + 30)
    need(now <= ends and generated <= ends)
    need(data[198 + n] == 0x15 and data[267 + n] == 0x15)
    verify_signature(SM2, certificate[20:53], data[199 + n : 263 + n], data[3 : 198 + n])
    verify_signature(SM2, data[158:191], data[268 + n :], data[: 267 + n])


# --- card taps ----------------------------------------------------------------------------------


def encrypt(suite, key, block):
    cipher = SM4(key) if suite == 1 else TripleDES(key + key[:8])
    encryptor = Cipher(cipher, modes.ECB()).encryptor()
    return encryptor.update(block) + encryptor.finalize()


def card_tac(suite, master, card_no, message):
    whole = card_no + bytes(255 - byte for byte in card_no)
    size = 16 if suite == 1 else 8
    key = b"".join(encrypt(suite, master, whole[at : at + size]) for at in range(0, 16, size))
    if suite == 2:  # the halves folded, and single DES by them
        key = bytes(a ^ b for a, b in zip(key[:8], key[8:])) * 2
    message += b"\x80"
    message += bytes(-len(message) % size)
    state = bytes(size)
    for at in range(0, len(message), size):
        state = encrypt(suite, key, bytes(a ^ b for a, b in zip(state, message[at : at + size])))
    return state[:4]


def check_tap(data, entry):
    reader = Reader(data)
    need(reader.number(1) == 0x19)
    suite = reader.number(1)
    need(suite in (1, 2))
    reader.bytes(2 + 1 + 8)
    amount, kind = reader.number(4), reader.number(1)
    need(kind in (0, 6, 9) and (kind == 0) == (amount == 0))
    reader.bytes(6)
    need(reader.number(4) > 0)
    moment = reader.bytes(7).hex()
    need(moment.isdecimal() and moment[:2] == "20")
    try:
        datetime.strptime(moment, "%Y%m%d%H%M%S")
    except ValueError:
        raise Refused("moment") from None
    need(reader.number(2) > 0)
    tac = reader.bytes(4)
    reader.end()
    master, card_no = bytes.fromhex(entry["master_key"]), bytes.fromhex(entry["card_no"])
    need(card_tac(suite, master, card_no, data[13:37]) == tac)


def check_taps(document):
    for place, entry in enumerate(document["taps"]):
        try:
            check_tap(bytes.fromhex(entry["tap"]), entry)
            verdict = True
        except Refused:
            verdict = False
        yield f"taps {place} ({entry['note']}): {verdict}", verdict == entry["valid"]


CHECKS = {
    "codes.json": check_codes,
    "records.json": check_records,
    "status_lists.json": check_lists,
    "ride_codes.json": check_ride_codes,
    "taps.json": check_taps,
}


def main(folder):
    total = bad = 0
    for name, check in CHECKS.items():
        document = json.loads((folder / name).read_text(encoding="utf-8"))
        for message, good in check(document):
            total += 1
            if not good:
                bad += 1
                print("WRONG", message)
    print(f"{total} vectors, {bad} wrong")
    return 1 if bad or not total else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent))
