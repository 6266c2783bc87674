"""Start a PostgreSQL program where it agrees to run; a program of its own, called by `postgres`.

PostgreSQL refuses to run as root. This launcher steps out of root and becomes the program: in a
user namespace, where root's files stay root's own and PostgreSQL sees an ordinary account, or,
where the kernel forbids that, as the account ``nobody``. It is a fresh process and not a
``preexec_fn``, because code between fork and exec is unsafe in a starter that has threads.
It imports the standard library only.

Usage: launcher.py STEP_OUT LOG PROGRAM [ARGUMENT...]
STEP_OUT is ``stay``, ``namespace`` or ``account``. LOG is ``-`` to become the program in this
process, or a file to become it in a detached one, whose pid is printed.
``launcher.py probe`` prints which step out works here.
"""

import ctypes
import os
import pwd
import sys
from pathlib import Path

CLONE_NEWUSER = 0x10000000


def unprivileged_account() -> pwd.struct_passwd:
    """Return the account to appear as: initdb insists on one that the system knows."""
    try:
        return pwd.getpwnam("nobody")
    except KeyError:
        return next(entry for entry in pwd.getpwall() if entry.pw_uid)


def enter_user_namespace() -> None:
    """Appear as an ordinary account from here on, with root's own rights to root's own files.

    :raises OSError: where the kernel forbids user namespaces
    """
    account = unprivileged_account()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWUSER):
        raise OSError(ctypes.get_errno(), "user namespaces are not allowed here")
    # The kernel accepts a group map from an unprivileged writer only after this.
    Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
    Path("/proc/self/uid_map").write_text(f"{account.pw_uid} 0 1", encoding="ascii")
    Path("/proc/self/gid_map").write_text(f"{account.pw_gid} 0 1", encoding="ascii")


def become_account() -> None:
    account = unprivileged_account()
    os.setgroups([])
    os.setgid(account.pw_gid)
    os.setuid(account.pw_uid)


def detach(log: str) -> None:
    """Go on in a process of its own session, orphaned, that writes to ``log``."""
    os.setsid()
    child = os.fork()
    if child:
        sys.stdout.write(f"{child}\n")
        sys.stdout.flush()
        os._exit(0)
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for stream in (1, 2):
        os.dup2(output, stream)
    os.close(output)


def probe() -> str:
    try:
        enter_user_namespace()
    except OSError:
        return "account"
    return "namespace"


def main(step_out: str, log: str, *command: str) -> None:
    if log != "-":
        detach(log)
    if step_out == "namespace":
        enter_user_namespace()
    elif step_out == "account":
        become_account()
    try:
        os.execv(command[0], command)  # noqa: S606 - becoming the program is the point
    except OSError as failure:
        sys.stderr.write(f"{command[0]} cannot be started: {failure.strerror}\n")
        os._exit(126)


if __name__ == "__main__":
    if sys.argv[1:] == ["probe"]:
        sys.stdout.write(probe())
    else:
        main(*sys.argv[1:])
