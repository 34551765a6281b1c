"""A process that imports the heavy modules once and forks a child for every call that it is asked to make.

Why not multiprocessing's own fork server: that one is a single server for the whole program (a notebook may have
started it already, with other modules and another environment), it imports the caller's `__main__` again in each child,
and it outlives its user. This one belongs to one owner and needs only public parts of the standard library.

Nothing survives the owner, however it ends:

- the owner dies: the server reads end-of-file from its connection (or sees that its parent has changed) and kills every
  child with its process group, so that a child's own children go too;
- the server dies: the kernel kills the children (on Linux);
- a child dies: the server kills what is left of its group before it reaps it.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import pickle
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait

from gpscale.parent_death import die_with

PARENT_CHECK_SECONDS = 1.0
CLOSE_SECONDS = 5.0


class ForkServer:
    """The owner's end of a fork server.

    Attributes:
        pid: Process id of the server.
        connection: Readable when a child has exited.
    """

    def __init__(self, preload: Sequence[str], environment: Mapping[str, str], keep: Sequence[int] = ()) -> None:
        """Start the server; it imports while the caller goes on.

        Args:
            preload: Modules to import before the first fork.
            environment: Variables of the server and its children, on top of the caller's.
            keep: File descriptors that the children inherit, under the same numbers.
        """
        self.connection, theirs = Pipe()
        # the caller's import path, so that the children find what the caller finds
        program = (
            f"import sys; sys.path[:] = {sys.path!r}; from gpscale.execution.fork_server import serve; "
            f"serve({theirs.fileno()}, {os.getpid()}, {list(preload)!r})"
        )
        self._process = subprocess.Popen(
            [sys.executable, "-c", program],
            env={**os.environ, **environment},
            pass_fds=[theirs.fileno(), *keep],
            stdin=subprocess.DEVNULL,
            # a terminal sends Ctrl-C to the whole session: it is for the caller alone
            start_new_session=True,
        )
        theirs.close()
        self.pid = self._process.pid

    def start(self, key: str, function: Callable[..., object], *arguments: object) -> None:
        """Ask for a child that calls `function(*arguments)` and exits.

        Args:
            key: Names the child.
            function: Importable; a child in which it raises exits with status 1.
            arguments: Anything that can be pickled.

        Raises:
            EOFError: The server is gone.
        """
        try:
            self.connection.send((key, pickle.dumps((function, arguments))))
        except OSError as error:
            raise EOFError from error

    def kill(self, key: str) -> None:
        """Ask for the end of a child and of its own children; its exit is reported like any other.

        Args:
            key: Names the child; one that has exited already is left alone.

        Raises:
            EOFError: The server is gone.
        """
        try:
            self.connection.send((key, None))
        except OSError as error:
            raise EOFError from error

    def next_exit(self) -> tuple[str, int]:
        """Wait until a child has exited.

        Returns:
            Its key, and its exit status: minus the signal's number when a signal killed it.

        Raises:
            EOFError: The server is gone.
        """
        try:
            key, status = self.connection.recv()
        except OSError as error:
            raise EOFError from error
        return key, status

    def close(self) -> None:
        """Kill all children and the server, and wait for them to be gone."""
        self.connection.close()
        self._process.terminate()  # heeded only while it imports; afterwards it first kills its children
        try:
            self._process.wait(CLOSE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def serve(descriptor: int, owner: int, preload: Sequence[str]) -> None:
    """Be the server, until the owner is gone.

    Args:
        descriptor: File descriptor of the server's end of the connection.
        owner: Process id of the owner.
        preload: Modules to import.
    """
    connection = Connection(descriptor)
    with _leaving_with(owner):
        for module in preload:
            # a child that needs the module says what is wrong with it, in its own log
            with contextlib.suppress(ImportError):
                importlib.import_module(module)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    gc.collect()
    gc.freeze()  # collections in a child then leave the shared pages alone
    server = _Server(connection)
    try:
        while os.getppid() == owner:
            ready = wait([connection, server.wakeup], PARENT_CHECK_SECONDS)
            if server.wakeup in ready:
                server.reap()
            if connection in ready:
                server.obey(*connection.recv())
    except (EOFError, ConnectionError):
        pass  # the owner is gone
    finally:
        server.kill_all()
    # no interpreter shutdown: some of the preloaded libraries complain at length about it
    os._exit(0)


class _Server:
    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.children: dict[str, int] = {}
        self.wakeup, self._wakeup_end = os.pipe()
        os.set_blocking(self.wakeup, False)
        os.set_blocking(self._wakeup_end, False)
        signal.set_wakeup_fd(self._wakeup_end, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def reap(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while os.read(self.wakeup, 4096):
                pass
        for key, child in list(self.children.items()):
            # look before reaping: as long as the child is a zombie, its process group cannot be anyone else's
            if os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT | os.WNOHANG) is None:
                continue
            _kill_group(child)
            _, status = os.waitpid(child, 0)
            del self.children[key]
            self.connection.send((key, os.waitstatus_to_exitcode(status)))

    def obey(self, key: str, call: bytes | None) -> None:
        """Fork a child for a call; without one, kill the child of that name."""
        if call is not None:
            self.fork(key, call)
        elif key in self.children:
            _kill_group(self.children[key])

    def kill_all(self) -> None:
        for child in self.children.values():
            _kill_group(child)
        for child in self.children.values():
            os.waitpid(child, 0)

    def fork(self, key: str, call: bytes) -> None:
        server = os.getpid()
        child = os.fork()
        if child == 0:
            status = 1
            # whatever happens, a child never returns into the server's loop
            try:
                status = self._call(server, call)
            finally:
                os._exit(status)
        # both sides do it, so that the group exists whoever runs first
        with contextlib.suppress(OSError):
            os.setpgid(child, child)
        self.children[key] = child

    def _call(self, server: int, call: bytes) -> int:
        os.setpgid(0, 0)
        die_with(server)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        for descriptor in (self.wakeup, self._wakeup_end, self.connection.fileno()):
            os.close(descriptor)
        try:
            function, arguments = pickle.loads(call)
            function(*arguments)
        except SystemExit as error:
            return error.code if isinstance(error.code, int) else int(error.code is not None)
        except BaseException:
            traceback.print_exc()
            return 1
        return 0


@contextlib.contextmanager
def _leaving_with(owner: int) -> Iterator[None]:
    """End this process as soon as its owner is gone, whatever it does; there must be no child yet."""
    done = threading.Event()

    def watch() -> None:
        while not done.wait(PARENT_CHECK_SECONDS):
            if os.getppid() != owner:
                os._exit(0)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield
    finally:
        # a process with a second thread must not fork
        done.set()
        watcher.join()


def _kill_group(leader: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)
