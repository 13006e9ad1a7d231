"""Steps of somebody who works on the server: python3 client.py STEP, on the host."""
import base64
import hashlib
import http.cookiejar
import io
import json
import os
import re
import socket
import struct
import sys
import urllib.error
import urllib.parse
import urllib.request
import zipfile

HOST, PORT, TOKEN = os.environ["HOST"], int(os.environ["PORT"]), "team-token-4711"
BASE = f"http://{HOST}:{PORT}"


def ask(method, path, body=None, token=TOKEN, **headers):
    """Asks the server; returns status, header fields and body."""
    if token:
        headers["Authorization"] = f"token {token}"
    if isinstance(body, (dict, list)):
        body = json.dumps(body).encode()
    request = urllib.request.Request(BASE + path, body, headers, method=method)
    try:
        answer = urllib.request.urlopen(request, timeout=120)
    except urllib.error.HTTPError as error:
        answer = error
    return answer.status, answer.headers, answer.read()


def api(method, path, body=None):
    status, _, text = ask(method, "/api" + path, body)
    return status, json.loads(text) if text else None


class Socket:
    """A websocket as of RFC 6455, text only."""

    def __init__(self, path):
        self.socket = socket.create_connection((HOST, PORT), timeout=90)
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall(
            f"GET {path} HTTP/1.1\r\nHost: {HOST}:{PORT}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\nAuthorization: token {TOKEN}\r\n\r\n".encode()
        )
        self.file = self.socket.makefile("rb")
        self.status = self.file.readline().decode().split(" ", 2)[1]
        while self.file.readline().strip():
            pass

    def frame(self, kind, data):
        mask = os.urandom(4)
        size = len(data)
        head = bytes([128 | kind])
        if size < 126:
            head += bytes([128 | size])
        elif size < 65536:
            head += bytes([128 | 126]) + struct.pack(">H", size)
        else:
            head += bytes([128 | 127]) + struct.pack(">Q", size)
        self.socket.sendall(head + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(data)))

    def send(self, value):
        self.frame(1, json.dumps(value).encode())

    def receive(self):
        """Returns the next message."""
        whole = b""
        while True:
            first, second = self.file.read(2)
            size = second & 127
            if size == 126:
                (size,) = struct.unpack(">H", self.file.read(2))
            elif size == 127:
                (size,) = struct.unpack(">Q", self.file.read(8))
            data = self.file.read(size)
            kind = first & 15
            if kind == 9:
                self.frame(10, data)
            elif kind == 8:
                raise EOFError(data)
            elif kind in (0, 1, 2):
                whole += data
                if first & 128:
                    return json.loads(whole) if kind != 2 else {"header": {}, "parent_header": {}}


class Kernel:
    """A session with a kernel of its own."""

    def __init__(self, kernel="python3", name="x.ipynb"):
        status, session = api("POST", "/sessions", {"path": name, "type": "notebook", "name": name, "kernel": {"name": kernel}})
        if status != 201:
            sys.exit(f"no session: {status} {session}")
        self.session = session["id"]
        self.id = session["kernel"]["id"]
        self.socket = Socket(f"/api/kernels/{self.id}/channels?session_id={self.session}")
        self.count = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.socket.close()
        api("DELETE", f"/sessions/{self.session}")

    def ask(self, kind, content, channel="shell"):
        self.count += 1
        name = f"message-{self.count}"
        header = {"msg_id": name, "msg_type": kind, "username": "u", "session": self.session, "date": "2024-01-01T00:00:00Z", "version": "5.3"}
        self.socket.send({"header": header, "parent_header": {}, "metadata": {}, "content": content, "channel": channel, "buffers": []})
        return name

    def wait(self, name, answers=None):
        """Returns the reply to a message and what was published meanwhile."""
        reply, idle, published = None, False, []
        while not (reply and idle):
            message = self.socket.receive()
            if message["parent_header"].get("msg_id") != name:
                continue
            kind, content = message["header"]["msg_type"], message["content"]
            if kind == "status":
                idle = content["execution_state"] == "idle"
            elif kind == "input_request":
                self.ask("input_reply", {"value": (answers or [""]).pop(0)}, "stdin")
                published.append(("asked", content["prompt"]))
            elif kind.endswith("_reply"):
                reply = content
            elif kind == "stream":
                if published and published[-1][0] == content["name"]:
                    published[-1] = (content["name"], published[-1][1] + content["text"])
                else:
                    published.append((content["name"], content["text"]))
            elif kind in ("display_data", "execute_result", "update_display_data"):
                published.append((kind, {k: short(v) for k, v in sorted(content["data"].items())}))
            elif kind == "error":
                text = "\n".join(content["traceback"])
                published.append(("error", re.sub(r"\x1b\[[\d;]*m|/tmp/ipykernel_\d+/\d+", "", text)))
            elif kind == "comm_open":
                published.append((kind, content["target_name"]))
            elif kind == "clear_output":
                published.append((kind, content["wait"]))
        return reply, published

    def run(self, code, answers=None):
        name = self.ask("execute_request", {"code": code, "silent": False, "store_history": True, "user_expressions": {}, "allow_stdin": answers is not None, "stop_on_error": True})
        reply, published = self.wait(name, answers)
        print(reply["status"], reply.get("execution_count"))
        for item in published:
            print(*item)
        for page in reply.get("payload", []):
            print(page["source"], page.get("data", {}).get("text/plain", page.get("text", "")))


def short(value):
    if isinstance(value, str) and len(value) > 400:
        return f"{len(value)} {hashlib.sha256(value.encode()).hexdigest()}"
    return value


def dated(model):
    """Leaves out times and ids of an answer."""
    if isinstance(model, list):
        return [dated(item) for item in model]
    if isinstance(model, dict):
        out = ("created", "last_modified", "last_activity", "id", "started", "mimetype" if model.get("type") == "directory" else "")
        return {key: dated(value) for key, value in sorted(model.items()) if key not in out}
    return model


def show(status, model):
    print(status, json.dumps(dated(model), ensure_ascii=False, sort_keys=True))


def cookies():
    jar = http.cookiejar.CookieJar()
    return jar, urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))


def log_in():
    jar, opener = cookies()
    page = opener.open(BASE + "/login?next=%2Ftree").read().decode()
    secret = re.search(r'name="_xsrf" value="([^"]+)"', page)[1]
    return jar, opener, secret


def step_login():
    jar, opener, secret = log_in()
    answer = opener.open(BASE + "/login?next=%2Ftree", urllib.parse.urlencode({"_xsrf": secret, "password": TOKEN}).encode())
    page = answer.read().decode()
    print(answer.status, answer.url.removeprefix(BASE), sorted(re.sub(r"-\d+$", "", cookie.name) for cookie in jar))
    print(re.findall(r"<title>.*?</title>|\"notebookVersion\": *\"[^\"]+\"|static/notebook/\w+", page)[:5])
    answer = opener.open(BASE + "/logout")
    print(answer.status, re.findall(r"Successfully logged out|Proceed to the <a[^>]*>[^<]*", answer.read().decode()))


def step_refused():
    _, opener, secret = log_in()
    try:
        answer = opener.open(BASE + "/login", urllib.parse.urlencode({"_xsrf": secret, "password": "wrong"}).encode())
    except urllib.error.HTTPError as error:
        answer = error
    print(answer.status, re.findall(r'class="message[^>]*>\s*([^<]+?)\s*<', answer.read().decode()))


def step_me():
    status, text = api("GET", "/me?" + urllib.parse.urlencode({"permissions": json.dumps({"contents": ["read", "write"], "kernels": ["execute"]})}))
    print(status, text["permissions"], sorted(text["identity"]))


def step_list():
    for folder in "", "/reports", "/data":
        status, model = api("GET", "/contents" + folder)
        print(status, [(item["name"], item["type"], item["mimetype"], item["format"]) for item in sorted(model["content"], key=lambda item: item["name"])])


def step_checkpoints():
    status, model = api("PUT", "/contents/check.txt", {"type": "file", "format": "text", "content": "first\n"})
    show(status, model)
    status, point = api("POST", "/contents/check.txt/checkpoints")
    print(status, point["id"])
    show(*api("PUT", "/contents/check.txt", {"type": "file", "format": "text", "content": "second\n"}))
    show(*api("POST", f"/contents/check.txt/checkpoints/{point['id']}"))
    print(api("GET", "/contents/check.txt")[1]["content"])
    print([item["id"] for item in api("GET", "/contents/check.txt/checkpoints")[1]])
    show(*api("DELETE", f"/contents/check.txt/checkpoints/{point['id']}"))
    show(*api("GET", "/contents/check.txt/checkpoints"))


def step_files():
    show(*api("POST", "/contents", {"type": "directory"}))
    show(*api("POST", "/contents", {"type": "notebook"}))
    show(*api("POST", "/contents", {"type": "file", "ext": ".md"}))
    show(*api("POST", "/contents/data", {"copy_from": "/notes.md"}))
    show(*api("PATCH", "/contents/Untitled.ipynb", {"path": "data/Fine.ipynb"}))
    show(*api("PATCH", "/contents/data/Fine.ipynb", {"path": "notes.md"}))
    show(*api("PUT", "/contents/raw.bin", {"type": "file", "format": "base64", "content": base64.b64encode(bytes(range(256))).decode()}))
    print(hashlib.sha256(ask("GET", "/files/raw.bin")[2]).hexdigest())
    show(*api("PUT", "/contents/big.txt", {"type": "file", "format": "text", "chunk": 1, "content": "one\n"}))
    show(*api("PUT", "/contents/big.txt", {"type": "file", "format": "text", "chunk": -1, "content": "two\n"}))
    show(*api("GET", "/contents/big.txt?hash=1"))
    show(*api("GET", "/contents/raw.bin?type=file&format=text"))
    for name in "Untitled%20Folder", "untitled.md", "data/notes.md", "data/Fine.ipynb", "raw.bin", "big.txt":
        show(*api("DELETE", "/contents/" + name))
    show(*api("DELETE", "/contents/"))


def step_draft():
    show(*api("PUT", "/contents/drafts", {"type": "directory"}))
    output = {"output_type": "stream", "name": "stdout", "text": "left out"}
    cells = [
        {"cell_type": "markdown", "id": "a", "metadata": {}, "source": "# Draft"},
        {"cell_type": "code", "id": "b", "metadata": {}, "source": "%cd /tmp\n!ls | wc -l\nx = 1", "execution_count": 7, "outputs": [output]},
    ]
    notebook = {"nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec": {"name": "python3", "display_name": "P", "language": "python"}, "language_info": {"name": "python", "file_extension": ".py", "nbconvert_exporter": "python"}}, "cells": cells}
    show(*api("PUT", "/contents/drafts/One.ipynb", {"type": "notebook", "content": notebook}))
    print(api("GET", "/contents/drafts/One.ipynb")[1]["content"]["cells"][1])
    print(ask("GET", "/files/drafts/One.py")[2].decode())
    notebook["cells"][0].pop("source")
    status, model = api("PUT", "/contents/drafts/Two.ipynb", {"type": "notebook", "content": notebook})
    print(status, (model.get("message") or "").splitlines()[:2])


def step_session():
    with Kernel("report", "reports/Sales.ipynb") as kernel:
        reply, _ = kernel.wait(kernel.ask("kernel_info_request", {}))
        print(reply["implementation"], reply["language_info"]["name"], reply["language_info"]["pygments_lexer"], reply["status"])
        status, sessions = api("GET", "/sessions")
        print(status, [(item["path"], item["type"], item["kernel"]["name"], item["kernel"]["connections"]) for item in sessions])
        status, session = api("PATCH", f"/sessions/{kernel.session}", {"name": "other", "path": "other.ipynb", "kernel": {"name": "python3"}})
        print(status, session["path"], session["kernel"]["name"], session["kernel"]["id"] != kernel.id)
    print(api("GET", "/sessions"), api("POST", "/sessions", {"path": "a", "type": "notebook", "kernel": {"name": "nothing"}})[0])


def step_kernel():
    with Kernel() as kernel:
        kernel.run("import sys, platform\nprint('out'); print('err', file=sys.stderr)\n{'b': 1, 'a': [sys.version_info[:2]]}")
        kernel.run("def f(x):\n    return 1 / x\nf(0)")
        kernel.run("import json, bz2, lzma, sqlite3, ctypes, decimal, xml.etree.ElementTree as e\nprint(lzma.decompress(lzma.compress(b'x'*9)), bz2.compress(b'')[:3], sqlite3.connect(':memory:').execute('select upper(hex(1))').fetchone(), decimal.Decimal(2).sqrt(), ctypes.CDLL(None).abs(-4))")


def step_editor():
    with Kernel() as kernel:
        kernel.run("class Lamp:\n    'Gives light.'\n    def switch(self, on: bool = True) -> str: ...\nlamp = Lamp()")
        reply, _ = kernel.wait(kernel.ask("complete_request", {"code": "lamp.sw", "cursor_pos": 7}))
        print(reply["status"], reply["matches"], reply["cursor_start"])
        reply, _ = kernel.wait(kernel.ask("complete_request", {"code": "import collecti", "cursor_pos": 15}))
        print(reply["matches"])
        reply, _ = kernel.wait(kernel.ask("inspect_request", {"code": "lamp.switch", "cursor_pos": 11, "detail_level": 0}))
        print(reply["found"], re.sub(r"\x1b\[[\d;]*m|/tmp/ipykernel_\d+/\d+", "", reply["data"].get("text/plain", "")))
        for code in "for i in range(3):", "x = 1", "x = = 1", "def f():\n    return 1":
            print(kernel.wait(kernel.ask("is_complete_request", {"code": code}))[0])
        reply, _ = kernel.wait(kernel.ask("history_request", {"output": False, "raw": True, "hist_access_type": "tail", "n": 2, "session": 0, "start": 0, "stop": 0}))
        print([entry[2] for entry in reply["history"]])


def step_magic():
    with Kernel() as kernel:
        kernel.run("%%bash\necho $((6 * 7)); echo x | tr x y")
        kernel.run("%%writefile /tmp/piece.py\nprint('piece', __name__)")
        kernel.run("%run /tmp/piece.py")
        kernel.run("%load_ext autoreload\n%autoreload 2\n%precision 3\nimport math\nmath.pi")
        kernel.run("!echo from the shell\nfiles = !ls /opt/notebooks/data\nfiles")
        kernel.run("%%latex\n$x^2$")
        kernel.run("%%html\n<b>bold</b>")
        kernel.run("%who_ls")
        kernel.run("%nothing")
        kernel.run("%%capture kept\nprint('kept')")
        kernel.run("%pdef math.floor\n%config InlineBackend.figure_formats = ['svg']\n%pwd")


def step_display():
    with Kernel() as kernel:
        kernel.run("from IPython.display import *\ndisplay(Latex('$a$'), JSON({'a': 1}), SVG('<svg xmlns=\"http://www.w3.org/2000/svg\"/>'), Math('b'), Code('x = 1', language='ruby'))")
        kernel.run("h = display('first', display_id='one')\nh.update('second')\nclear_output(wait=True)\nFileLink('notes.md')")
        kernel.run("import asyncio\nawait asyncio.sleep(0.01)\n'awaited'")
        kernel.run("import ipywidgets as w\nbox = w.VBox([w.IntSlider(description='n'), w.DatePicker(), w.Text(value='a')])\nprint(box.children[0].value, len(box.children))")


def step_figures():
    with Kernel("report") as kernel:
        kernel.run("import matplotlib, matplotlib.pyplot as plt\nprint(matplotlib.get_backend(), plt.style.available[:3])\nplt.style.use('ggplot')\nplt.figure(figsize=(3, 2)); plt.plot([1, 4, 2], label='y'); plt.legend(); plt.title('Grüße $\\\\alpha$'); plt.show()")
        kernel.run("import io\nfrom matplotlib.figure import Figure\nfor kind in 'pdf', 'svg', 'eps', 'jpg', 'webp', 'tif', 'svgz', 'raw':\n    out = io.BytesIO()\n    fig = Figure(figsize=(1, 1)); fig.subplots().imshow([[0, 1], [2, 3]], cmap='viridis')\n    try:\n        fig.savefig(out, format=kind)\n        print(kind, out.getvalue()[:4])\n    except Exception as error:\n        print(kind, type(error).__name__)")
        kernel.run("from mpl_toolkits.mplot3d import Axes3D\nfrom matplotlib import animation, dates\nfig = plt.figure(figsize=(2, 2)); ax = fig.add_subplot(projection='3d'); ax.scatter([1], [2], [3]); fig.canvas.draw(); plt.close(fig); len(fig.axes)")


def step_frames():
    with Kernel("report") as kernel:
        kernel.run("import pandas as pd, datetime\nprint(pd.Timestamp.now().tz_localize('Europe/Zurich').tz, datetime.datetime(2024, 7, 1).astimezone().tzname())\nframe = pd.read_csv('/opt/notebooks/data/places-latin1.csv', encoding='latin-1')\nframe")
        kernel.run("frame.to_excel('/tmp/t.xlsx', index=False); print(pd.read_excel('/tmp/t.xlsx').Höhe.sum())\nprint(frame.to_json(force_ascii=False)); frame.to_pickle('/tmp/t.pkl.xz'); print(pd.read_pickle('/tmp/t.pkl.xz').shape)\nframe.to_csv('/tmp/t.csv.gz')\nimport sqlite3; base = sqlite3.connect(':memory:'); frame.to_sql('t', base); print(pd.read_sql('select max(Höhe) m from t', base).m[0])")
        kernel.run("frame.style.highlight_max(subset=['Höhe']).set_uuid('x')")
        kernel.run("print(frame.to_latex(index=False)); frame.Höhe.rolling(2).mean()")
        kernel.run("pd.DataFrame({'d': pd.date_range('2024-01-31', periods=3, freq='ME')}).set_index('d').assign(v=1).resample('QE').sum()")


def step_input():
    with Kernel() as kernel:
        kernel.run("name = input('Name? ')\nimport getpass\nsecret = getpass.getpass('Secret: ')\nprint(name[::-1], len(secret))", ["Ann", "12345"])
        kernel.run("half = lambda x: x / 0\nhalf(3)")
        kernel.run("%debug", ["p x + 1", "up", "q"])


def step_restart():
    with Kernel() as kernel:
        kernel.run("kept = 1")
        name = kernel.ask("execute_request", {"code": "import time\nprint('sleeps', flush=True)\ntime.sleep(60)", "silent": False, "store_history": True, "user_expressions": {}, "allow_stdin": False, "stop_on_error": True})
        while kernel.socket.receive()["header"].get("msg_type") != "stream":
            pass
        print(api("POST", f"/kernels/{kernel.id}/interrupt"))
        reply, published = kernel.wait(name)
        print(reply["status"], reply.get("ename"))
        status, model = api("POST", f"/kernels/{kernel.id}/restart")
        print(status, model["name"])
        kernel.socket.socket.close()
        kernel.socket = Socket(f"/api/kernels/{kernel.id}/channels?session_id={kernel.session}")
        kernel.run("kept")
        print(api("GET", "/kernels")[1][0]["name"])


def step_bash():
    with Kernel("bash") as kernel:
        kernel.run("for i in a b; do echo $i; done; x=5")
        kernel.run("echo $((x * 2)); printf '%s\\n' {1..3} | sort -r")
        kernel.run("echo \"${x:?}\"; false")
        reply, _ = kernel.wait(kernel.ask("complete_request", {"code": "decla", "cursor_pos": 5}))
        print(reply["matches"])


def step_terminal():
    status, model = api("POST", "/terminals", {"name": "one"})
    print(status, model["name"])
    terminal = Socket("/terminals/websocket/one")
    print(terminal.status)
    terminal.send(["set_size", 24, 80, 600, 800])
    terminal.send(["stdin", "echo $((6*7))-$0-$TERM; id -un; tty | cut -c1-8; exit\r"])
    text = ""
    try:
        while True:
            kind, *rest = terminal.receive()
            if kind == "stdout":
                text += rest[0]
            elif kind == "disconnect":
                break
    except (EOFError, ValueError):
        pass
    text = re.sub(r"\x1b\[\?2004[hl]\r?", "", text)
    print(re.findall(r"^(42-\S*|team|/dev/pts)\r$", text, re.M))
    print(api("GET", "/terminals"), api("DELETE", "/terminals/none")[0])


def step_zip():
    status, headers, text = ask("GET", "/nbconvert/markdown/Welcome.ipynb")
    print(status, headers["Content-Type"], headers["Content-Disposition"])
    with zipfile.ZipFile(io.BytesIO(text)) as file:
        for name in sorted(file.namelist()):
            print(name, hashlib.sha256(file.read(name)).hexdigest())
        print(file.read("Welcome.md").decode())


def step_html():
    status, headers, text = ask("GET", "/nbconvert/html/Welcome.ipynb?download=true")
    page = text.decode()
    print(status, headers["Content-Type"], headers["Content-Disposition"], len(page), hashlib.sha256(text).hexdigest())
    print(page[page.index("<main"):])


def step_convert():
    """Converts to a format with a picture or without."""
    kind, name = sys.argv[2:4]
    status, headers, text = ask("GET", f"/nbconvert/{kind}/{name}")
    print(status, headers["Content-Type"])
    if headers["Content-Type"] == "application/zip":
        with zipfile.ZipFile(io.BytesIO(text)) as file:
            print(sorted(file.namelist()))
            text = file.read(next(name for name in sorted(file.namelist()) if name.startswith("Welcome.")))
    print(text.decode())


def step_lab():
    status, _, text = ask("GET", "/lab/tree/reports/Sales.ipynb")
    page = text.decode()
    config = json.loads(re.search(r'id="jupyter-config-data"[^>]*>\s*(\{.*?\})\s*</script>', page, re.S)[1])
    keys = "appName", "appVersion", "frontendUrl", "terminalsAvailable", "disabledExtensions", "federated_extensions", "treePath", "serverRoot", "exposeAppInBrowser"
    config["federated_extensions"].sort(key=lambda item: item["name"])
    print(status, {key: config.get(key) for key in keys})
    bundle = re.search(r'src="(/static/lab/main[^"]+)"', page)[1]
    status, headers, text = ask("GET", bundle)
    print(status, bundle, headers["Content-Type"], len(text) > 1000)
    names = sorted(set(re.findall(rb'"([0-9a-f]{20})"', text)))
    print(len(names) > 100)


def step_settings():
    status, model = api_lab("GET", "/api/settings")
    print(status, sorted(item["id"] for item in model["settings"])[:12], len(model["settings"]))
    print(api_lab("PUT", "/api/settings/@jupyterlab/apputils-extension:themes", {"raw": '{\n// dark\n"theme": "JupyterLab Dark"\n}'})[0])
    status, model = api_lab("GET", "/api/settings/@jupyterlab/apputils-extension:themes")
    print(status, model["settings"], model["raw"])
    print(api_lab("PUT", "/api/settings/@jupyterlab/apputils-extension:themes", {"raw": '{"theme": 5}'}))
    print(api_lab("GET", "/api/settings/@nothing/at:all")[0])


def step_workspace():
    print(api_lab("PUT", "/api/workspaces/team", {"data": {"layout": 1}, "metadata": {"id": "team"}}))
    status, model = api_lab("GET", "/api/workspaces/team")
    print(status, dated(model["data"]))
    print(api_lab("DELETE", "/api/workspaces/team"))


def step_languages():
    status, model = api_lab("GET", "/api/translations")
    print(status, sorted(model["data"].items()), model["message"])
    for name in "de_DE", "ja_JP", "xx":
        status, model = api_lab("GET", "/api/translations/" + name)
        data = model["data"] or {}
        print(status, sorted(data), (data.get("jupyterlab") or {}).get("Open from Path…"), (data.get("jupyterlab") or {}).get("Restart Kernel"), re.sub(r"\s+", " ", model["message"] or "")[:60])


def step_licenses():
    for kind in "json", "csv", "markdown":
        status, _, text = ask("GET", "/lab/api/licenses/" if kind == "json" else f"/lab/api/licenses/?format={kind}")
        lines = sorted(text.decode().splitlines()) if kind != "json" else json.dumps(json.loads(text), sort_keys=True, indent=1).splitlines()
        print(kind, status, len(text), len(lines), hashlib.sha256("\n".join(lines).encode()).hexdigest())


def step_theme():
    status, headers, text = ask("GET", "/lab/api/themes/@jupyterlab/theme-dark-extension/index.css")
    print(status, headers["Content-Type"], len(text), hashlib.sha256(text).hexdigest())


def step_metrics():
    status, headers, text = ask("GET", "/metrics")
    print(status, headers["Content-Type"], sorted(set(re.findall(r"^# TYPE (\w+) (\w+)", text.decode(), re.M)))[:40])


def api_lab(method, path, body=None):
    status, _, text = ask(method, "/lab" + path, body)
    return status, json.loads(text) if text else None


def step_tables():
    for kind in "xlsx", "xml", "latex", "csv":
        status, headers, text = ask("GET", f"/team/table.{kind}?path=data/places-latin1.csv&charset=latin-1")
        print(status, headers["Content-Type"])
        if kind == "xlsx":
            with zipfile.ZipFile(io.BytesIO(text)) as file:
                print(sorted(file.namelist()), hashlib.sha256(file.read("xl/worksheets/sheet1.xml")).hexdigest())
        else:
            print(text.decode())


def step_kernels():
    status, model = api("GET", "/kernelspecs")
    print(status, json.dumps(model, sort_keys=True, indent=1))
    for spec in sorted(model["kernelspecs"]):
        for name, path in sorted(model["kernelspecs"][spec]["resources"].items()):
            status, headers, text = ask("GET", path)
            print(path, status, headers["Content-Type"], hashlib.sha256(text).hexdigest())


globals()["step_" + sys.argv[1]]()
