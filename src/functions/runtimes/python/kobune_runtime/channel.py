"""The runtime's end of the frames (see frames.ts): blocking reads from descriptor 4, blocking writes to 3."""

import os
import struct
import threading

READY, INIT_DONE, INIT_ERROR, RESPONSE, ERROR, LOG, OUTPUT = range(16, 23)
MAX_LOG_BYTES = 256 * 1024

_write_lock = threading.RLock()


def _write_all(data):
    view = memoryview(data)
    while view:
        view = view[os.write(3, view) :]


def send(frame_type, body, sequence=None):
    """Sends one frame; `sequence` is the invocation's number, for the frames that carry one."""
    prefix = b"" if sequence is None else struct.pack("<I", sequence)
    head = struct.pack("<IB", 1 + len(prefix) + len(body), frame_type)
    with _write_lock:
        _write_all(head + prefix + body)


def send_pieces(frame_type, body):
    for start in range(0, len(body), MAX_LOG_BYTES):
        send(frame_type, body[start : start + MAX_LOG_BYTES])


def _read_exactly(count):
    first = os.read(4, count)
    if len(first) == count:
        return first
    if not first:
        os._exit(0)
    parts = [first]
    missing = count - len(first)
    while missing:
        part = os.read(4, min(missing, 1 << 20))
        if not part:
            os._exit(0)
        parts.append(part)
        missing -= len(part)
    return b"".join(parts)


def receive():
    """The next frame from the engine: its type and body."""
    (length,) = struct.unpack("<I", _read_exactly(4))
    frame = _read_exactly(length)
    return frame[0], frame[1:]
