"""What goes to 우체국 and what comes back, byte by byte (shipping.md 1.4; RFC 4269)."""

import pytest
from cryptography.hazmat.decrepit.ciphers.algorithms import SEED
from cryptography.hazmat.primitives.ciphers import Cipher, modes

from core.http import BadResponse, Response
from shipping.adapters.epost_wire import Unsendable, error_of, first, grouped, leaves_of, reg_data, seed_ecb

# RFC 4269, appendix B: key, plaintext, ciphertext.
VECTORS = [
    ("00000000000000000000000000000000", "000102030405060708090a0b0c0d0e0f", "5ebac6e0054e166819aff1cc6d346cdb"),
    ("000102030405060708090a0b0c0d0e0f", "00000000000000000000000000000000", "c11f22f20140505084483597e4370f43"),
    ("4706480851e61be85d74bfb3fd956185", "83a2f8a288641fb9a4e9a5cc2f131c7d", "ee54d13ebcae706d226bc3142cd40d4a"),
    ("28dbc3bc49ffd87dcfa509b11d422be7", "b41e6be2eba84a148e2eed84593c5ec7", "9b9b7bfcd1813cb95d0b3618f40f5122"),
]
KEY = "0123456789abcdef-and-more"


def answer(body, charset="utf-8"):
    return Response(200, {}, body if isinstance(body, bytes) else body.encode(charset))


def opened(data):
    decryptor = Cipher(SEED(KEY[:16].encode()), modes.ECB()).decryptor()
    return decryptor.update(bytes.fromhex(data)) + decryptor.finalize()


@pytest.mark.parametrize(("key", "plain", "encrypted"), VECTORS)
def test_seed_is_the_cipher_of_the_standard(key, plain, encrypted):
    assert seed_ecb(bytes.fromhex(plain), key=bytes.fromhex(key)).hex() == encrypted


def test_reg_data_is_lower_case_hex_of_whole_blocks_filled_with_zeros():
    data = reg_data({"custNo": "0000000001", "recNm": "홍길동"}, security_key=KEY)
    assert data == data.lower()
    plain = "custNo=0000000001&recNm=홍길동".encode()
    assert opened(data) == plain + b"\x00" * (-len(plain) % 16)


def test_only_the_first_sixteen_bytes_of_the_security_key_count():
    values = {"custNo": "1"}
    assert reg_data(values, security_key=KEY) == reg_data(values, security_key=KEY[:16] + "!")
    assert reg_data(values, security_key=KEY) != reg_data(values, security_key="1" + KEY[1:])


def test_a_whole_block_gets_no_padding():
    assert len(reg_data({"a": "1" * 14}, security_key=KEY)) == 32


@pytest.mark.parametrize("value", ["A&B", "1=1", "\x00"])
def test_a_value_that_would_break_its_frame_is_not_sent(value):
    with pytest.raises(Unsendable, match="recNm"):
        reg_data({"custNo": "1", "recNm": value}, security_key=KEY)


def test_leaves_come_in_document_order_without_the_spaces_around_them():
    leaves = leaves_of(answer("<x><a> 접수 </a><b><c>1</c><a>배달완료\n</a></b><d/></x>"))
    assert leaves == [("a", "접수"), ("c", "1"), ("a", "배달완료"), ("d", "")]


@pytest.mark.parametrize(
    ("body", "charset"),
    [
        ('<?xml version="1.0" encoding="UTF-8"?><a>접수</a>', "utf-8"),
        ('<?xml version="1.0" encoding="EUC-KR"?><a>접수</a>', "utf-8"),
        ('<?xml version="1.0" encoding="UTF-8"?><a>접수</a>', "cp949"),
        ('<?xml version="1.0" encoding="nonsense"?><a>접수</a>', "utf-8"),
        ("<a>접수</a>", "utf-8-sig"),
        ("<a><![CDATA[접수]]></a>", "utf-8"),
        ("<a>접\x07수</a>", "utf-8"),
        ('<a xmlns="urn:x">접수</a>', "utf-8"),
    ],
)
def test_the_bytes_decide_about_the_charset(body, charset):
    assert leaves_of(answer(body, charset)) == [("a", "접수")]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html><body><h1>busy</h1><br></body></html>",
        b"<a>1",
        b"{}",
        b'<!DOCTYPE a [<!ENTITY b "1">]><a>&b;</a>',
        b'<!DOCTYPE a SYSTEM "http://example.com/x.dtd"><a>1</a>',
        b"<a>1</a><b>2</b>",
        b"\xff\xfe\x00",
    ],
)
def test_what_is_no_plain_xml_is_refused(body):
    with pytest.raises(BadResponse):
        leaves_of(answer(body))


def test_a_deep_document_neither_recurses_nor_takes_long():
    assert leaves_of(answer("<a>" * 100_000 + "1" + "</a>" * 100_000)) == [("a", "1")]


def test_first_and_error_and_groups():
    leaves = [("regipoNm", ""), ("regiPoNm", "서울"), ("error_code", "ERR-1"), ("message", "없음")]
    assert first(leaves, "regiPoNm") == "서울"
    assert first(leaves, "nothing") == ""
    assert error_of(leaves) == ("ERR-1", "없음")
    assert error_of([("message", "안내")]) == ("", "")
    pairs = [("day", "1"), ("x", "?"), ("name", "a"), ("day", "2"), ("day", "3"), ("name", "c")]
    assert grouped(pairs, tags=("day", "name")) == [{"day": "1", "name": "a"}, {"day": "2"}, {"day": "3", "name": "c"}]
