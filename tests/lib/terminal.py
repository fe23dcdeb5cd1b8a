#!/usr/bin/env python3
"""Run a program on a terminal and say what became of both.

  terminal.py MODE ROWS COLUMNS -- CMD...

  size   only run it
  term   SIGTERM to the program after a second
  keys   after "ready": Ctrl-C, a new size of 50 x 132, then "hello" + return
  detach "hello" + return until it is answered, then Ctrl-P Ctrl-Q
  plain  after "ready": Ctrl-P Ctrl-Q x
  stop   after "ready": SIGTSTP; prints "stopped: restored" when the settings
         are as before then; SIGCONT, then "hello" + return

Prints what the program wrote, then "restored: yes|no" (are the terminal's
settings as before?), "left: N" (bytes that wait to be read from the terminal,
which nobody typed) and "exit: CODE".
"""
import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios
import time

DEADLINE_S = 60


def set_size(fd, rows, columns):
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack('HHHH', rows, columns, 0, 0))


def read_for(master, seconds, seen, until=None):
    """Collect output until the text `until`, the end, or the time is over."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if until is not None and until in seen[0]:
            return True
        ready, _, _ = select.select([master], [], [], 0.05)
        if not ready:
            continue
        try:
            data = os.read(master, 65536)
        except OSError:
            return False
        if not data:
            return False
        seen[0] += data
    return True


def stop_and_go(master, slave, pid, seen, before):
    read_for(master, 20, seen, b'ready')
    os.kill(pid, signal.SIGTSTP)
    os.waitpid(pid, os.WUNTRACED)
    same = termios.tcgetattr(slave) == before
    seen[0] += b'\r\nstopped: ' + (b'restored' if same else b'raw') + b'\r\n'
    os.kill(pid, signal.SIGCONT)
    read_for(master, 0.5, seen)
    os.write(master, b'hello\r')


def type_until_answered(master, seen):
    for _ in range(20):
        os.write(master, b'hello\r')
        if read_for(master, 1, seen, b'got hello'):
            break
    read_for(master, 0.5, seen)


def drive(mode, master, pid, seen):
    if mode == 'term':
        read_for(master, 1, seen)
        os.kill(pid, signal.SIGTERM)
    elif mode == 'keys':
        read_for(master, 20, seen, b'ready')
        os.write(master, b'\x03')
        read_for(master, 20, seen, b'interrupted')
        set_size(master, 50, 132)
        os.kill(pid, signal.SIGWINCH)
        read_for(master, 0.5, seen)
        os.write(master, b'hello\r')
    elif mode == 'detach':
        type_until_answered(master, seen)
        os.write(master, b'\x10\x11')
    elif mode == 'plain':
        read_for(master, 20, seen, b'ready')
        os.write(master, b'\x10\x11x')


def wait(pid, master, seen):
    end = time.monotonic() + DEADLINE_S
    while time.monotonic() < end:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        read_for(master, 0.05, seen)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return 'too late'


def unread(slave):
    """Without line mode, where only whole lines count."""
    raw = termios.tcgetattr(slave)
    raw[3] &= ~termios.ICANON
    termios.tcsetattr(slave, termios.TCSANOW, raw)
    answer = fcntl.ioctl(slave, termios.FIONREAD, struct.pack('i', 0))
    return struct.unpack('i', answer)[0]


def main():
    mode, rows, columns = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    command = sys.argv[5:]
    master, slave = pty.openpty()
    set_size(master, rows, columns)
    before = termios.tcgetattr(slave)
    pid = os.fork()
    if pid == 0:
        os.setsid()
        fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
        for fd in (0, 1, 2):
            os.dup2(slave, fd)
        os.closerange(3, 256)
        os.execvp(command[0], command)
    seen = [b'']
    if mode == 'stop':
        stop_and_go(master, slave, pid, seen, before)
    else:
        drive(mode, master, pid, seen)
    code = wait(pid, master, seen)
    # The slave is still open here, so its settings outlive the program.
    read_for(master, 0.1, seen)
    same = termios.tcgetattr(slave) == before
    left = unread(slave)
    sys.stdout.write(seen[0].decode('utf-8', 'replace').replace('\r\n', '\n'))
    print(f'\nrestored: {"yes" if same else "no"}\nleft: {left}\nexit: {code}')


main()
