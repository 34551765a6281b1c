"""A real Ray cluster on this machine: each node has its own loopback address, so that no traffic leaves it."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import gpscale
from tests.execution.processes import eventually, is_alive, marked, with_descendants

HEAD_IP = "127.0.0.2"
ATTEMPTS = 4
NODE_SECONDS = 90
REPOSITORY = Path(gpscale.__file__).parents[1]


class Node:
    """One node; all its processes carry its mark in their environment, whatever becomes of their parents.

    Attributes:
        scratch: Its directory for temporary files, which it shares with no other node.
    """

    def __init__(self, scratch: Path, environment: dict[str, str], arguments: list[str]) -> None:
        self.scratch = scratch
        scratch.mkdir()
        for _ in range(ATTEMPTS):
            self._name, self._value = "RAY_TEST_NODE_MARK", uuid.uuid4().hex
            command = [sys.executable, "-m", "ray.scripts.scripts", "start", *arguments]
            with contextlib.suppress(subprocess.TimeoutExpired):
                started = subprocess.run(
                    command,
                    env={**environment, "TMPDIR": str(scratch), self._name: self._value},
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    timeout=NODE_SECONDS,
                )
                if started.returncode == 0:
                    return
            # on a busy machine its agents may have missed their deadline
            self.kill()
        raise RuntimeError(f"{command} failed:\n{started.stdout.decode()}")

    def processes(self) -> set[int]:
        """Return all its live processes; some overwrite their environment with a title, and are found by a parent."""
        return with_descendants(marked(f"{self._name}={self._value}"))

    def kill(self) -> None:
        """Kill every process of the node at once, its workers and their children among them."""
        doomed: set[int] = set()

        def all_gone() -> bool:
            doomed.update(self.processes())
            for process in doomed:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
            return not any(map(is_alive, doomed))

        assert eventually(all_gone, 30)


class Cluster:
    """A head that runs no trials, and nodes that do.

    Attributes:
        address: For `--address`.
        environment: What a driver needs.
        nodes: Those that run trials, by their address.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._started: list[Node] = []
        self.nodes: dict[str, Node] = {}
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(directory),
            "OMP_NUM_THREADS": "1",
            "PYTHONPATH": os.pathsep.join([str(REPOSITORY), os.environ.get("PYTHONPATH", "")]),
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN_PATH": str(directory / ".ray" / "auth_token"),
            "RAY_USAGE_STATS_ENABLED": "0",
            # of a Ray that a driver starts by itself
            "RAY_TMPDIR": str(directory),
            # a node that is killed is noticed in about two seconds
            "RAY_health_check_initial_delay_ms": "0",
            "RAY_health_check_period_ms": "1000",
            "RAY_health_check_failure_threshold": "10",
        }
        ray = [sys.executable, "-m", "ray.scripts.scripts"]
        generate = {name: value for name, value in self.environment.items() if name != "RAY_AUTH_TOKEN_PATH"}
        subprocess.run([*ray, "get-auth-token", "--generate"], env=generate, check=True, capture_output=True)
        port = free_port(HEAD_IP)
        self.address = f"{HEAD_IP}:{port}"
        self._start(HEAD_IP, "--head", f"--port={port}", "--num-cpus=0", "--include-dashboard=false")

    def add_node(self, ip: str) -> None:
        """Start a node with two cores and what it takes for a graphics card, which need not exist."""
        self.nodes[ip] = self._start(ip, f"--address={self.address}", "--num-cpus=2", "--num-gpus=1")

    def stop(self) -> None:
        for node in reversed(self._started):
            node.kill()

    def _start(self, ip: str, *arguments: str) -> Node:
        node = Node(
            self._directory / f"node-{len(self._started)}",
            self.environment,
            [
                f"--node-ip-address={ip}",
                *arguments,
                f"--temp-dir={self._directory}",
                f"--object-store-memory={80 * 2**20}",
                "--include-log-monitor=false",
                "--disable-usage-stats",
            ],
        )
        self._started.append(node)
        return node


@contextlib.contextmanager
def cluster() -> Iterator[Cluster]:
    """Start a head; end every process of the cluster on the way out."""
    # short: Ray puts sockets in it, whose paths may have 107 characters
    directory = Path(tempfile.mkdtemp(prefix="gpr", dir="/tmp"))
    started = None
    try:
        started = Cluster(directory)
        yield started
    finally:
        if started is not None:
            started.stop()
        shutil.rmtree(directory, ignore_errors=True)


def free_port(ip: str) -> int:
    with socket.socket() as listener:
        listener.bind((ip, 0))
        return int(listener.getsockname()[1])
