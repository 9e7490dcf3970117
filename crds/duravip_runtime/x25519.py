"""X25519 (RFC 7748) by OpenSSL.

A Python that has TLS has OpenSSL's libcrypto loaded already: it is called directly, where it can
be found. Otherwise the package `cryptography` brings one of its own, which would cost each agent 9
MiB more.
"""

import ctypes
import hashlib
from pathlib import Path
from typing import Any, Final

BYTES: Final = 32
_NID_X25519: Final = 1034
_FUNCTIONS: Final = {
    "EVP_PKEY_new_raw_private_key": ctypes.c_void_p,
    "EVP_PKEY_new_raw_public_key": ctypes.c_void_p,
    "EVP_PKEY_CTX_new": ctypes.c_void_p,
    "EVP_PKEY_get_raw_public_key": ctypes.c_int,
    "EVP_PKEY_derive_init": ctypes.c_int,
    "EVP_PKEY_derive_set_peer": ctypes.c_int,
    "EVP_PKEY_derive": ctypes.c_int,
    "EVP_PKEY_CTX_free": None,
    "EVP_PKEY_free": None,
}


class Loaded:
    """By the libcrypto that this process has loaded; raises OSError where there is none.

    Keys are 32 bytes.
    """

    def __init__(self) -> None:
        hashlib.new("sha256")  # which loads it, where it is not yet
        lines = Path("/proc/self/maps").read_text().splitlines()
        paths = {line.split(maxsplit=5)[-1] for line in lines if "/libcrypto.so" in line}
        if not paths:
            raise OSError("no libcrypto is loaded")
        self._lib: Any = ctypes.CDLL(min(paths))
        for name, result in _FUNCTIONS.items():
            try:
                getattr(self._lib, name).restype = result
            except AttributeError as error:
                raise OSError(f"it has no {name}") from error

    def public_key(self, private: bytes) -> bytes:
        """The public key of a private one."""
        key = self._key("private", private)
        try:
            return self._filled(lambda *to: self._lib.EVP_PKEY_get_raw_public_key(key, *to))
        finally:
            self._lib.EVP_PKEY_free(key)

    def exchange(self, private: bytes, public: bytes) -> bytes:
        """What two share; raises ValueError when `public` is no key, or one of low order."""
        key, peer, context = self._key("private", private), None, None
        try:
            peer = self._key("public", public)
            context = ctypes.c_void_p(self._lib.EVP_PKEY_CTX_new(key, None))
            is_ready = self._lib.EVP_PKEY_derive_init(context) > 0
            if not is_ready or self._lib.EVP_PKEY_derive_set_peer(context, peer) <= 0:
                raise ValueError("the keys cannot be used together")
            return self._filled(lambda *to: self._lib.EVP_PKEY_derive(context, *to))
        finally:
            self._lib.EVP_PKEY_CTX_free(context)
            self._lib.EVP_PKEY_free(peer)
            self._lib.EVP_PKEY_free(key)

    def _key(self, kind: str, raw: bytes) -> ctypes.c_void_p:
        if len(raw) != BYTES:
            raise ValueError(f"a key has {BYTES} bytes")
        make = getattr(self._lib, f"EVP_PKEY_new_raw_{kind}_key")
        found = ctypes.c_void_p(make(_NID_X25519, None, raw, ctypes.c_size_t(BYTES)))
        if not found:
            raise ValueError("not a key")
        return found

    @staticmethod
    def _filled(fill: Any) -> bytes:
        buffer, size = ctypes.create_string_buffer(BYTES), ctypes.c_size_t(BYTES)
        if fill(buffer, ctypes.byref(size)) <= 0 or size.value != BYTES:
            raise ValueError("the public key is of low order")
        return buffer.raw


class Packaged:
    """By the package `cryptography`."""

    def __init__(self) -> None:
        # Not loaded where it is not needed.
        from cryptography.hazmat.primitives.asymmetric import x25519  # noqa: PLC0415

        self._module = x25519

    def public_key(self, private: bytes) -> bytes:
        """As `Loaded.public_key`."""
        key = self._module.X25519PrivateKey.from_private_bytes(private)
        return key.public_key().public_bytes_raw()

    def exchange(self, private: bytes, public: bytes) -> bytes:
        """As `Loaded.exchange`."""
        key = self._module.X25519PrivateKey.from_private_bytes(private)
        return key.exchange(self._module.X25519PublicKey.from_public_bytes(public))


X25519 = Loaded | Packaged


def available() -> X25519:
    """The way that costs least."""
    try:
        return Loaded()
    except OSError:
        return Packaged()
