"""Uses the forms of hledger-web as a browser does: web.py TASK [...]."""
import http.cookiejar
import json
import os
import re
import sys
import urllib.error
import urllib.parse
import urllib.request
import uuid

base = f"http://{os.environ['HOST']}:{os.environ['PORT']}"


class Follow(urllib.request.HTTPRedirectHandler):
    """Follows redirections on this server, whatever base address they name."""

    def redirect_request(self, req, fp, code, msg, headers, newurl):
        return super().redirect_request(req, fp, code, msg, headers, base + urllib.parse.urlsplit(newurl).path)


cookies = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
opener = urllib.request.build_opener(cookies, Follow())


def ask(path, data=None, method=None, headers=None):
    """Returns status, address and text of an answer."""
    request = urllib.request.Request(base + path, data=data, method=method, headers=headers or {})
    try:
        answer = opener.open(request, timeout=30)
    except urllib.error.HTTPError as error:
        answer = error
    return answer.status, urllib.parse.urlsplit(answer.geturl()).path, answer.read().decode()


def hidden(page):
    """Returns the hidden fields of the first form that has a token."""
    fields = {}
    for tag in re.findall(r"<input[^>]*type=.?hidden[^>]*>", page):
        name = re.search(r'name="?([^" >]+)', tag)
        value = re.search(r'value="([^"]*)"|value=([^" >]+)', tag)
        if name:
            fields.setdefault(name[1], (value[1] or value[2] or "") if value else "")
    return fields


def message(page):
    """Returns what the page says about the last action."""
    found = re.search(r'id="message"[^>]*>(.*?)</div>', page, re.S)
    return re.sub(r"\s+", " ", found[1]).strip() if found else "no message"


def journal():
    """Returns the path of the main journal, as the server names it, quoted."""
    page = ask("/manage")[2]
    names = re.findall(r"/edit/([^\"' >]+main\.journal)", page)
    return names[0]


def form(path, fields, files=()):
    """Sends a form as multipart, with the hidden fields of its page."""
    page = ask(path)[2]
    mark = uuid.uuid4().hex
    parts = []
    for name, value in [*hidden(page).items(), *fields]:
        parts.append(f'--{mark}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode())
    for name, file, content in files:
        head = f'--{mark}\r\nContent-Disposition: form-data; name="{name}"; filename="{file}"\r\n'
        parts.append(head.encode() + b"Content-Type: text/plain\r\n\r\n" + content + b"\r\n")
    body = b"".join(parts) + f"--{mark}--\r\n".encode()
    return ask(path, body, "POST", {"Content-Type": f"multipart/form-data; boundary={mark}"})


def add(description, postings, date="2024-12-30"):
    fields = [("date", date), ("description", description)]
    for account, amount in postings:
        fields += [("account", account), ("amount", amount)]
    status, path, page = form("/add", fields)
    print(status, path, message(page))
    count = len(json.loads(ask("/transactions", headers={"Accept": "application/json"})[2]))
    print(count, "transactions")


task = sys.argv[1]
if task == "add":
    add("Café Größenwahn | by form", [("assets:bank:giro", "107,00 EUR"), ("liabilities:vat:7", "-7,00 EUR"), ("income:sales:gifts", "")])
    print(re.findall(r"by form", ask("/journal?q=desc:form")[2])[:1])
elif task == "refused":
    add("Not balanced", [("assets:cash", "1,00 EUR"), ("income:sales:tea", "-2,00 EUR")])
elif task == "nodate":
    add("No date", [("assets:cash", "1,00 EUR"), ("income:sales:tea", "")], date="2024-13-45")
elif task == "put":
    known = json.loads(ask("/transactions")[2])
    one = next(t for t in known if "Größenwahn" in t["tdescription"])
    one |= {"tdescription": "新しい | by JSON", "tdate": "2024-12-29", "tcode": "json"}
    body = json.dumps(one).encode()
    status, _, text = ask("/add", body, "PUT", {"Content-Type": "application/json"})
    print(status, text)
    found = [t for t in json.loads(ask("/transactions")[2]) if t["tcode"] == "json"]
    print(found[0]["tdescription"], [p["paccount"] for p in found[0]["tpostings"]])
elif task == "edit":
    path = "/edit/" + journal()
    page = ask(path)[2]
    print(len(re.findall("<textarea", page)))
    text = "; Edited in the browser.\n" + "".join(
        f"include {name}\n" for name in ("accounts.journal", "prices.journal", "2023.journal", "2024/*.journal", "hours.timeclock", "projects.timedot", "auto/*.journal")
    ) + "\n2024-12-31 * Edited\n    assets:cash   2,00 EUR\n    income:interest\n"
    status, where, page = form(path, [("text", text), ("f1", text)])
    print(status, where, message(page))
elif task == "edit-wrong":
    path = "/edit/" + journal()
    status, where, page = form(path, [("text", "2024-01-01 wrong\n  a  1\n"), ("f1", "2024-01-01 wrong\n  a  1\n")])
    print(status, urllib.parse.unquote(where), message(page))
elif task == "upload":
    path = "/upload/" + journal()
    content = sys.stdin.buffer.read()
    status, where, page = form(path, [], [("file", "main.journal", content)])
    print(status, urllib.parse.unquote(where), message(page))
    print(json.loads(ask("/commodities")[2]))
elif task == "download":
    status, _, text = ask("/download/" + journal())
    print(status)
    print(text)
else:
    sys.exit("no such task")
