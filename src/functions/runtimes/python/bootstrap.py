"""Starts Kobune's Python runtime; what it consists of lies in a package, so that no name of ours hides a function's module."""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
# Where it is no sandbox, our own directory stays as it was installed.
sys.dont_write_bytecode = True

from kobune_runtime import log, main  # noqa: E402

sys.dont_write_bytecode = False

try:
    main.main()
finally:
    log.flush()
