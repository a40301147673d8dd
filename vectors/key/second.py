#!/usr/bin/env python3
"""A second implementation of muster product keys (docs/src/protocol/product-key.md) that shares no
code with the first. The golden vectors beside it were made with it; it checks every one of them:

    python3 vectors/key/second.py

Exit 0 when all agree, 1 otherwise. It needs only the standard library.
"""
import hashlib
import hmac
import json
import pathlib
import sys

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
CHANNELS = ["generic", "kms-host", "mak", "vm-host", "vm-guest", "retail", "oem"]
VERSION = 1
CHECKS = (18, 19)
DASHES = "-\u00ad\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d"
INVISIBLE = "\u200b\u200c\u200d\u2060\ufeff"


class Refused(Exception):
    def __init__(self, code, place=None):
        super().__init__(code)
        self.code, self.place = code, place


def mac(key, message):
    return hmac.new(key, message, hashlib.sha256).digest()


def derive(secret):
    """RFC 5869 with one block of output."""
    prk = mac(b"muster/v1/product-key", secret)
    return [
        mac(prk, b"muster/v1/product-key/" + name + b"\x01") for name in (b"tag", b"permutation")
    ]


def half(key, publisher, channel, group, turn, right):
    message = b"muster/v1/product-key/round\x00" + publisher
    message += bytes([channel]) + group.to_bytes(2, "big") + bytes([turn]) + right.to_bytes(2, "big")
    return int.from_bytes(mac(key, message)[:2], "big")


def print_serial(key, publisher, channel, group, serial):
    left, right = serial >> 16, serial & 0xFFFF
    for turn in range(10):
        left, right = right, left ^ half(key, publisher, channel, group, turn, right)
    return left << 16 | right


def count_serial(key, publisher, channel, group, printed):
    left, right = printed >> 16, printed & 0xFFFF
    for turn in reversed(range(10)):
        left, right = right ^ half(key, publisher, channel, group, turn, left), left
    return left << 16 | right


def tag_of(key, publisher, channel, group, printed):
    number = VERSION << 48 | channel << 45 | group << 32 | printed
    message = b"muster/v1/product-key/tag\x00" + publisher + number.to_bytes(8, "big")
    return int.from_bytes(mac(key, message)[:8], "big")


def times(a, b):
    product = 0
    for bit in range(5):
        if b >> bit & 1:
            product ^= a << bit
    for bit in (8, 7, 6, 5):
        if product >> bit & 1:
            product ^= 0b100101 << (bit - 5)
    return product


def power(i):
    value = 1
    for _ in range(i):
        value = times(value, 2)
    return value


def divide(a, b):
    return next(q for q in range(32) if times(q, b) == a)


def syndromes(symbols):
    s0 = s1 = 0
    for i, symbol in enumerate(symbols):
        s0 ^= symbol
        s1 ^= times(symbol, power(i))
    return s0, s1


def build(version, channel, group, printed, tag):
    data = version << 87 | channel << 84 | group << 71 | (printed >> 25) << 64 | tag
    symbols = [data >> 5 * (17 - i) & 31 for i in range(18)] + [0, 0]
    symbols += [printed >> 5 * (4 - i) & 31 for i in range(5)]
    s0, s1 = syndromes(symbols)
    p, q = (power(i) for i in CHECKS)
    symbols[19] = divide(s1 ^ times(s0, p), p ^ q)
    symbols[18] = s0 ^ symbols[19]
    assert syndromes(symbols) == (0, 0)
    return symbols


def text_of(symbols):
    letters = "".join(ALPHABET[s] for s in symbols)
    return "-".join(letters[i : i + 5] for i in range(0, 25, 5))


def place(i):
    return f"group {i // 5 + 1}, symbol {i % 5 + 1}"


def read(text):
    symbols = []
    for letter in text:
        if letter.isspace() or letter in DASHES or letter in INVISIBLE:
            continue
        letter = letter.upper() if letter.isascii() else letter
        letter = {"O": "0", "I": "1", "L": "1"}.get(letter, letter)
        if len(symbols) < 25 and letter not in ALPHABET:
            raise Refused("MUSTER-KEY-0002", place(len(symbols)))
        symbols.append(ALPHABET.find(letter))
    if len(symbols) != 25:
        raise Refused("MUSTER-KEY-0001")
    return symbols


def parse(text):
    symbols = read(text)
    s0, s1 = syndromes(symbols)
    if (s0, s1) != (0, 0):
        for i in range(25):
            if s0 and times(s0, power(i)) == s1:
                raise Refused("MUSTER-KEY-0003", place(i))
        raise Refused("MUSTER-KEY-0004")
    data = 0
    for symbol in symbols[:18]:
        data = data << 5 | symbol
    low = 0
    for symbol in symbols[20:]:
        low = low << 5 | symbol
    if data >> 87 != VERSION:
        raise Refused("MUSTER-KEY-0005")
    channel = data >> 84 & 7
    if channel == 7:
        raise Refused("MUSTER-KEY-0006")
    group = data >> 71 & 0x1FFF
    printed = (data >> 64 & 0x7F) << 25 | low
    return symbols, channel, group, printed, data & (1 << 64) - 1


def opened(secret, publisher, text):
    tag_key, permutation_key = derive(secret)
    _, channel, group, printed, tag = parse(text)
    if tag_of(tag_key, publisher, channel, group, printed) != tag:
        raise Refused("MUSTER-KEY-0007")
    serial = count_serial(permutation_key, publisher, channel, group, printed)
    return CHANNELS[channel], group, serial


def issue(secret, publisher, channel, group, serial):
    """Everything a good vector states."""
    tag_key, permutation_key = derive(secret)
    code = CHANNELS.index(channel)
    printed = print_serial(permutation_key, publisher, code, group, serial)
    tag = tag_of(tag_key, publisher, code, group, printed)
    symbols = build(VERSION, code, group, printed, tag)
    word = 0
    for symbol in symbols:
        word = word << 5 | symbol
    return {
        "secret": secret.hex(),
        "publisher": publisher.hex(),
        "channel": channel,
        "group": group,
        "serial": serial,
        "tag_key": tag_key.hex(),
        "permutation_key": permutation_key.hex(),
        "printed_serial": printed,
        "tag": f"{tag:016x}",
        "number": f"{code << 45 | group << 32 | printed:012x}",
        "bytes": f"{word:032x}",
        "key": text_of(symbols),
        "last5": text_of(symbols)[-5:],
    }


def check(folder):
    load = lambda name: json.loads((folder / name).read_text(encoding="utf-8"))
    wrong = []
    for v in load("good.json")["issued"]:
        secret, publisher = bytes.fromhex(v["secret"]), bytes.fromhex(v["publisher"])
        if issue(secret, publisher, v["channel"], v["group"], v["serial"]) != v:
            wrong.append(v["key"])
        if opened(secret, publisher, v["key"]) != (v["channel"], v["group"], v["serial"]):
            wrong.append(v["key"])
    for v in load("good.json")["read"]:
        if text_of(read(v["text"])) != v["key"]:
            wrong.append(v["text"])
    bad = load("bad.json")
    for v in bad["parse"]:
        try:
            parse(v["text"])
            wrong.append(v["name"])
        except Refused as refused:
            if refused.code != v["reason"] or refused.place != v["place"]:
                wrong.append(v["name"])
    for v in bad["open"]:
        try:
            opened(bytes.fromhex(v["secret"]), bytes.fromhex(v["publisher"]), v["key"])
            wrong.append(v["name"])
        except Refused as refused:
            if refused.code != v["reason"]:
                wrong.append(v["name"])
    return wrong


if __name__ == "__main__":
    failures = check(pathlib.Path(__file__).parent)
    for failure in failures:
        print("differs:", failure, file=sys.stderr)
    sys.exit(1 if failures else 0)
