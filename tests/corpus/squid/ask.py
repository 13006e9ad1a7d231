"""An origin server on this machine, and requests for it through the proxy."""
import base64
import http.client
import http.server
import os
import re
import socket
import subprocess
import sys
import threading

HOST = os.environ["HOST"]
HERE = re.search(r"src (\S+)", subprocess.run(["ip", "route", "get", HOST], capture_output=True, text=True).stdout)[1]
seen = []


class Origin(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        seen.append(self.path)
        length = int(self.headers.get("content-length", 0))
        body = self.rfile.read(length) if length else f"page {self.path} of {len(seen)}".encode()
        if self.path == "/gzip":
            self.send_response(200)
            self.send_header("transfer-encoding", "chunked")
            self.end_headers()
            for part in (b"one", b"two"):
                self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
            self.wfile.write(b"0\r\n\r\n")
            return
        if self.path == "/etag" and self.headers.get("if-none-match") == '"e"':
            self.send_response(304)
            self.end_headers()
            return
        if self.path == "/big":
            body = bytes(range(256)) * 4096
        if self.path == "/headers":
            body = "\n".join(f"{n.lower()}: {v}" for n, v in self.headers.items() if n.lower() != "host").encode()
        self.send_response(200)
        self.send_header("content-type", "application/x-forbidden" if self.path == "/forbidden" else "text/plain")
        self.send_header("content-length", str(len(body)))
        self.send_header("x-secret", "1")
        if self.path == "/etag":
            self.send_header("etag", '"e"')
        if self.path.startswith("/cached"):
            self.send_header("cache-control", "max-age=600")
        self.end_headers()
        self.wfile.write(body if self.command != "HEAD" else b"")

    do_POST = do_PUT = do_HEAD = do_OPTIONS = do_GET

    def log_message(self, *_):
        pass


origin = http.server.ThreadingHTTPServer((HERE, 0), Origin)
threading.Thread(target=origin.serve_forever, daemon=True).start()
BASE = f"http://{HERE}:{origin.server_port}"


def show(text):
    text = text.replace(BASE, "http://ORIGIN").replace(f"{HERE}:{origin.server_port}", "ORIGIN").replace(HERE, "HERE").replace(str(origin.server_port), "PORT").replace(HOST, "PROXY")
    return re.sub(r"\w{3}, \d\d \w{3} \d{4} [\d:]+ GMT|rndpage=\w+|%3A\d\d%20GMT", "DATE", text)


def ask(url, method="GET", body=None, page=False, **headers):
    connection = http.client.HTTPConnection(HOST, 3128, timeout=60)
    connection.request(method, url, body, {n.replace("_", "-"): v for n, v in headers.items()})
    answer = connection.getresponse()
    text = answer.read()
    names = ("content-type", "content-language", "x-squid-error", "x-cache", "location", "proxy-authenticate", "x-secret", "via", "warning", "age")
    print(answer.status, {n: show(answer.getheader(n)) for n in names if answer.getheader(n) and n != "age"})
    if len(text) > 5000 and not page:
        print(len(text), hash(text) == hash(bytes(range(256)) * 4096))
    else:
        text = text.decode(errors="replace")
        print(show(re.sub(r"(?s)<style.*?</style>", "", text)))


def login(user, word):
    return {"Proxy_Authorization": "Basic " + base64.b64encode(f"{user}:{word}".encode()).decode()}


match sys.argv[1]:
    case "plain":
        ask(BASE + "/plain")
        ask(BASE + "/plain?x=1", "POST", "form=1")
        ask(BASE + "/plain", "HEAD")
        ask(BASE + "/gzip")
    case "headers":
        ask(BASE + "/headers", From="ann@example.org", User_Agent="test")
    case "cached":
        ask(BASE + "/cached")
        ask(BASE + "/cached")
        ask(BASE + "/cached", "PURGE")
        ask(BASE + "/cached")
        ask(BASE + "/etag")
        ask(BASE + "/etag", If_None_Match='"e"')
        ask(BASE + "/cached-none", Cache_Control="only-if-cached")
    case "big":
        ask(BASE + "/big")
        ask(BASE + "/cached-put", "PUT", "z" * 3000000 and "zz")
    case "range":
        ask(BASE + "/big", Range="bytes=1-4")
    case "auth":
        ask(BASE + "/private/x")
        ask(BASE + "/private/x", **login("ann", "secret"))
        ask(BASE + "/private/x", **login("bob", "wrong"))
    case "staff":
        ask(BASE + "/staff/x", **login("ann", "secret"))
        ask(BASE + "/staff/x", **login("bob", "guest"))
    case "blocked":
        ask("http://www.bad.example/x")
        ask("http://ads.example/")
        ask(BASE + "/banner12.gif")
        ask(BASE + "/x", User_Agent="Teapot 1")
    case "forbidden":
        ask(BASE + "/forbidden", Accept_Language="en")
    case "port":
        ask("http://HOST:25/".replace("HOST", HERE), Accept_Language="en")
    case "connect":
        with socket.create_connection((HOST, 3128), 20) as s:
            s.sendall(f"CONNECT {HERE}:{origin.server_port} HTTP/1.1\r\n\r\n".encode())
            print(s.recv(65536).split(b"\r\n")[0])
    case "tunnel":
        plain = socket.create_server((HERE, 8443), reuse_port=True)

        def echo():
            peer, _ = plain.accept()
            peer.sendall(peer.recv(100)[::-1])
            peer.close()

        threading.Thread(target=echo, daemon=True).start()
        with socket.create_connection((HOST, 3128), 20) as s:
            s.sendall(f"CONNECT {HERE}:8443 HTTP/1.1\r\n\r\n".encode())
            print(s.recv(100).split(b"\r\n")[0])
            s.sendall(b"tunnel")
            print(s.recv(100))
    case "refused":
        ask(f"http://{HERE}:44321/", Accept_Language=sys.argv[2])
    case "invalid":
        with socket.create_connection((HOST, 3128), 20) as s:
            s.sendall(b"NONSENSE\r\n\r\n")
            answer = b""
            while part := s.recv(65536):
                answer += part
            print(show(answer.decode().split("\r\n")[0]), re.findall(r"<title>.*?</title>", answer.decode()))
    case "scheme":
        ask("gopher2://x/", Accept_Language="en")
        ask("urn:isbn:1", Accept_Language="en")
    case "ftp":
        listener = socket.create_server((HERE, 2121), reuse_port=True)

        def serve():
            data = socket.create_server((HERE, 0))
            peer, _ = listener.accept()
            peer.sendall(b"220 ready\r\n")
            for line in peer.makefile("rb"):
                word = line.split()[0].upper()
                if word == b"PASV" or word == b"EPSV":
                    port = data.getsockname()[1]
                    peer.sendall(f"229 Entering (|||{port}|)\r\n".encode() if word == b"EPSV" else f"227 ({HERE.replace('.', ',')},{port >> 8},{port & 255})\r\n".encode())
                elif word in (b"LIST", b"NLST"):
                    peer.sendall(b"150 here\r\n")
                    other, _ = data.accept()
                    other.sendall(b"-rw-r--r-- 1 a a 12 Jan  1  2020 tea.txt\r\ndrwxr-xr-x 1 a a 0 Jan  1  2020 pots\r\n-rw-r--r-- 1 a a 9 Jan  1  2020 cup.png\r\n")
                    other.close()
                    peer.sendall(b"226 done\r\n")
                else:
                    peer.sendall({b"USER": b"331 word?\r\n", b"PASS": b"230 in\r\n", b"TYPE": b"200 ok\r\n", b"CWD": b"250 ok\r\n", b"SYST": b"215 UNIX\r\n"}.get(word, b"502 no\r\n"))

        threading.Thread(target=serve, daemon=True).start()
        ask(f"ftp://{HERE}:2121/dir/", page=True)
    case "icon":
        ask("http://proxy.example:3128/squid-internal-static/icons/SN.png")
        ask("/squid-internal-static/icons/silk/picture.png")
    case "manager":
        with_page = http.client.HTTPConnection(HOST, 3128, timeout=60)
        with_page.request("GET", sys.argv[2])
        answer = with_page.getresponse()
        text = answer.read().decode()
        print(answer.status, answer.getheader("content-type"), [line for line in text.splitlines() if re.match(r"^ ?(menu|config|info|Squid Object Cache|Start|http_port|visible|auth_param|.*\t.*\t(public|hidden|protected))", line) and "Start" not in line][:60])
