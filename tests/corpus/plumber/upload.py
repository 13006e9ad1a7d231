"""Sends files in a form, and a workbook and pages as they are."""
import json
import os
import sys
import urllib.request

base = f"http://{os.environ['HOST']}:{os.environ['PORT']}"


def ask(path, data=None, headers={}):
    request = urllib.request.Request(base + path, data, headers)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


token = {"Authorization": "Bearer leaf-1234"}


def form(files):
    parts = []
    for name, file, kind, content in files:
        head = f'--EDGE\r\nContent-Disposition: form-data; name="{name}"; filename="{file}"\r\nContent-Type: {kind}\r\n\r\n'
        parts.append(head.encode() + content + b"\r\n")
    return b"".join(parts) + b"--EDGE--\r\n"


what = sys.argv[1]
if what == "form":
    _, rds = ask("/days/zrh.rds")
    body = form([
        ("table", "a.csv", "text/csv", "day,wert\n2024-01-01,1.5\n2024-01-02,2.5\n".encode()),
        ("tabs", "b.tsv", "text/tab-separated-values", b"x\ty\n1\tTRUE\n"),
        ("kept", "c.rds", "application/rds", rds),
        ("tree", "d.json", "application/json", b'[{"a": 1}, {"a": 2}]'),
        ("raw", "e.bin", "application/octet-stream", bytes(range(256))),
    ])
    print(*ask("/notes/files", body, token | {"Content-Type": "multipart/form-data; boundary=EDGE"}))
elif what == "book":
    _, book = ask("/days/rec.xlsx")
    print(book[:2], *ask("/notes/book", book, token | {"Content-Type": "application/octet-stream"}))
elif what == "page":
    page = "<p>Käse <a href=/x?a=1&b>hier</a> & <b>dort<a href='y'>!</a>".encode("latin-1")
    print(*ask("/notes/page", page, token | {"Content-Type": "text/plain"}))
elif what == "openapi":
    status, text = ask("/openapi.json")
    api = json.loads(text)
    print(status, json.dumps(api["info"], sort_keys=True), api["openapi"])
    for path, methods in sorted(api["paths"].items()):
        for method, about in methods.items():
            print(method, path, about.get("summary"), [p["name"] for p in about.get("parameters") or []])
elif what == "job":
    head = token | {"Content-Type": "application/json"}
    print(*ask("/jobs/", json.dumps({"station": "osa", "runs": 30}).encode(), head))
    print(*ask("/jobs/1"))
    print(*ask("/jobs/", json.dumps({"station": "none", "runs": "x"}).encode(), head))
    print(*ask("/jobs/2"))
