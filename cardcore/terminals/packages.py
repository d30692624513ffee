"""Terminal packages as they are served: signed when their content changes, else as they stand.

A version holds for all terminals of a scene and for all workers: it lies in the database, and a
worker that finds its content unchanged serves it as it is. It is signed again when half the age a
status list may have is over, so that a terminal that pulls never holds a stale list.
"""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final, Protocol

from sqlalchemy import Row, delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from cardcore.connections import RawConnection
from cardcore.ids import RandomBytes
from cardcore.terminals.package_content import PackageContent, read_content
from cardcore.terminals.scene import PlainTerminals, TerminalScene
from cardcore.terminals.tables import terminal_package
from cardcore.user.citizen_codes import CitizenCodes
from cardcore.user.issuer_keys import IssuingKey
from codes.card_hash_list import HASH_SIZE_DEFAULT, SALT_SIZE, CardHashList, sorted_hashes
from codes.key_ring import KeyRing
from codes.signed_document import DocumentSigner
from codes.status_list import TTL_S_DEFAULT, StatusList, pack
from codes.terminal_package import TerminalPackage, make_package, open_package

CARDS_PART: Final = "cards"
PACKAGE_LIFE: Final = timedelta(days=7)
LIST_LIFE: Final = timedelta(days=2)
LOOKED_AT_FOR: Final = timedelta(seconds=5)
VERSIONS_KEPT: Final = 48
PARSED_MAX: Final = 64


class ContentReader(Protocol):
    """Reads what a package of a scene says; see ``read_content``."""

    async def __call__(
        self,
        connection: AsyncConnection,
        raw: RawConnection,
        *,
        scene: str,
        of_scene: TerminalScene,
        ring: KeyRing,
        issuer_id: int,
        now: datetime,
        on: date,
    ) -> PackageContent:
        """The content at this instant."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """One answer: the container, None where the terminal has this version already."""

    package: TerminalPackage
    container: bytes | None
    is_delta: bool

    @property
    def etag(self) -> str:
        """Name of the version."""
        return self.package.etag


@dataclass(slots=True, kw_only=True)
class PackageSigning:
    """The keys of packages and lists, as names in the HSM; the next epoch's take their place."""

    packages: IssuingKey
    lists: IssuingKey


class Packages:
    """Builds, keeps and serves packages.

    Args:
        codes_: the ring, and the way to the HSM.
        signing: which keys sign.
        scenes: what terminals of a scene carry beside keys, parameters and lists.
        random_bytes: source of the salts.
        read: reads what a package says.
        versions_kept: how many versions changes can be composed from.
    """

    def __init__(
        self,
        codes_: CitizenCodes,
        signing: PackageSigning,
        scenes: Mapping[str, TerminalScene],
        random_bytes: RandomBytes,
        *,
        read: ContentReader = read_content,
        versions_kept: int = VERSIONS_KEPT,
    ) -> None:
        self._read = read
        self._versions_kept = versions_kept
        self._codes = codes_
        self._signing = signing
        self._scenes = scenes
        self._random_bytes = random_bytes
        self._plain = PlainTerminals()
        self._looked_at: dict[str, tuple[datetime, str]] = {}
        self._parsed: OrderedDict[str, TerminalPackage] = OrderedDict()

    def scene(self, scene: str) -> TerminalScene:
        """What is special about terminals of a scene."""
        return self._scenes.get(scene, self._plain)

    async def serve(
        self,
        connection: AsyncConnection,
        raw: RawConnection,
        *,
        scene: str,
        held: str | None,
        has: frozenset[str],
        now: datetime,
        on: date,
    ) -> Served:
        """The package in force: nothing, what changed, or all of it.

        Args:
            connection: the caller's transaction; ``raw`` is the same one.
            raw: the driver's connection.
            scene: the terminal's scene.
            held: ETag the changes should stand on, None for the whole.
            has: ETags of what the terminal holds already; ``*`` is any.
            now: instant of the request.
            on: business date of it.
        """
        package = await self._current(connection, raw, scene=scene, now=now, on=on)
        if not has.isdisjoint((package.etag, "*")):
            return Served(package=package, container=None, is_delta=False)
        base = None if held is None else await self._version(connection, scene, held)
        if base is not None and base.manifest.version < package.manifest.version:
            delta = package.container(base)
            return Served(package=package, container=delta, is_delta=True)
        return Served(package=package, container=package.container(), is_delta=False)

    def remember(self, scene: str, package: TerminalPackage, now: datetime) -> None:
        """Serve this for a few seconds without looking. To be called once it is committed."""
        self._keep(package)
        self._looked_at[scene] = (now, package.etag)

    async def bring_up(
        self,
        connection: AsyncConnection,
        raw: RawConnection,
        *,
        scene: str,
        now: datetime,
        on: date,
    ) -> bool:
        """Sign a new version where the content has changed or the lists grow old; did it?

        So a terminal that pulls finds a version ready, and waits for no signature.
        """
        before = await self._latest(connection, scene)
        package = await self._current(connection, raw, scene=scene, now=now, on=on)
        return before is None or before.etag != package.etag

    async def _current(
        self,
        connection: AsyncConnection,
        raw: RawConnection,
        *,
        scene: str,
        now: datetime,
        on: date,
    ) -> TerminalPackage:
        looked_at = self._looked_at.get(scene)
        if looked_at is not None and timedelta(0) <= now - looked_at[0] < LOOKED_AT_FOR:
            known = self._parsed.get(looked_at[1])
            if known is not None:
                return known
        content = await self._read(
            connection,
            raw,
            scene=scene,
            of_scene=self.scene(scene),
            ring=self._codes.ring,
            issuer_id=self._signing.packages.issuer_id,
            now=now,
            on=on,
        )
        latest = await self._latest(connection, scene)
        if latest is None or latest.content_digest != content.digest or now >= latest.refresh_at:
            # One worker signs; the others wait here, and find its version.
            await raw.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", (f"package {scene}",))
            latest = await self._latest(connection, scene)
        if latest is None or latest.content_digest != content.digest or now >= latest.refresh_at:
            return await self._sign(connection, scene, content, latest, now)
        return self._parse(latest)

    async def _sign(
        self,
        connection: AsyncConnection,
        scene: str,
        content: PackageContent,
        latest: Row[Any] | None,
        now: datetime,
    ) -> TerminalPackage:
        version = 1 if latest is None else latest.version + 1
        now_s = int(now.timestamp())
        blobs = dict(content.blobs)
        if content.denied_cards:
            blobs[CARDS_PART] = await self._card_list(content, version, now_s)
        package = await make_package(
            version=version,
            made_at_s=now_s,
            expires_at_s=now_s + int(PACKAGE_LIFE.total_seconds()),
            blobs=blobs,
            status_lists={
                content.issuer_id: StatusList(
                    issuer_id=content.issuer_id,
                    version=version,
                    issued_at_s=now_s,
                    expires_at_s=now_s + int(LIST_LIFE.total_seconds()),
                    ttl_s=TTL_S_DEFAULT,
                    entry_count=content.entry_count,
                    packed=pack(content.statuses, content.entry_count),
                )
            },
            signer=self._signer(self._signing.packages),
        )
        await connection.execute(
            insert(terminal_package).values(
                scene=scene,
                version=version,
                etag=package.etag,
                content_digest=content.digest,
                made_at=now,
                refresh_at=now + timedelta(seconds=content.parameters.list_age_max_s) / 2,
                container=package.container(),
            )
        )
        await connection.execute(
            delete(terminal_package).where(
                terminal_package.c.scene == scene,
                terminal_package.c.version <= version - self._versions_kept,
            )
        )
        return package

    async def _card_list(self, content: PackageContent, version: int, now_s: int) -> bytes:
        salt = self._random_bytes(SALT_SIZE)
        listed = CardHashList(
            issuer_id=content.issuer_id,
            version=version,
            issued_at_s=now_s,
            expires_at_s=now_s + int(LIST_LIFE.total_seconds()),
            ttl_s=TTL_S_DEFAULT,
            salt=salt,
            hash_size=HASH_SIZE_DEFAULT,
            hashes=sorted_hashes(content.denied_cards, salt, HASH_SIZE_DEFAULT),
        )
        return await listed.sign(self._signer(self._signing.lists))

    def _signer(self, key: IssuingKey) -> DocumentSigner:
        return DocumentSigner(
            algorithm=key.algorithm,
            issuer_id=key.issuer_id,
            kid=key.kid,
            sign=self._codes.signer(key),
        )

    async def _latest(self, connection: AsyncConnection, scene: str) -> Row[Any] | None:
        return (
            await connection.execute(
                select(terminal_package)
                .where(terminal_package.c.scene == scene)
                .order_by(terminal_package.c.version.desc())
                .limit(1)
            )
        ).one_or_none()

    async def _version(
        self, connection: AsyncConnection, scene: str, etag: str
    ) -> TerminalPackage | None:
        known = self._parsed.get(etag)
        if known is not None:
            return known
        row = (
            await connection.execute(
                select(terminal_package).where(
                    terminal_package.c.scene == scene, terminal_package.c.etag == etag
                )
            )
        ).one_or_none()
        if row is None:
            return None
        package = self._parse(row)
        self._keep(package)
        return package

    def _parse(self, row: Row[Any]) -> TerminalPackage:
        known = self._parsed.get(row.etag)
        if known is not None:
            return known
        # Checked as a terminal would have checked it when it was made.
        return open_package(row.container, self._codes.ring, int(row.made_at.timestamp()))

    def _keep(self, package: TerminalPackage) -> None:
        self._parsed[package.etag] = package
        self._parsed.move_to_end(package.etag)
        if len(self._parsed) > PARSED_MAX:
            self._parsed.popitem(last=False)
