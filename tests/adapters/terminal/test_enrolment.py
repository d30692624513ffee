"""Enrolling: a key of one's own, kept from others, bound to one terminal."""

import json
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from adapters.terminal.enrolment import (
    EnrolmentError,
    NotEnrolledError,
    canonical_code,
    read_enrolment,
    read_own_key,
)
from adapters.terminal.home import HomeError, HomeInUseError, TerminalHome
from adapters.terminal.key import KEY_ALGORITHMS, KeyUnreadableError, make_key, read_key
from adapters.terminal.server import (
    ServerAwayError,
    ServerRefusedError,
    ServerURLError,
    checked_url,
)
from codes import Algorithm
from codes.validator_record import verify_record
from tests.adapters.terminal.depot import Depot
from tests.adapters.terminal.fake_server import CODE, KID, TERMINAL

SECOND_CODE = "22222-22222-22222-22222"


@pytest.mark.parametrize("algorithm", KEY_ALGORITHMS)
def test_an_enrolled_terminal_keeps_its_key_to_itself(depot: Depot, algorithm: Algorithm) -> None:
    enrolment = depot.enrol(algorithm=algorithm)
    key = read_own_key(depot.home(), enrolment)
    assert key.algorithm is algorithm
    assert depot.fake.keys[0].raw == key.signing.public_key.raw
    assert (enrolment.kid, enrolment.terminal_id) == (0, TERMINAL)
    assert enrolment.pinned_ring.get(enrolment.issuer_id, KID) is not None
    assert stat.S_IMODE(depot.folder.stat().st_mode) == 0o700
    files = [path for path in depot.folder.iterdir() if path.is_file()]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert key.signing.secret.hex() not in repr((key, enrolment))


@pytest.mark.parametrize("algorithm", KEY_ALGORITHMS)
def test_records_of_either_kind_of_key_reach_the_server(depot: Depot, algorithm: Algorithm) -> None:
    depot.enrol(algorithm=algorithm)
    depot.fake.publish()
    with depot.ready() as agent:
        assert agent.scan(depot.fake.issuer.code_s(depot.now)).accepted
        assert agent.uplink is not None
        assert agent.uplink.drain()
    assert depot.fake.sequence_numbers == [1]


@pytest.mark.parametrize(
    "typed", ["abcde fghjk mnpqr stvwx", "ABCDEFGHJKMNPQRSTVWX", " ABCDE--FGHJK-MNPQR-STVWX\n"]
)
def test_a_code_is_read_as_people_write_it(typed: str) -> None:
    assert canonical_code(typed) == CODE
    assert canonical_code("OIL11") == "01111"


def test_a_refused_code_leaves_nothing_behind(depot: Depot) -> None:
    with pytest.raises(ServerRefusedError) as refused:
        depot.enrol("00000-00000-00000-00000")
    assert (refused.value.status, refused.value.code) == (403, "activation_refused")
    with pytest.raises(NotEnrolledError):
        read_enrolment(depot.home())
    assert list(depot.folder.iterdir()) == []


def test_enrolling_again_replaces_the_key_and_begins_a_chain(depot: Depot) -> None:
    """Why: records signed before, and not yet sent, must still be believed, in their order."""
    with depot.ready() as agent:
        agent.scan(depot.fake.issuer.code_s(depot.now))
    first = read_enrolment(depot.home())
    depot.fake.codes.add(SECOND_CODE)
    second = depot.enrol(SECOND_CODE, Algorithm.ES256)
    assert (second.kid, second.key_file != first.key_file) == (1, True)
    assert not (depot.folder / first.key_file).exists()
    with depot.ready() as agent:
        agent.scan(depot.fake.issuer.code_s(depot.now))
        assert agent.uplink is not None
        assert agent.uplink.drain()
    assert [record.kid for record in depot.fake.booked] == [0, 1]
    assert depot.fake.chain_is_whole()
    newest = depot.records()[-1].to_bytes()
    assert verify_record(newest, depot.fake.keys[1]).sequence_no == 1


def test_an_attempt_that_fails_leaves_the_earlier_enrolment(depot: Depot) -> None:
    first = depot.enrol()
    with pytest.raises(ServerRefusedError):
        depot.enrol()
    depot.fake.away = True
    with pytest.raises(ServerAwayError):
        depot.enrol(SECOND_CODE)
    assert read_enrolment(depot.home()) == first
    assert read_own_key(depot.home(), first).algorithm is Algorithm.ED25519


def test_a_folder_belongs_to_one_terminal(depot: Depot) -> None:
    depot.enrol()
    with pytest.raises(EnrolmentError, match="belongs to terminal"):
        depot.enrol(SECOND_CODE, terminal_id="bus-V0002")


@pytest.mark.parametrize("changes", [{"kid": 256}, {"terminal_id": "other"}, {"package_keys": 7}])
def test_an_answer_that_makes_no_sense_is_refused(depot: Depot, changes: dict[str, object]) -> None:
    enrol = depot.fake.enrol
    depot.fake.enrol = lambda body: (201, enrol(body)[1] | changes)  # type: ignore[method-assign]
    with pytest.raises(EnrolmentError):
        depot.enrol()
    assert not depot.home().enrolment_file.exists()


@pytest.mark.parametrize("key", [{"algorithm": "rsa"}, {"public_key": "AAAA"}, {"public_key": "!"}])
def test_package_keys_nobody_can_use_are_refused(depot: Depot, key: dict[str, str]) -> None:
    enrol = depot.fake.enrol

    def bent(body: dict[str, object]) -> tuple[int, dict[str, object]]:
        status, answer = enrol(body)
        return status, answer | {"package_keys": [answer["package_keys"][0] | key]}

    depot.fake.enrol = bent  # type: ignore[method-assign]
    with pytest.raises(EnrolmentError, match="package keys"):
        depot.enrol()


def test_damaged_files_are_named_and_not_repeated(depot: Depot) -> None:
    enrolment = depot.enrol()
    key_file = depot.folder / enrolment.key_file
    key_file.write_bytes(b"-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n")
    with pytest.raises(KeyUnreadableError) as refused:
        read_own_key(depot.home(), enrolment)
    assert "c2VjcmV0" not in str(refused.value)
    key_file.unlink()
    with pytest.raises(EnrolmentError, match="missing"):
        read_own_key(depot.home(), enrolment)
    depot.home().enrolment_file.write_text(json.dumps({"kid": 1}))
    with pytest.raises(EnrolmentError, match="damaged"):
        read_enrolment(depot.home())


def test_a_key_of_another_kind_is_refused() -> None:
    foreign = ec.generate_private_key(ec.SECP384R1()).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    with pytest.raises(KeyUnreadableError, match="another kind"):
        read_key(foreign)
    own = make_key(Algorithm.ES256)
    assert read_key(own.to_pem()).signing.secret == own.signing.secret


def test_a_folder_others_may_enter_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    with pytest.raises(HomeError, match="open to others"):
        TerminalHome(tmp_path)


def test_two_agents_do_not_share_a_folder(depot: Depot) -> None:
    with (
        depot.home().locked(),
        pytest.raises(HomeInUseError),
        depot.home().locked(),
    ):
        pass
    with depot.home().locked():
        pass


@pytest.mark.parametrize("url", ["http://card.example", "ftp://127.0.0.1", "card.example", ""])
def test_plain_http_is_spoken_to_this_machine_alone(url: str) -> None:
    with pytest.raises(ServerURLError):
        checked_url(url)
    assert checked_url("https://card.example/") == "https://card.example"
    assert checked_url("http://127.0.0.1:8000") == "http://127.0.0.1:8000"
