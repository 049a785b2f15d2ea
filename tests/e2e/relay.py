"""A proxy between workers and the coordinator that passes every exchange on, except where a test decides otherwise."""
import http.client
import http.server
import re
import socket
import threading


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    target, fate = None, None

    def log_message(self, *args):
        pass

    def exchange(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        kind = f"{self.command} {re.sub(r'/[0-9a-f]{16,}|/[0-9]+', '/_', self.path)}"
        fate = type(self).fate(kind, self.headers)
        if fate == "request":
            self.hang_up()
            return
        if isinstance(fate, tuple):
            self.answer(fate[0], {"Content-Type": fate[1]}, fate[2].encode())
            return
        server = http.client.HTTPConnection(*self.target, timeout=60)
        server.request(self.command, self.path, body, {k: v for k, v in self.headers.items() if k != "Host"})
        answer = server.getresponse()
        data = answer.read()
        server.close()
        if fate == "answer":
            self.hang_up()
        else:
            self.answer(answer.status, answer.headers, data, cut=fate)

    def answer(self, status, headers, data, cut=None):
        self.send_response(status)
        for k, v in headers.items():
            if k not in ("Connection", "Transfer-Encoding", "Content-Length", "Date"):
                self.send_header(k, v)
        self.send_header("Content-Length", headers.get("Content-Length") or str(len(data)))
        self.end_headers()
        self.wfile.write(data[:cut])
        if cut is not None and len(data) > cut:
            self.hang_up()

    def hang_up(self):
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = exchange


class Relay:
    """Listens on a port of its own until close(); without `listen` only from listen() on, and connections to its port
    are refused until then. fate(kind, headers) decides about each exchange, kind being as in
    "PUT /api/v1/results/_/_": None passes it on, "request" loses it before and "answer" after the coordinator saw it,
    a number cuts the answer after so many bytes, (status, type, text) answers in the coordinator's place."""

    def __init__(self, url, fate, listen=True):
        host, port = url.split("//")[1].split(":")
        handler = type("Here", (Handler,), {"target": (host, int(port)), "fate": staticmethod(fate)})
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler, bind_and_activate=False)
        self.server.daemon_threads = True
        self.server.server_bind()
        self.listening = False
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        if listen:
            self.listen()

    def listen(self):
        self.server.server_activate()
        self.listening = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        if self.listening:
            self.server.shutdown()
        self.server.server_close()
