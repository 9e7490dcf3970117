"""What proves that the node itself has chosen a message's Binding.

A client that may not choose could write the header that names one. So the header of the policy
service carries a token as well: one for each Binding, which nobody can work out without the node's
key. A bounce shows the sender the token of his own Binding, which gives him nothing new.
"""

import hmac
from typing import Final

TOKEN_LENGTH: Final = 16
"""Hexadecimal digits, 64 bits: each guess is a message that the node takes."""


def token_of(key: bytes, name: str) -> str:
    """The token of the Binding with this name, in hexadecimal digits."""
    return hmac.digest(key, name.encode(), "sha256").hex()[:TOKEN_LENGTH]
