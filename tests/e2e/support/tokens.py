# SPDX-License-Identifier: MIT
"""Run tokens, minted by what include/callbackd/verify.h says, independently of the C code."""
import base64
import hmac
import struct
import time
import uuid


def mint(key, endpoint, run_id, expires_in_s=3600):
    head = b"\1" + uuid.UUID(run_id).bytes + struct.pack(">q", int(time.time() + expires_in_s))
    text = b"callbackd run-token\0" + endpoint.encode() + b"\0" + head
    mac = hmac.digest(key, text, "sha256")
    return base64.urlsafe_b64encode(head + mac).decode().rstrip("=")


def new_run_id():
    """A UUIDv7."""
    value = bytearray(int(time.time() * 1000).to_bytes(6, "big") + uuid.uuid4().bytes[6:])
    value[6] = 0x70 | value[6] & 0x0F
    value[8] = 0x80 | value[8] & 0x3F
    return str(uuid.UUID(bytes=bytes(value)))
