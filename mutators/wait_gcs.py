# rayfix.io gcs-wait/1
#
# wait_gcs.sh for images whose bash was built without /dev/tcp: same loop, lines and exit codes.
#   python3 -I -S -B -c PROGRAM HOST PORT [h2|tcp [SECONDS]]
# It stands between single quotes in a shell line, so it must not contain one. Only built-in modules
# and _socket: importing socket would bring in selectors, enum and os, 5 MB.
import sys, posix, time, _signal, _socket, _thread


def say(line, fd=1):
    posix.write(fd, (line + "\n").encode())


# _exit and not SystemExit: at once, whatever an attempt's thread is doing.
_signal.signal(_signal.SIGTERM, lambda *_: posix._exit(143))
_signal.signal(_signal.SIGINT, lambda *_: posix._exit(130))
try:
    host, port, mode, limit = sys.argv[1:] + ["h2", "0"][len(sys.argv) - 3 :]
    port, limit = int(port), int(limit)
    if not host or not 0 < port < 65536 or mode not in ("h2", "tcp") or limit < 0:
        raise ValueError
except ValueError:
    say("usage: HOST PORT [h2|tcp [SECONDS]]", 2)
    posix._exit(2)


def greeting(sock):
    data = b""
    while len(data) < 9:
        try:
            more = sock.recv(9 - len(data))
        except OSError:
            more = b""
        if not more:
            return "unexpected answer" if data else "no answer"
        data += more
    # RFC 9113 section 4.1: length, type 4 (SETTINGS), no flags, stream 0.
    return "" if data[3:] == b"\4\0\0\0\0\0" else "unexpected answer"


def attempt(result, done):
    try:
        # As bytes: a str would load the idna codec and its tables.
        for family, kind, proto, _, address in _socket.getaddrinfo(
            host.encode(), port, 0, _socket.SOCK_STREAM
        ):
            sock = _socket.socket(family, kind, proto)
            try:
                sock.settimeout(3)
                sock.connect(address)
                result[0] = greeting(sock) if mode == "h2" else ""
            except OSError as error:
                result[0] = str(error.args[-1])
            sock.close()
            if not result[0]:
                break
    except OSError as error:
        result[0] = str(error.args[-1])
    except Exception as error:
        result[0] = str(error) or "failed"
    done.release()


def jitter():
    return posix.urandom(1)[0] / 256


time.sleep(jitter())
start, delay = time.monotonic(), 1
while True:
    # In a thread, because a handler cannot run while getaddrinfo waits for a name server; waiting
    # for a lock lets it, and bounds the attempt.
    result, done = ["timed out"], _thread.allocate_lock()
    done.acquire()
    _thread.start_new_thread(attempt, (result, done))
    reason = result[0] if done.acquire(timeout=6) else "timed out"
    elapsed = int(time.monotonic() - start)
    if not reason:
        say("GCS is ready at %s:%d after %ds." % (host, port, elapsed))
        posix._exit(0)
    if limit and elapsed >= limit:
        say("Gave up on the GCS at %s:%d after %ds (%s)." % (host, port, elapsed, reason), 2)
        posix._exit(1)
    line = "%d seconds elapsed: Waiting for GCS to be ready at %s:%d (%s)."
    say(line % (elapsed, host, port, reason))
    time.sleep(delay + jitter())
    delay = min(delay * 2, 8)
