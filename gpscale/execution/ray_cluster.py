"""The connection of the Ray executor to its cluster."""

from __future__ import annotations

import functools
import importlib
import importlib.util
import logging
import math
import os
import re
import socket
from typing import Any

from gpscale.errors import ClusterError, MissingPackageError
from gpscale.execution.machine import usable_cores

CONNECT_SECONDS = 10.0
OBJECT_STORE_BYTES = 256 * 2**20

START_ATTEMPTS = 3
"""A Ray that starts gives its agents fifteen seconds to come up, which a busy machine may miss."""


class Cluster:
    """A Ray cluster, reached when it is first needed."""

    def __init__(self, address: str | None, workers: int | None, cpus: float, gpus: float | None) -> None:
        """Take the settings.

        Args:
            address: As in `RayExecutor`.
            workers: As in `RayExecutor`.
            cpus: As in `RayExecutor`.
            gpus: As in `RayExecutor`.

        Raises:
            ClusterError: One of them cannot be.
            MissingPackageError: Ray is not installed.
        """
        if not cpus > 0:
            raise ClusterError(f"cpus must be positive. Got {cpus:g}. Leave it out for one core a trial.")
        if gpus is not None and not gpus >= 0:
            raise ClusterError(
                f"gpus must be 0 or more. Got {gpus:g}. Leave it out for a card a trial if there is any."
            )
        if address is not None and address != "auto" and not re.fullmatch(r"[^/:]+:\d+", address):
            raise ClusterError(
                f"address must be 'auto' or HOST:PORT of a cluster to which this machine belongs. Got {address!r}. "
                "Run gpscale on a node of the cluster, with 'auto'."
            )
        if importlib.util.find_spec("ray") is None:
            raise MissingPackageError.of("--executor ray", "ray", "ray")
        self._address, self._workers, self._cpus, self._gpus = address, workers, cpus, gpus
        self._is_connected = self._is_ours = self._is_here = False

    @functools.cached_property
    def ray(self) -> Any:
        """The module, imported when it is first needed."""
        return importlib.import_module("ray")

    def connect(self) -> None:
        """Connect, or start a Ray on this machine, unless that is done.

        Raises:
            ClusterError: It cannot be done.
        """
        if self._is_connected:
            return
        if self._address is not None:
            self._reach(self._address)
        elif not self.ray.is_initialized():
            self._start_here()
        self._is_connected = True

    def close(self) -> None:
        """Undo what `connect` has done."""
        if self._is_ours:
            self.ray.shutdown()
        self._is_connected = self._is_ours = self._is_here = False

    def check_room(self) -> None:
        """Refuse trials that would never start, on a Ray of this machine alone; a cluster may grow.

        Raises:
            ClusterError: It holds none.
        """
        if self._is_here:
            self.room()

    def needs_of_a_trial(self) -> str:
        """Return what a trial reserves, for a person."""
        return " and ".join(f"{need:g} {name}" for name, need in self._needs().items())

    def _needs(self) -> dict[str, float]:
        return {name: need for name, need in (("CPU", self._cpus), ("GPU", self._gpus_of_a_trial())) if need}

    def room(self) -> int:
        """Return how many trials the nodes hold at a time.

        Raises:
            ClusterError: They hold none.
        """
        self.connect()
        needs = self._needs()
        nodes = [node["Resources"] for node in self.ray.nodes() if node["Alive"]]
        # a third of a card three times is a card
        room = sum(int(min(node.get(name, 0) / need for name, need in needs.items()) + 1e-9) for node in nodes)
        if not room:
            wanted = self.needs_of_a_trial()
            if self._is_here:
                raise ClusterError(
                    f"A Ray that is started here must have room for a trial, {wanted}. This machine has not. Lower "
                    "--cpus or --gpus, or give the --address of a cluster that has."
                )
            raise ClusterError(
                f"A node of the cluster must have room for a trial, {wanted}. None of {len(nodes)} has. "
                "Lower --cpus or --gpus, or say with --workers how many trials it will hold when it has grown."
            )
        return room

    def start_worker(self, kind: type, *arguments: object) -> Any:
        """Ask for an actor that reserves what a trial needs, and return its handle; it comes when there is room."""
        actor = self.ray.remote(
            num_cpus=self._cpus,
            num_gpus=self._gpus_of_a_trial(),
            # one thread to run trials, one to be told to stop or to leave
            max_concurrency=2,
            scheduling_strategy="SPREAD",
        )(kind)
        return actor.remote(*arguments)

    def start_beside_driver(self, kind: type) -> Any:
        """Start an actor on the driver's own node that reserves nothing, and return its handle."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        here = NodeAffinitySchedulingStrategy(self.ray.get_runtime_context().get_node_id(), soft=False)
        return self.ray.remote(num_cpus=0, max_concurrency=8, scheduling_strategy=here)(kind).remote()

    def _gpus_of_a_trial(self) -> float:
        if self._gpus is None:
            self._gpus = 1.0 if self.ray.cluster_resources().get("GPU", 0) else 0.0
        return self._gpus

    def _reach(self, address: str) -> None:
        try:
            if address != "auto":
                # Ray would go on trying for minutes
                host, _, port = address.rpartition(":")
                socket.create_connection((host, int(port)), CONNECT_SECONDS).close()
            self._init(address)
        except Exception as error:
            raise ClusterError(
                f"--address must be that of a Ray cluster that runs. Got {address!r}: {one_line(error)} Start one "
                "with `ray start --head`, or leave --address out for a Ray on this machine alone."
            ) from error

    def _start_here(self) -> None:
        # a Ray that nobody asked for reports to nobody
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        cores = usable_cores() if self._workers is None else math.ceil(self._workers * self._cpus)
        for attempt in range(START_ATTEMPTS):
            try:
                self._init("local", num_cpus=cores, include_dashboard=False, object_store_memory=OBJECT_STORE_BYTES)
                self._is_here = True
                return
            except Exception as error:
                if attempt + 1 == START_ATTEMPTS:
                    raise ClusterError(
                        f"Ray must be able to start on this machine. It says: {one_line(error)} Make room for it, or "
                        "leave --executor out."
                    ) from error

    def _init(self, address: str, **settings: Any) -> None:
        """Call `ray.init`, and clear away after it if it fails, with almost any exception."""
        try:
            self.ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, **settings)
        except Exception:
            self.ray.shutdown()
            raise
        self._is_ours = True


def one_line(error: Exception) -> str:
    """Return the message of a foreign exception as the sentence of another one."""
    return f"{' '.join(str(error).split())[:500].rstrip('.')}."
