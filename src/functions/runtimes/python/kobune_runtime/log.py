"""print and logging in Lambda's two log formats.

Source: Lambda Developer Guide, "Log and monitor Python Lambda functions" and "Configuring JSON and plain text log formats".
"""

import datetime
import io
import json
import logging
import sys
import time
import traceback

from kobune_runtime import channel

current = {"request_id": None}


class _OutputFrames(io.RawIOBase):
    """What a standard stream writes to: it keeps the order between prints, log events and the answer."""

    def __init__(self, descriptor):
        self._descriptor = descriptor

    def writable(self):
        return True

    def fileno(self):
        return self._descriptor

    def write(self, data):
        body = bytes(data)
        channel.send_pieces(channel.OUTPUT, body)
        return len(body)


class _Handler(logging.Handler):
    def emit(self, record):
        try:
            text = self.format(record)
        except Exception:
            self.handleError(record)
            return
        channel.send_pieces(channel.LOG, text.encode("utf-8", "replace"))


class _RequestId(logging.Filter):
    def filter(self, record):
        record.aws_request_id = current["request_id"] or ""
        return True


_known_fields = set(vars(logging.makeLogRecord({}))) | {"aws_request_id", "message", "asctime", "taskName"}


def _timestamp(seconds):
    moment = datetime.datetime.fromtimestamp(seconds, tz=datetime.timezone.utc)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


class _JsonFormatter(logging.Formatter):
    def format(self, record):
        entry = {
            "timestamp": _timestamp(record.created),
            "level": record.levelname,
            "message": record.getMessage(),
            "logger": record.name,
            "requestId": getattr(record, "aws_request_id", None),
        }
        if record.exc_info and record.exc_info[0]:
            entry["stackTrace"] = traceback.format_tb(record.exc_info[2])
            entry["errorType"] = record.exc_info[0].__name__
            entry["errorMessage"] = str(record.exc_info[1])
            entry["location"] = f"{record.pathname}:{record.funcName}:{record.lineno}"
        for name, value in vars(record).items():
            if name not in _known_fields and name not in entry:
                entry[name] = value
        kept = {name: value for name, value in entry.items() if value is not None}
        return json.dumps(kept, ensure_ascii=False, default=str) + "\n"


def install(log_format, level):
    """Takes over the standard streams and the root logger."""
    for name, descriptor in (("stdout", 1), ("stderr", 2)):
        buffered = io.BufferedWriter(_OutputFrames(descriptor), 64 * 1024)
        stream = io.TextIOWrapper(buffered, encoding="utf-8", errors="backslashreplace", line_buffering=True)
        stream.mode = "w"
        setattr(sys, name, stream)
    logging.Formatter.converter = time.gmtime
    handler = _Handler()
    handler.addFilter(_RequestId())
    root = logging.getLogger()
    if log_format == "JSON":
        handler.setFormatter(_JsonFormatter())
        root.setLevel({"TRACE": "DEBUG", "FATAL": "CRITICAL", "WARN": "WARNING"}.get(level, level) or "INFO")
    else:
        handler.setFormatter(
            logging.Formatter(
                "[%(levelname)s]\t%(asctime)s.%(msecs)dZ\t%(aws_request_id)s\t%(message)s\n", "%Y-%m-%dT%H:%M:%S"
            )
        )
    root.addHandler(handler)


def flush():
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Exception:
            pass


def error(result, log_format):
    """The log event for a failed initialisation or invocation."""
    flush()
    if log_format == "JSON":
        entry = {"timestamp": _timestamp(time.time()), "log_level": "ERROR", **result}
        channel.send_pieces(channel.LOG, (json.dumps(entry, ensure_ascii=False) + "\n").encode("utf-8", "replace"))
        return
    head = "[ERROR]"
    if result["errorType"]:
        head += " " + result["errorType"]
    if result["errorMessage"]:
        head += (": " if result["errorType"] else " ") + result["errorMessage"]
    lines = [head, "Traceback (most recent call last):"]
    for element in result["stackTrace"]:
        for line in element.splitlines() or [""]:
            # Lambda shows indentation with no-break spaces.
            text = line.lstrip(" ")
            lines.append("\u00a0" * (len(line) - len(text)) + text)
    channel.send_pieces(channel.LOG, ("\n".join(lines) + "\n").encode("utf-8", "replace"))
