"""Helpers of the benchmark's tests."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parents[1] / "scripts"


#: A stand-in for benchmark_model: doubles each input byte, and tells what a real binary tells.
BENCHMARK_MODEL = """
for word; do case $word in
--help) echo '--output_filepath=  File path to export outputs'; exit ;;
--use_gpu=true) echo 'ERROR: Failed to apply GPU delegate.' >&2; exit 1 ;;
--input_layer_value_files=*) file=${word##*:} ;;
--output_filepath=*) out=${word#*=} ;;
esac; done
[ -z "$out" ] || od -An -v -tu1 "$file" | tr -s ' ' '\\n' | while read b; do
  [ -z "$b" ] || printf "\\\\$(printf %03o $((b * 2)))"; done >"$out"
echo "VERBOSE: Replacing 33 out of 33 node(s) with delegate (TfLiteXNNPackDelegate) node, yielding 1 partitions for ..."
echo 'INFO: count=5 first=5 curr=5 min=5 max=5 avg=2100.5 std=1 p5=5 median=2000 p95=5' >&2
echo 'INFO: Inference timings in us: Init: 1500, First inference: 3000, Warmup (avg): 1, Inference (avg): 2100.5' >&2
"""


@contextlib.contextmanager
def never_called(port: int) -> Iterator[None]:
    """Listen on a port, and fail if anything connects; if the port is taken, its owner is left alone."""
    called: list[object] = []
    try:
        server = socket.create_server(("127.0.0.1", port))
    except OSError:
        yield
        return

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                client, address = server.accept()
                client.close()
                called.append(address)

    thread = threading.Thread(target=serve, daemon=True)
    with server:
        thread.start()
        yield
        server.shutdown(socket.SHUT_RDWR)
    thread.join(5)
    assert not called, f"something connected to port {port}"
