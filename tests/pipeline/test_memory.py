"""One heap for all threads of the pipeline's processes."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

HEAPS = """
import ctypes, threading
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
threads = [threading.Thread(target=lambda: [libc.malloc(1000) for _ in range(1000)]) for _ in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
libc.fdopen.restype = ctypes.c_void_p
out = ctypes.c_void_p(libc.fdopen(1, b"w"))
libc.malloc_info(0, out)
libc.fflush(out)
"""
SHARED = "from pipeline.memory import share_one_heap; share_one_heap()\n"
STARTED = f"{SHARED}import subprocess, sys; subprocess.run([sys.executable, '-c', {HEAPS!r}], check=True)"


@pytest.mark.skipif(sys.platform != "linux", reason="heaps of threads are glibc's")
@pytest.mark.parametrize("set_before", ["", "glibc.malloc.tcache_count=7"], ids=["", "where other tunables are set"])
@pytest.mark.parametrize("program", [SHARED + HEAPS, STARTED], ids=["the process itself", "one that it starts"])
def test_all_threads_allocate_from_one_heap(program: str, set_before: str) -> None:
    environment = {**os.environ, "GLIBC_TUNABLES": set_before}
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment).stdout
    assert told.count("<heap nr=") == 1
