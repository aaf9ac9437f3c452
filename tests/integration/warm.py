# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""ansible-playbook and ansible-inventory without their start: a server that has imported what they import, and forks.

Each playbook is a process of its own, with its own arguments, environment, folder and standard streams, and so is each
module of the collection on a local connection. What a play costs in processor time is the play: a role some 1.2 s
in the place of 3.8 s (of which 0.8 s were the archive of the module and its utilities, made anew for each run).
What differs from a start: modules are not put into an archive, and not run by a shell. ``test_warm.py`` holds both
kinds of run against each other; what is about processes, signals or archives starts programs.
"""

from __future__ import annotations

import array
import atexit
import contextlib
import functools
import gc
import importlib
import io
import json
import logging
import os
import select
import signal
import socket
import subprocess
import sys
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import botocore_memory
from integration.warm_memory import remember

_COLLECTIONS = Path(__file__).resolve().parents[2] / ".collections"
#: The collections whose modules are run by forks.
_IN_FORKS = ("elasticache.auth", "awx.awx")
#: What plays, modules or both import. Not what reads Ansible's settings as it is imported: these are each play's own.
_IMPORTED = (
    "ansible.module_utils.basic",
    "ansible.module_utils.testing",
    "ansible.parsing.yaml.loader",
    "boto3",
    "botocore.endpoint",
    "botocore.session",
    "cryptography",
    "jinja2.nativetypes",
    "multiprocessing.queues",
    "valkey",
    "zxcvbn",
)
#: In the place of a program: a module alone.
MODULE = "module"
#: The program of :func:`alone`, to be written into a file.
ALONE = f"""\
#!{sys.executable}
import sys

sys.path.insert(0, {str(Path(__file__).resolve().parents[1])!r})
from integration.warm import alone

sys.argv[0] = "ansible-playbook"
alone()
"""
#: The programs that can be run, by where Ansible has them.
_PROGRAMS = {
    "ansible-playbook": ("ansible.cli.playbook", "PlaybookCLI"),
    "ansible-inventory": ("ansible.cli.inventory", "InventoryCLI"),
}


class Warm:
    """A program that the server runs; what :class:`subprocess.Popen` has that a test needs."""

    def __init__(
        self,
        server: Server,
        command: Sequence[str],
        cwd: str,
        env: Mapping[str, str],
        output: int,
        errors: int | None = None,
    ) -> None:
        """Start ``command``, whose first word is ansible-playbook, ansible-inventory or ``MODULE``.

        After the latter come a module, as Python calls it, and its options as JSON; it leads a session of its own.
        ``output`` is its standard output, and its standard error, too, unless there are ``errors``.
        """
        ours, theirs = socket.socketpair()
        with theirs, open(os.devnull, "rb") as nothing:
            fds = array.array("i", [nothing.fileno(), output, output if errors is None else errors, theirs.fileno()])
            server.ask(json.dumps({"command": list(command), "cwd": cwd, "env": dict(env)}).encode(), fds)
        self.returncode: int | None = None
        self._ours, self._told = ours, b""
        self.pid = self._number()

    def __enter__(self) -> Warm:
        """Nothing is to be done."""
        return self

    def __exit__(self, *error: object) -> None:
        """Wait for its end."""
        self.wait()
        self._ours.close()

    def poll(self) -> int | None:
        """Return its exit status, of a signal the negative number; None while it runs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Return its exit status once it has ended. Raises :class:`subprocess.TimeoutExpired` after so many seconds."""
        if self.returncode is None:
            if b"\n" not in self._told and not select.select([self._ours], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired("a fork", timeout or 0)
            self.returncode = os.waitstatus_to_exitcode(self._number())
            self._ours.close()
        return self.returncode

    def _number(self) -> int:
        """Read the next line that the server has told."""
        while b"\n" not in self._told:
            if not (more := self._ours.recv(64)):
                raise ChildProcessError("the server has ended")
            self._told += more
        line, dummy, self._told = self._told.partition(b"\n")
        return int(line)

    def send_signal(self, number: int) -> None:
        """Send it a signal."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)


class Server:
    """The server's process, that of one process of tests; it ends with that."""

    def __init__(self) -> None:
        """Start it."""
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "integration.warm", str(theirs.fileno())],
                cwd=Path(__file__).resolve().parents[1],
                env={**os.environ, "ANSIBLE_HOME": "/nonexistent"},
                pass_fds=[theirs.fileno()],
            )
        atexit.register(self.end)

    def ask(self, request: bytes, fds: array.array[int]) -> None:
        """Have a playbook run with these standard streams, and a socket on which its id and its status are told."""
        socket.send_fds(self._socket, [request], fds)

    def end(self) -> None:
        """End it."""
        self._socket.close()
        self._process.wait()


@functools.cache
def server() -> Server:
    """The server of this process."""
    return Server()


# --- In the server ----------------------------------------------------------------------------------------------------


def serve(control: socket.socket) -> None:
    """Run playbooks until nobody is left to ask for one."""
    own, memory = _import_all(), remember()
    gc.collect()
    gc.freeze()  # else each fork's collections would copy all pages of what is imported here
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those who wait
    while True:
        request, fds, _flags, _address = socket.recv_fds(control, 1 << 20, 4)
        if not request:
            return
        memory.learn()
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            control.close()
            _attend(json.loads(request), fds, own)
        for fd in fds:
            os.close(fd)


def _import_all() -> dict[str, Any]:
    """Import what is needed; returns the modules of the collection, which the plays' own loader has to load itself."""
    for name in _IMPORTED:
        importlib.import_module(name)
    botocore_memory.remember()
    botocore_memory.read_models()
    sys.path.insert(0, str(_COLLECTIONS))
    for path in sorted((_COLLECTIONS / "ansible_collections/elasticache/auth/plugins/modules").glob("*.py")):
        if name := _file_of(f"elasticache.auth.{path.stem}"):
            importlib.import_module(name)
    sys.path.remove(str(_COLLECTIONS))
    own = {name: module for name, module in sys.modules.items() if name.split(".")[0] == "ansible_collections"}
    for name in own:
        del sys.modules[name]
    return own


def _attend(request: Mapping[str, Any], fds: Sequence[int], own: Mapping[str, Any]) -> None:
    """Run one playbook in another process, and tell its id and its status."""
    told = fds[3]
    player = os.fork()
    if player == 0:
        os.close(told)
        _ended(lambda: _play(request, fds[:3], own))
    os.write(told, f"{player}\n".encode())
    for fd in fds[:3]:
        os.close(fd)
    status = os.waitpid(player, 0)[1]
    os.write(told, f"{status}\n".encode())
    os._exit(0)


def _ended(work: Any) -> None:
    """Do the work and end the process as Python does at the end of a program."""
    code = 1
    try:
        work()
        code = 0
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(BaseException):
            atexit._run_exitfuncs()
        with contextlib.suppress(BaseException):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _streams(*fds: int) -> None:
    """Make these the standard streams."""
    for number, fd in enumerate(fds):
        os.dup2(fd, number)
        if fd > 2:
            os.close(fd)
    sys.stdin = os.fdopen(0, encoding="utf-8", closefd=False)
    sys.stdout = io.TextIOWrapper(os.fdopen(1, "wb", 0, closefd=False), "utf-8", write_through=True)
    sys.stderr = io.TextIOWrapper(os.fdopen(2, "wb", 0, closefd=False), "utf-8", write_through=True)


def _play(request: Mapping[str, Any], fds: Sequence[int], own: Mapping[str, Any]) -> None:
    """Be ansible-playbook, or another program, or a module."""
    _streams(*fds)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    sys.argv = list(request["command"])
    if sys.argv[0] == MODULE:
        os.setsid()
        _be_module(own, sys.argv[1], json.loads(sys.argv[2]))
    else:
        _take_settings()
        _be_program(own)


def alone() -> None:
    """Be ansible-playbook in this process, with the arguments that it has, and run its modules by forks."""
    own = _import_all()
    gc.collect()
    gc.freeze()
    _ended(lambda: _be_program(own))


def _be_program(own: Mapping[str, Any]) -> None:
    module, program = _PROGRAMS[Path(sys.argv[0]).name]
    cli = getattr(importlib.import_module(module), program)
    _run_modules_here(own)
    cli.cli_executor(sys.argv)


def _take_settings() -> None:
    """Have Ansible read its settings again, from this process' environment."""
    from ansible import constants
    from ansible.config.manager import find_ini_config_file

    config = constants.config
    config._config_file, config._parsers = find_ini_config_file(config.WARNINGS), {}
    if config._config_file:
        config._parse_config_file()
    for setting in config.get_configuration_definitions():
        constants.set_constant(setting, config.get_config_value(setting, variables=vars(constants)))
    if path := config.get_config_value("DEFAULT_LOG_PATH"):
        _log_to(str(path), config.get_config_value("DEFAULT_LOG_FILTER"))


def _log_to(path: str, without: Sequence[str]) -> None:
    """Have Ansible write a log, as its module ``display`` does where that is set when it is imported."""
    from ansible.utils import display

    layout = "%(asctime)s p=%(process)d u=%(user)s n=%(name)s %(levelname)s| %(message)s"
    logging.basicConfig(filename=path, level=logging.INFO, format=layout, force=True)
    for handler in logging.root.handlers:
        handler.addFilter(display.FilterBlackList(without))
        handler.addFilter(display.FilterUserInjector())
    display.logger = logging.getLogger("ansible")


def _run_modules_here(own: Mapping[str, Any]) -> None:
    """Have modules of the collection on local connections run by a fork, in the place of an archive and a program."""
    from ansible.executor.module_common import _BuiltModule
    from ansible.plugins.action import ActionBase

    configure, execute = ActionBase._configure_module, ActionBase._low_level_execute_command

    def configure_module(self: Any, module_name: str, module_args: Any, task_vars: Any) -> Any:
        name = _file_of(module_name)
        interpreter = task_vars.get("ansible_python_interpreter")
        plain = not (self._task.async_val or self._connection.become or self._task.delegate_to)
        if not (name and plain and self._connection.transport == "local" and interpreter == sys.executable):
            return configure(self, module_name, module_args, task_vars)
        environment: dict[str, str] = {}
        self._compute_environment_string(environment)
        self._warm = (name, module_args, environment)
        built = _BuiltModule(
            b_module_data=b"", module_style="new", shebang=f"#!{interpreter}", serialization_profile="legacy"
        )
        return built, str(_COLLECTIONS / f"{name.replace('.', '/')}.py")

    def low_level_execute_command(self: Any, *arguments: Any, **options: Any) -> Any:
        pending, self._warm = getattr(self, "_warm", None), None
        return _in_a_fork(own, *pending) if pending else execute(self, *arguments, **options)

    ActionBase._configure_module = configure_module  # type: ignore[method-assign]
    ActionBase._low_level_execute_command = low_level_execute_command  # type: ignore[method-assign]


def _file_of(module_name: str) -> str:
    """Return what Python calls a module of these collections; empty for others, and for what is an action alone."""
    collection, _dot, leaf = module_name.rpartition(".")
    name = f"ansible_collections.{collection}.plugins.modules.{leaf}"
    file = _COLLECTIONS / f"{name.replace('.', '/')}.py"
    return name if collection in _IN_FORKS and file.exists() and "def main(" in file.read_text("utf-8") else ""


def _in_a_fork(own: Mapping[str, Any], name: str, arguments: Any, environment: Mapping[str, str]) -> dict[str, Any]:
    """Run a module in a process of its own and return what a connection does: what it printed, and its status."""
    output, errors = os.pipe(), os.pipe()
    sys.stdout.flush()
    process = os.fork()
    if process == 0:
        with open(os.devnull, "rb") as nothing:
            _streams(os.dup(nothing.fileno()), output[1], errors[1])
        os.environ.update(environment)
        _ended(lambda: _be_module(own, name, arguments))
    os.close(output[1])
    os.close(errors[1])
    with os.fdopen(output[0], "rb") as told, os.fdopen(errors[0], "rb") as complaints:
        # What it complains of is far less than a pipe holds.
        stdout, stderr = told.read().decode("utf-8", "replace"), complaints.read().decode("utf-8", "replace")
    status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    return {
        "rc": status,
        "stdout": stdout,
        "stdout_lines": stdout.splitlines(),
        "stderr": stderr,
        "stderr_lines": stderr.splitlines(),
    }


def _be_module(own: Mapping[str, Any], name: str, arguments: Any) -> None:
    """Be the module: nothing that the controller has loaded of the collection is its own."""
    import ansible.module_utils.common.warnings as module_warnings
    from ansible.module_utils import _internal
    from ansible.module_utils.testing import patch_module_args

    for key in [key for key in sys.modules if key.split(".")[0] == "ansible_collections"]:
        del sys.modules[key]
    sys.modules.update(own)
    sys.path.insert(0, str(_COLLECTIONS))
    sys.meta_path = [finder for finder in sys.meta_path if "collection_loader" not in type(finder).__module__]
    sys.path_hooks = [hook for hook in sys.path_hooks if "collection_loader" not in getattr(hook, "__module__", "")]
    sys.path_importer_cache.clear()
    _internal.is_controller = False
    module_warnings._global_warnings.clear()
    for handler in list(logging.root.handlers):  # the log is the controller's
        logging.root.removeHandler(handler)
    logging.root.setLevel(logging.WARNING)
    atexit._clear()
    with patch_module_args(arguments):
        importlib.import_module(name).main()


if __name__ == "__main__":
    with socket.socket(fileno=int(sys.argv[1])) as asked:
        serve(asked)
