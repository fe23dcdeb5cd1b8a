#!/usr/bin/env python3
"""Run a program on a terminal and say what became of both.

  terminal.py MODE ROWS COLUMNS -- CMD...

  size   only run it
  term   after "ready": SIGTERM to the program
  keys   after "ready": Ctrl-C; after "interrupted" a new size of 50 x 132;
         when this is shown, "hello" + return
  detach "hello" + return when the terminal is raw; after "got hello"
         Ctrl-P Ctrl-Q
  plain  after "ready": Ctrl-P Ctrl-Q x
  stop   after "ready": SIGTSTP; prints "stopped: restored" when the settings
         are as before then; SIGCONT; when it is raw again "hello" + return
  login  "me" + return after "Username:", "secret" + return after "Password:"
  login-int  Ctrl-C after "Password:"
  kill:PID   kill -9 of that process when the terminal is raw

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

# A busy machine stands still for seconds.
DEADLINE_S = 100


def set_size(fd, rows, columns):
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack('HHHH', rows, columns, 0, 0))


def read_until(master, seen, done, seconds=DEADLINE_S):
    """Collect output until done(), the end, or the time is over."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if done():
            return
        ready, _, _ = select.select([master], [], [], 0.05)
        if not ready:
            continue
        try:
            data = os.read(master, 65536)
        except OSError:
            return
        if not data:
            return
        seen[0] += data


def read_word(master, seen, word):
    read_until(master, seen, lambda: word in seen[0])


def read_until_raw(master, slave, seen):
    read_until(master, seen, lambda: not
               termios.tcgetattr(slave)[3] & termios.ICANON)


def stop_and_go(master, slave, pid, seen, before):
    read_word(master, seen, b'ready')
    os.kill(pid, signal.SIGTSTP)
    os.waitpid(pid, os.WUNTRACED)
    same = termios.tcgetattr(slave) == before
    seen[0] += b'\r\nstopped: ' + (b'restored' if same else b'raw') + b'\r\n'
    os.kill(pid, signal.SIGCONT)
    read_until_raw(master, slave, seen)
    os.write(master, b'hello\r')


def drive(mode, master, slave, pid, seen):
    if mode == 'term':
        read_word(master, seen, b'ready')
        os.kill(pid, signal.SIGTERM)
    elif mode == 'keys':
        read_word(master, seen, b'ready')
        os.write(master, b'\x03')
        read_word(master, seen, b'interrupted')
        set_size(master, 50, 132)
        read_word(master, seen, b'50 132')
        os.write(master, b'hello\r')
    elif mode == 'detach':
        read_until_raw(master, slave, seen)
        os.write(master, b'hello\r')
        read_word(master, seen, b'got hello')
        os.write(master, b'\x10\x11')
    elif mode == 'plain':
        read_word(master, seen, b'ready')
        os.write(master, b'\x10\x11x')
    elif mode == 'login':
        read_word(master, seen, b'Username:')
        os.write(master, b'me\r')
        read_word(master, seen, b'Password:')
        os.write(master, b'secret\r')
    elif mode == 'login-int':
        read_word(master, seen, b'Password:')
        os.write(master, b'\x03')
    elif mode.startswith('kill:'):
        read_until_raw(master, slave, seen)
        os.kill(int(mode[5:]), signal.SIGKILL)


def wait(pid, master, seen):
    end = time.monotonic() + DEADLINE_S
    while time.monotonic() < end:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        read_until(master, seen, lambda: False, 0.05)
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
        drive(mode, master, slave, pid, seen)
    code = wait(pid, master, seen)
    # The slave is still open here, so its settings outlive the program.
    read_until(master, seen, lambda: False, 0.1)
    same = termios.tcgetattr(slave) == before
    left = unread(slave)
    sys.stdout.write(seen[0].decode('utf-8', 'replace').replace('\r\n', '\n'))
    print(f'\nrestored: {"yes" if same else "no"}\nleft: {left}\nexit: {code}')


main()
