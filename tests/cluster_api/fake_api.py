"""An API server over TLS for tests: keeps objects as the real one does, as far as the client looks,
and misbehaves as it is told."""

import copy
import http.server
import json
import os
import queue
import re
import socket
import ssl
import struct
import subprocess
import tempfile
import threading
import time
import urllib.parse

UID = "11111111-2222-3333-4444-555555555555"


def make_certificate(folder, name="api", extra=()):
    """A self-signed certificate for localhost, 127.0.0.1 and `extra`: name.crt and name.key."""
    names = ",".join(["DNS:localhost", "IP:127.0.0.1", *(f"DNS:{more}" for more in extra)])
    paths = [os.path.join(folder, f"{name}.{end}") for end in ("crt", "key")]
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", f"/CN={name}",
                    "-addext", f"subjectAltName={names}", "-out", paths[0], "-keyout", paths[1]],
                   check=True, capture_output=True)
    return paths


def status(code, reason, message, **more):
    return {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code,
            "reason": reason, "message": message, **more}


def is_in(path, collection):
    """True if the object is in the collection: of its namespace, or of all."""
    parent = path.rsplit("/", 1)[0]
    return collection in (parent, re.sub(r"/namespaces/[^/]+(?=/)", "", parent))


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def handle(self):
        try:
            super().handle()
        except (OSError, ssl.SSLError):
            pass  # clients that go away are part of the tests

    def serve(self):
        api = self.server.api
        length = int(self.headers.get("Content-Length") or 0)
        self.body = self.rfile.read(length)
        url = urllib.parse.urlsplit(self.path)
        self.url_path = url.path
        self.query = dict(urllib.parse.parse_qsl(url.query))
        with api.lock:
            api.requests.append((self.command, self.path, dict(self.headers), self.body))
        api.answer(self)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = serve

    # ---- what behaviours use ----

    def send(self, code, body, headers=(), content_type="application/json"):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(data)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def reset(self):
        raw = self.connection
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raw.close()
        self.close_connection = True

    def begin_stream(self):
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True

    def event(self, kind, name="a", version="1", **more):
        event = {"type": kind, "object": {"kind": "Secret", "apiVersion": "v1", "metadata": {
            "name": name, "resourceVersion": version}, **more}}
        self.wfile.write(json.dumps(event).encode() + b"\n")
        self.wfile.flush()

    def write(self, data):
        self.wfile.write(data)
        self.wfile.flush()


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request, client_address):
        pass

    def finish_request(self, request, client_address):
        # The handshake belongs to the connection's own thread.
        try:
            wrapped = self.api.context.wrap_socket(request, server_side=True)
        except (OSError, ssl.SSLError):
            return
        with self.api.lock:
            self.api.open.add(wrapped)
        try:
            self.RequestHandlerClass(wrapped, client_address, self)
        finally:
            with self.api.lock:
                self.api.open.discard(wrapped)
            wrapped.close()


class FakeApi:
    """`next(behaviour, …)` queues what happens to the next requests, other than reading the
    identity; each is called with the Handler. Without one the store answers."""

    def __init__(self, folder=None, client_ca=None, names=()):
        self.folder = folder or tempfile.mkdtemp(prefix="rayfix-api-")
        self.lock = threading.Lock()
        self.requests = []
        self.open = set()  # connections
        self.behaviours = queue.Queue()
        self.uid = UID
        self.identity = None  # a behaviour for reading the identity
        self.token = None  # wanted, if set
        self.objects = {}
        self.default = self.store
        self.collections = set()  # paths that answer a list, even an empty one
        self.version = 100
        self.certificate, key = make_certificate(self.folder, extra=names)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(self.certificate, key)
        if client_ca:
            self.context.load_verify_locations(client_ca)
            self.context.verify_mode = ssl.CERT_REQUIRED
        self.server = None
        self.port = 0
        self.start()

    def start(self):
        self.server = Server(("127.0.0.1", self.port), Handler)
        self.server.api = self
        self.port = self.server.server_address[1]
        self.url = f"https://127.0.0.1:{self.port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()

    def stop(self):
        """Ends the server and its connections; start() begins again at the same address."""
        self.server.shutdown()
        with self.lock:
            for connection in self.open:
                try:
                    socket.socket.shutdown(connection, socket.SHUT_RDWR)  # not ssl's: it has a user
                except OSError:
                    pass
        self.server.server_close()
        self.thread.join()

    def next(self, *behaviours):
        for behaviour in behaviours:
            self.behaviours.put(behaviour)

    def seen(self, method=None, part=""):
        """Requests so far, other than for the identity."""
        with self.lock:
            return [r for r in self.requests if (method is None or r[0] == method)
                    and part in r[1] and not r[1].endswith("/namespaces/kube-system")]

    def identity_reads(self):
        with self.lock:
            return sum(r[1].endswith("/namespaces/kube-system") for r in self.requests)

    # ---- answering ----

    def answer(self, handler):
        if self.token and handler.headers.get("Authorization") != f"Bearer {self.token}":
            handler.send(401, status(401, "Unauthorized", "Unauthorized"))
            return
        if handler.url_path == "/api/v1/namespaces/kube-system":
            if self.identity:
                self.identity(handler)
            else:
                handler.send(200, {"kind": "Namespace", "apiVersion": "v1", "metadata": {
                    "name": "kube-system", "uid": self.uid}})
            return
        try:
            behaviour = self.behaviours.get_nowait()
        except queue.Empty:
            behaviour = self.default
        behaviour(handler)

    def put(self, path, **fields):
        """An object of the store; `path` as in the API."""
        with self.lock:
            self.version += 1
            obj = copy.deepcopy(fields)
            obj.setdefault("metadata", {}).update(name=path.rsplit("/", 1)[1],
                                                  resourceVersion=str(self.version))
            self.objects[path] = obj
            return obj

    def store(self, handler):
        method, path = handler.command, handler.url_path
        with self.lock:
            found = copy.deepcopy(self.objects.get(path))
            listed = [o for p, o in sorted(self.objects.items()) if is_in(p, path)]
            known = listed or path in self.collections or path.endswith("/secrets")
        if method == "GET" and found:
            handler.send(200, found)
        elif method == "GET" and known:
            self.list(handler, listed)
        elif method == "POST" and known:
            self.create(handler, path)
        elif method in ("PUT", "PATCH", "DELETE") and found:
            self.change(handler, path, found)
        else:
            name = path.rsplit("/", 1)[1]
            handler.send(404, status(404, "NotFound", f'"{name}" not found'))

    def list(self, handler, listed):
        limit = int(handler.query.get("limit") or 0)
        start = int(handler.query.get("continue") or 0)
        part = listed[start:start + limit] if limit else listed
        more = {"continue": str(start + limit)} if limit and start + limit < len(listed) else {}
        handler.send(200, {"kind": "List", "apiVersion": "v1", "items": part,
                           "metadata": {"resourceVersion": str(self.version), **more}})

    def create(self, handler, path):
        obj = json.loads(handler.body)
        at = f"{path}/{obj['metadata']['name']}"
        if at in self.objects:
            handler.send(409, status(409, "AlreadyExists", f"{at} already exists"))
        else:
            handler.send(201, self.put(at, **obj))

    def change(self, handler, path, found):
        if handler.command == "DELETE":
            with self.lock:
                del self.objects[path]
            handler.send(200, {"kind": "Status", "apiVersion": "v1", "status": "Success"})
            return
        obj = json.loads(handler.body)
        wanted = obj.get("metadata", {}).get("resourceVersion") if isinstance(obj, dict) else None
        if wanted and wanted != found["metadata"]["resourceVersion"]:
            handler.send(409, status(409, "Conflict", "the object has been modified"))
        else:
            handler.send(200, self.put(path, **(obj if isinstance(obj, dict) else found)))


def answering(code, body=None, headers=(), content_type="application/json"):
    """A behaviour: this answer."""
    return lambda handler: handler.send(
        code, status(code, "", f"told to answer {code}") if body is None else body, headers,
        content_type)


def resetting(handler):
    handler.reset()


def sleeping(seconds):
    def behaviour(handler):
        time.sleep(seconds)
        handler.send(200, {"kind": "Secret"})
    return behaviour
