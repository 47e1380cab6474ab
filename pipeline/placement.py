"""Spreads the shards evenly over the workers of a cluster.

Bytewax sends a key to the worker at position hash(key) modulo the number of workers, with Rust's
default SipHash-1-3 and zero keys. A few shard keys would often land on one worker; so each shard gets a key
that is known to land where it should.
"""

from __future__ import annotations

_MASK = (1 << 64) - 1


def shard_keys(shards: int, workers: int) -> list[str]:
    """Return a key for each shard, such that shard i is on worker i modulo `workers`."""
    keys = []
    for shard in range(shards):
        attempt = 0
        while sip_hash_13(f"shard-{shard}.{attempt}".encode() + b"\xff") % workers != shard % workers:
            attempt += 1
        keys.append(f"shard-{shard}.{attempt}")
    return keys


def sip_hash_13(data: bytes) -> int:
    """Return SipHash-1-3 with zero keys (Aumasson, Bernstein: "SipHash: a fast short-input PRF", 2012)."""
    v = [0x736F6D6570736575, 0x646F72616E646F6D, 0x6C7967656E657261, 0x7465646279746573]
    whole = len(data) - len(data) % 8
    words = [int.from_bytes(data[at : at + 8], "little") for at in range(0, whole, 8)]
    words.append(int.from_bytes(data[whole:].ljust(7, b"\0"), "little") | (len(data) & 0xFF) << 56)
    for word in words:
        v[3] ^= word
        _round(v)
        v[0] ^= word
    v[2] ^= 0xFF
    for _ in range(3):
        _round(v)
    return v[0] ^ v[1] ^ v[2] ^ v[3]


def _round(v: list[int]) -> None:
    v[0] = (v[0] + v[1]) & _MASK
    v[1] = _rotated(v[1], 13) ^ v[0]
    v[0] = _rotated(v[0], 32)
    v[2] = (v[2] + v[3]) & _MASK
    v[3] = _rotated(v[3], 16) ^ v[2]
    v[0] = (v[0] + v[3]) & _MASK
    v[3] = _rotated(v[3], 21) ^ v[0]
    v[2] = (v[2] + v[1]) & _MASK
    v[1] = _rotated(v[1], 17) ^ v[2]
    v[2] = _rotated(v[2], 32)


def _rotated(value: int, bits: int) -> int:
    return ((value << bits) | (value >> (64 - bits))) & _MASK
