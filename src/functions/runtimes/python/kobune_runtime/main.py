"""Kobune's Python runtime.

It runs inside the sandbox on Python 3.9 or later: imports boto3 (told to by its argument), says that it is ready, and
waits, possibly in a pool, for the function that it is to become.
"""

import decimal
import importlib
import json
import math
import os
import struct
import sys
import time
import traceback

from kobune_runtime import channel, log
from kobune_runtime.context import LambdaContext

_here = os.path.dirname(os.path.abspath(__file__))
_root = os.path.dirname(_here)

INVOKE = 2


class Fault(Exception):
    """An error that Lambda's runtime names itself."""

    def __init__(self, kind, message, trace=None):
        super().__init__(message)
        self.kind = "Runtime." + kind
        self.message = message
        self.trace = trace or []


def _preload():
    before = set(sys.modules)
    try:
        import boto3  # noqa: F401
        import botocore.httpsession  # noqa: F401
        import botocore.session
        import s3transfer.manager  # noqa: F401

        # Making a client imports some two hundred modules more. This one is in a session of its own and is dropped: the
        # default session, with the function's region and credentials, is made by the function.
        session = botocore.session.Session()
        session.create_client("s3", region_name="us-east-1", aws_access_key_id="none", aws_secret_access_key="none")
    except Exception:
        # An installation that is broken is for the function to find out about.
        pass
    return {name for name in set(sys.modules) - before if "-packages" in (getattr(sys.modules[name], "__file__", "") or "")}


def _forget_shadowed(preloaded, directories):
    """Drops the modules imported ahead when the function brings its own of one of them."""
    tops = {name.split(".")[0] for name in preloaded}
    for directory in directories:
        for top in tops:
            base = os.path.join(directory, top)
            if os.path.exists(base) or os.path.exists(base + ".py"):
                for name in preloaded:
                    sys.modules.pop(name, None)
                return


def _set_environment(variables):
    os.environ.clear()
    os.environ.update(variables)
    time.tzset()


def _set_path(task_root, opt, preloaded):
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    extra = [task_root, f"{opt}/python/lib/{version}/site-packages", f"{opt}/python"]
    extra += [part for part in os.environ.get("PYTHONPATH", "").split(":") if part and part != os.environ.get("LAMBDA_RUNTIME_DIR")]
    present = [part for part in dict.fromkeys(extra) if part == task_root or os.path.isdir(part)]
    rest = [part for part in sys.path if part not in present and part != _root]
    sys.path[:] = present + rest
    importlib.invalidate_caches()
    sys.path_importer_cache.clear()
    _forget_shadowed(preloaded, present)


def _load(handler):
    if "." not in handler:
        raise Fault("MalformedHandlerName", f"Bad handler '{handler}': not enough values to unpack (expected 2, got 1)")
    module_name, function_name = handler.rsplit(".", 1)
    module_name = module_name.replace("/", ".")
    if module_name.split(".")[0] in sys.builtin_module_names:
        raise Fault("BuiltInModuleConflict", f"Cannot use built-in module {module_name} as a handler module")
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise Fault("ImportModuleError", f"Unable to import module '{module_name}': {error}") from None
    except SyntaxError as error:
        trace = [f'  File "{error.filename}" Line {error.lineno}\n    {error.text}']
        raise Fault("UserCodeSyntaxError", f"Syntax error in module '{module_name}': {error}", trace) from None
    try:
        return getattr(module, function_name)
    except AttributeError:
        raise Fault("HandlerNotFound", f"Handler '{function_name}' missing on module '{module_name}'") from None


def _error_result(error, request_id):
    if isinstance(error, Fault):
        kind, message, trace = error.kind, error.message, error.trace
    else:
        frames = traceback.extract_tb(error.__traceback__)
        hidden = 0
        while hidden < len(frames) and (frames[hidden].filename.startswith(_here) or "importlib" in frames[hidden].filename):
            hidden += 1
        kind, message, trace = type(error).__name__, str(error), traceback.format_list(frames[hidden:] or frames)
    return {"errorMessage": message, "errorType": kind, "requestId": request_id, "stackTrace": trace}


def _plain(value):
    """A Decimal as the number that it is."""
    if isinstance(value, decimal.Decimal):
        if value.is_nan():
            return math.nan
        return int(value) if value == value.to_integral_value() and abs(value) < 2**63 else float(value)
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


def _encode(value, ensure_ascii):
    if isinstance(value, bytes):
        return value
    try:
        return json.dumps(value, default=_plain, ensure_ascii=ensure_ascii).encode("utf-8", "surrogatepass")
    except Exception as error:
        raise Fault("MarshalError", f"Unable to marshal response: {error}") from None


def _run(handler, meta, payload, ensure_ascii):
    context = LambdaContext(meta)
    try:
        event = json.loads(payload or b"{}")
    except Exception as error:
        raise Fault("UnmarshalError", f"Unable to unmarshal input: {error}") from None
    return _encode(handler(event, context), ensure_ascii)


def _prepare(settings):
    if settings.get("environment"):
        _set_environment(settings["environment"])
    log.install(settings["logFormat"], settings.get("logLevel"))


def _initialise(settings, preloaded):
    os.chdir(settings["taskRoot"])
    try:
        _set_path(settings["taskRoot"], settings["optRoot"], preloaded)
        handler = _load(settings["handler"])
    except Exception as error:
        result = _error_result(error, "")
        log.error(result, settings["logFormat"])
        channel.send(channel.INIT_ERROR, json.dumps(result).encode())
        os._exit(1)
    log.flush()
    return handler


def main():
    # Children must not hold the way to the engine open.
    os.set_inheritable(3, False)
    os.set_inheritable(4, False)
    preloaded = _preload() if "--preload" in sys.argv[1:] else set()
    sys.argv = ["/var/runtime/bootstrap.py"]
    channel.send(channel.READY, json.dumps({"version": sys.version.split()[0]}).encode())
    _, body = channel.receive()
    settings = json.loads(body)
    _prepare(settings)
    channel.receive()
    handler = _initialise(settings, preloaded)
    ensure_ascii = not settings["runtimeMinor"] >= 12
    channel.send(channel.INIT_DONE, b"{}")
    while True:
        frame_type, body = channel.receive()
        if frame_type != INVOKE:
            continue
        sequence, meta_length = struct.unpack_from("<II", body)
        meta = json.loads(body[8 : 8 + meta_length])
        log.current["request_id"] = meta["requestId"]
        if meta.get("traceId"):
            os.environ["_X_AMZN_TRACE_ID"] = meta["traceId"]
        else:
            os.environ.pop("_X_AMZN_TRACE_ID", None)
        try:
            answer = _run(handler, meta, body[8 + meta_length :], ensure_ascii)
        except Exception as error:
            result = _error_result(error, meta["requestId"])
            log.error(result, settings["logFormat"])
            channel.send(channel.ERROR, json.dumps(result).encode(), sequence)
            continue
        log.flush()
        channel.send(channel.RESPONSE, answer, sequence)
