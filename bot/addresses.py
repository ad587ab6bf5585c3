"""How people on messengers are kept: looked up by a keyed hash, written to by an encrypted address.

The hash needs the key and tells nothing without it; the address can be read only to send an answer. With `OLD_SECRET_KEYS` set
addresses under an earlier key are still read, and people are found under their earlier hash and moved to the new one.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet


class UnreadableAddressError(ValueError):
    """An address was encrypted under a key that is not among those set."""


class AddressBook:
    """Encrypts and reads addresses.

    Args:
        key: of today.
        earlier: keys that were used before, newest first.
        purpose: each has a key of its own, so that what was sealed for one can't be read as another.

    """

    def __init__(self, key: bytes, earlier: Sequence[bytes] = (), *, purpose: str = "addresses") -> None:
        self._fernet = MultiFernet([Fernet(_derived(one, purpose)) for one in (key, *earlier)])

    def seal(self, address: str) -> str:
        """The address, encrypted under today's key."""
        return self._fernet.encrypt(address.encode()).decode("ascii")

    def seal_bytes(self, data: bytes) -> bytes:
        """A file, encrypted under today's key."""
        return self._fernet.encrypt(data)

    def read_bytes(self, sealed: bytes) -> bytes:
        """The file; raises as `read` does."""
        try:
            return self._fernet.decrypt(sealed)
        except InvalidToken:
            raise UnreadableAddressError("a file cannot be read with SECRET_KEY or OLD_SECRET_KEYS") from None

    def read(self, sealed: str, *, not_older: int | None = None) -> str:
        """The address.

        Args:
            not_older: seconds since it was sealed.

        Raises:
            UnreadableAddressError: none of the keys fits, or it is too old.

        """
        try:
            return self._fernet.decrypt(sealed.encode("ascii", "replace"), ttl=not_older).decode()
        except InvalidToken:
            raise UnreadableAddressError("an address cannot be read with SECRET_KEY or OLD_SECRET_KEYS") from None


def _derived(key: bytes, purpose: str) -> bytes:
    # That of the hashes must not read addresses either.
    return base64.urlsafe_b64encode(hashlib.blake2b(purpose.encode(), key=key[:64], digest_size=32).digest())
