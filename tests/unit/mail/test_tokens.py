"""Tokens: what a client cannot work out."""

import re

from duravip_mail.core.tokens import TOKEN_LENGTH, token_of


def test_each_binding_has_its_own_and_it_stays() -> None:
    assert token_of(b"key", "a") == token_of(b"key", "a")
    assert token_of(b"key", "a") != token_of(b"key", "b")


def test_it_depends_on_the_node_s_key() -> None:
    assert token_of(b"key", "a") != token_of(b"another", "a")


def test_it_is_what_the_header_checks_look_for() -> None:
    assert re.fullmatch(r"[0-9a-f]+", token_of(b"key", "a"))
    assert len(token_of(b"key", "a")) == TOKEN_LENGTH
