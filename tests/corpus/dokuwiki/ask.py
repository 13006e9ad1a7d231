"""Steps of people who use the wiki: python3 ask.py STEP, on the host."""
import gzip
import hashlib
import html
import http.cookiejar
import io
import os
import re
import sys
import tarfile
import time
import urllib.error
import urllib.parse
import urllib.request
import xmlrpc.client
import zipfile

BASE = f"http://{os.environ['HOST']}:{os.environ['PORT']}"
OPENER = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))
WORDS = {"admin": "Darjeeling-1", "emma": "Earl-Grey-2", "rosa": "Rooibos-3", "sam": "Sencha-4", "mia": "Mate-5"}
MASKS = [(r"\d{4}/\d\d/\d\d \d\d:\d\d|\d\d\.\d\d\.\d{4} \d\d:\d\d", "WHEN"), (r"\b1[789]\d{8}\b", "REV"), (r"\b\d+\.\d+\.\d+\.\d+(:\d+)?\b", "IP"),
         (r"\b[0-9a-f]{32}\b", "HASH"), (r"\d+ (seconds?|minutes?) ago", "AGO"), (r"\d{4}-\d\d-\d\dT[\d:]+(Z|[+-][\d:]+)", "WHEN"),
         (r"\w{3}, \d+ \w{3} \d{4} [\d:]+ \+0000", "WHEN")]


def masked(text):
    for pattern, to in MASKS:
        text = re.sub(pattern, to, text)
    return text


def get(path, form=None, data=None, **headers):
    """Status, address, type and body of an answer."""
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    if form is not None:
        data = urllib.parse.urlencode(form).encode()
    try:
        answer = OPENER.open(urllib.request.Request(BASE + path, data, headers), timeout=60)
    except urllib.error.HTTPError as error:
        answer = error
    body = answer.read()
    return answer.status, answer.url.removeprefix(BASE), answer.headers.get("Content-Type", "-"), body


def text(body):
    """The words of a page, without scripts and tags."""
    main = re.search(rb"(?s)<!-- wikipage start -->(.*?)<!-- wikipage stop -->", body)
    body = main[1] if main else body
    page = re.sub(r"(?s)<(script|style|head)\b.*?</\1>", "", body.decode(errors="replace"))
    page = html.unescape(re.sub(r"<[^>]+>", " ", page))
    return "\n".join(line for line in (" ".join(line.split()) for line in page.splitlines()) if line)


def show(answer, start=None, end=None):
    status, url, kind, body = answer
    print(status, masked(url), kind)
    page = text(body)
    if start and start in page:
        page = page[page.index(start):]
    if end and end in page:
        page = page[:page.index(end)]
    print(masked(ascii(page).replace("\\n", "\n")))


def found(answer, pattern):
    status, url, kind, body = answer
    matches = re.findall(pattern, body.decode(errors="replace"))
    print(status, masked(url), kind, masked(ascii(sorted(set(matches)))))


def fields(body, form):
    """Hidden fields of the form with this id."""
    page = body.decode(errors="replace")
    part = re.search(rf'(?s)<form[^>]*\b(?:id|action|name|class)="[^"]*{form}[^"]*".*?</form>', page)
    values = {}
    for tag in re.findall(r"<input[^>]*>", part[0] if part else page):
        given = dict(re.findall(r'(\w+)="([^"]*)"', tag))
        if given.get("type") == "hidden":
            values[html.unescape(given.get("name", ""))] = html.unescape(given.get("value", ""))
    area = re.search(r'(?s)<textarea[^>]*name="wikitext"[^>]*>(.*?)</textarea>', page)
    if area:
        values["wikitext"] = html.unescape(area[1]).lstrip("\n")
    return values


def login(user, word=None):
    return get("/start", {"do": "login", "u": user, "p": word or WORDS[user], "id": "start"})


def token():
    return re.search(r'name="sectok" value="([^"]+)"', get("/start?do=edit")[3].decode())[1]


def edit(page, new, summary="changed", **more):
    form = fields(get(f"/{page}?do=edit")[3], "dw__editform")
    form.update({"wikitext": new, "summary": summary, "id": page, **more})
    form.setdefault("do[save]", "Save")
    return get(f"/{page}", form)


def upload(path, form, name, content):
    boundary = "frontier"
    parts = [f'--{boundary}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'.encode() for key, value in form.items()]
    parts.append(f'--{boundary}\r\nContent-Disposition: form-data; name="upload"; filename="{name}"\r\nContent-Type: application/octet-stream\r\n\r\n'.encode()
                 + content + b"\r\n")
    return get(path, data=b"".join(parts) + f"--{boundary}--\r\n".encode(), Content_Type=f"multipart/form-data; boundary={boundary}")


def rpc(user=None):
    auth = f"{user}:{WORDS[user]}@" if user else ""
    return xmlrpc.client.ServerProxy(f"http://{auth}{os.environ['HOST']}:{os.environ['PORT']}/lib/exe/xmlrpc.php")


def picture(answer):
    status, _, kind, body = answer
    print(status, kind, len(body), hashlib.sha256(body).hexdigest()[:16])


# Steps.

def logins():
    for user in WORDS:
        found(login(user), r"Logged in as: .*?</bdi>|Sorry, username")
        get("/start?do=logout&sectok=" + token())
    found(login("rosa", "wrong"), r"Logged in as: .*?</bdi>|Sorry, username or password was wrong")


def profile():
    login("rosa")
    show(get("/start?do=profile"), "Update your account", "Trace")
    form = {"do": "profile", "save": "1", "sectok": token(), "fullname": "Rosa R.", "email": "rosa@example.org", "newpass": "", "passchk": "", "oldpass": "no"}
    found(get("/start?do=profile", form), r"class=\"error\">.*?</div>")
    form["oldpass"] = WORDS["rosa"]
    found(get("/start?do=profile", form), r"Rosa R\.|class=\"success\">.*?</div>")


def registered():
    form = {"do": "register", "save": "1", "login": "new", "fullname": "New One", "email": "new@example.org", "pass": "Puerh-66", "passchk": "Puerh-66"}
    found(get("/start?do=register", {**form, "passchk": "no"}), r"class=\"error\">.*?</div>")
    found(get("/start?do=register", {**form, "email": "none"}), r"class=\"error\">.*?</div>")
    found(get("/start?do=register", form), r"class=\"(?:error|success)\">.*?</div>")
    found(login("new", "Puerh-66"), r"Logged in as: .*?</bdi>|Sorry, username")


def editing():
    login("emma")
    text_one = "====== Edited ======\n\nThe first line.\n\nThe second line with tea.\n"
    show(edit("open:edited", text_one), "Edited", "open/edited")
    time.sleep(1.1)
    show(edit("open:edited", text_one.replace("second", "other") + "\nA third line.\n", "better"), "Edited", "open/edited")
    answer = get("/open:edited?do=revisions")
    found(answer, r'class="sum">.*?</span>')
    revisions = re.findall(r'name="rev2\[\]" value="(\d+)"', answer[3].decode()) or re.findall(r"rev=(\d+)", answer[3].decode())
    old = min(int(one) for one in revisions if int(one) > 0)
    for kind in ("inline", "sidebyside"):
        show(get(f"/open:edited?do=diff&rev={old}&difftype={kind}"), "Differences", "Trace")
    show(get(f"/open:edited?rev={old}"), "This is an old revision", "Last modified")
    form = {"do": "revert", "rev": old, "sectok": token(), "id": "open:edited"}
    found(get("/open:edited", form), r"The \w+ line.*")


def preview():
    login("rosa")
    form = fields(get("/tea:kinds?do=edit")[3], "dw__editform")
    form.update({"wikitext": "**Bold** and <code haskell>main = print 1</code>", "do[preview]": "Preview"})
    show(get("/tea:kinds", form), "This is a preview", "Edit summary")
    show(get("/tea:kinds?do=draft"), "Draft file found", "Trace")
    show(get("/tea:kinds?do=edit"), "This page", "Trace")


def locked():
    login("emma")
    get("/open:guestbook?do=edit")
    get("/start?do=logout&sectok=" + token())
    login("sam")
    show(get("/open:guestbook?do=edit"), "Page locked", "Trace")


def conflict():
    login("emma")
    edit("open:conflict", "A text.\n")
    time.sleep(1.1)
    form = fields(get("/open:conflict?do=edit")[3], "dw__editform")
    time.sleep(1.1)
    edit("open:conflict", "One text.\n")
    form.update({"wikitext": "Another text.\n", "do[save]": "Save"})
    show(get("/open:conflict", form), "A newer version", "Trace")


def blocked():
    login("sam")
    found(edit("open:spam", "See http://cheap-pills.example/now\n"), r"class=\"error\">.*?</div>")
    found(get("/open:spam", {"do": "save", "id": "open:spam", "wikitext": "x", "sectok": "wrong"}), r"class=\"error\">.*?</div>|Security Token[^<]*")


def private():
    show(get("/private:recipes"), "Permission Denied", "Trace")
    login("emma")
    found(get("/private:recipes"), r"Recipes of the house")


def index():
    for page in ("start", "tea:kinds", "tea:making", "code:one"):
        answer = get(f"/lib/exe/taskrunner.php?id={page}&debug=1")
        print(answer[0], answer[2], masked("\n".join(line for line in text(answer[3]).splitlines() if not re.search(r"\d+s$|took", line))))


def search():
    for words in ("minutes", "tea @tea", '"a block"', "leav*", "kinds -private", "nothingatall"):
        show(get("/start?do=search&q=" + urllib.parse.quote(words)), "Search", "Trace")


def suggest():
    for call, form in (("qsearch", {"q": "tea"}), ("suggestions", {"q": "kin"}), ("index", {"idx": "tea"}), ("medialist", {"ns": "tea", "do": "media"}), ("medians", {"ns": ""}),
                       ("linkwiz", {"q": "tea:"}), ("nothing", {})):
        answer = get("/lib/exe/ajax.php", {"call": call, **form})
        print(call, answer[0], answer[2], masked(ascii(text(answer[3]))))


def media():
    time.sleep(1.1)
    login("emma")
    show(get("/start?do=media&ns=tea"), "Media Manager", "Trace")
    show(get("/start?do=media&ns=tea&image=tea:field.jpg&tab_details=edit"), "Edit tea:field.jpg", "Trace")
    page = get("/lib/exe/mediamanager.php?ns=tea")
    show(page, "Media File Selection")
    form = {"sectok": token(), "ns": "open", "mediaid": "note.csv"}
    found(upload("/lib/exe/mediamanager.php?ns=open", form, "note.csv", b"A note.\n"), r'class="(?:error|success|info)">.*?</div>')
    form["mediaid"] = "bad.png"
    found(upload("/lib/exe/mediamanager.php?ns=open", form, "bad.png", b"<html>no picture</html>"), r'class="(?:error|success|info)">.*?</div>')
    form["mediaid"] = "run.php"
    found(upload("/lib/exe/mediamanager.php?ns=open", form, "run.php", b"<?php"), r'class="(?:error|success|info)">.*?</div>')
    print(*get("/_media/open:note.csv")[::2], get("/_media/open:note.csv")[3])


def described():
    login("admin")
    form = {"do": "media", "mediado": "save", "image": "tea:field.jpg", "img": "tea:field.jpg", "ns": "tea", "sectok": token(), "mediado[save]": "1",
            "meta[Simple.Title]": "Teefeld, früh", "meta[Iptc.Headline]": "Teefeld, früh", "meta[Iptc.Caption]": "By hand", "save": "1"}
    found(get("/start?do=media&image=tea:field.jpg&ns=tea", form), r'class="(?:error|success|info)">.*?</div>')
    show(get("/_detail/tea:field.jpg"), None, "Last modified")


def pictures():
    time.sleep(1.1)
    for file, words in (("tea:leaf.png", "w=40"), ("tea:leaf.png", "w=30&h=30"), ("tea:field.jpg", "w=50"), ("tea:mark.svg", "")):
        mark = re.search(rf"tok=([0-9a-f]+)", get("/start")[3].decode())
        query = dict(urllib.parse.parse_qsl(words))
        size = f"{query.get('w', '')}x{query.get('h', '')}"
        login("emma")
        shown = edit("open:pictures", "{{%s?%s}}\n" % (file, size if query.get("h") else query.get("w", "")), summary=words)
        link = re.search(r'<img src="([^"]+fetch|/_media/[^"]*)"', shown[3].decode()) or re.search(r'src="([^"]*_media/[^"]*)"', shown[3].decode())
        path = html.unescape(link[1])
        print(re.sub(r"tok=\w+", "tok=TOK", path))
        picture(get(path))
    picture(get("/_media/tea:leaf.png?w=41&tok=wrong"))


def chart():
    for kind in ("png", "gif", "webp", "jpeg", "bmp"):
        picture(get(f"/lib/exe/ajax.php?call=plugin_tea_chart&file=tea:list.csv&kind={kind}"))


def packed():
    body = get("/tea:making?do=teapack_zip")[3]
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        print([(entry.filename, entry.file_size) for entry in archive.infolist()])
    body = get("/tea:kinds?do=teapack_tar")[3]
    with tarfile.open(fileobj=io.BytesIO(body)) as archive:
        print([(entry.name, entry.size) for entry in archive])
    print(get("/private:recipes?do=teapack_zip")[0])


def admin():
    login("admin")
    show(get("/start?do=admin"), "Administration", "Trace")
    show(get("/start?do=admin&page=usermanager"), "User Manager", "Trace")
    show(get("/start?do=admin&page=acl"), "Access Control List Management", "Trace")
    form = {"do": "admin", "page": "usermanager", "sectok": token(), "userid": "zed", "userpass": "Zen-7777", "userpass2": "Zen-7777", "username": "Zed", "usermail": "zed@example.org", "usergroups": "user", "fn[add]": "Add"}
    found(get("/start?do=admin&page=usermanager", form), r'class="(?:error|success|info)">.*?</div>|zed@example\.org')


def settings():
    house()
    login("admin")
    found(get("/start?do=admin&page=config"), r'<legend[^>]*>.*?</legend>|class="(?:error|info)">.*?</div>')
    found(get("/start?do=admin&page=styling"), r'name="tpl\[[^"]+"|<h1[^>]*>.*?</h1>')
    found(get("/start?do=admin&page=popularity"), r"<h1[^>]*>.*?</h1>")
    found(get("/start?do=admin&page=revert"), r"<h1[^>]*>.*?</h1>")
    found(get("/start?do=admin&page=logviewer"), r"<h1[^>]*>.*?</h1>")


def house():
    login("emma")
    show(get("/start?do=admin&page=tea"), "Tea house", "Trace")
    show(get("/start?do=admin", {"do": "admin", "page": "tea", "clear": "1", "sectok": token()}), "Tea house", "Trace")


def calls():
    server = rpc()
    print(server.dokuwiki.getVersion(), server.dokuwiki.getXMLRPCAPIVersion(), server.dokuwiki.getTitle())
    print(ascii(server.plugin.tea.teas("tea:list.csv", "sv")))
    print(server.plugin.tea.price("tea:list.csv", "Sencha"))
    for call in (lambda: server.wiki.putPage("tea:x", "y", {}), lambda: server.dokuwiki.login("rosa", "no"), lambda: server.wiki.getPage("private:recipes")):
        try:
            print(call())
        except xmlrpc.client.Fault as fault:
            print(fault.faultCode, fault.faultString)
        except xmlrpc.client.ProtocolError as error:
            print(error.errcode, error.errmsg)


def written():
    time.sleep(1.1)
    server = rpc("emma")
    print(server.wiki.putPage("open:remote", "====== Remote ======\n\nSee [[tea:kinds]] and [[http://example.org]].\n", {"sum": "by a call"}))
    print(server.wiki.getPageHTML("open:remote"))
    print(ascii(server.wiki.listLinks("open:remote")))
    time.sleep(1.1)
    print(server.wiki.aclCheck("private:recipes"), server.wiki.putAttachment("open:call.csv", xmlrpc.client.Binary(b"data"), {"ow": True}))
    print([(entry["id"], entry["size"]) for entry in server.wiki.getAttachments("tea", {})])
    print(sorted(page["id"] for page in server.wiki.getAllPages() if not page["id"].startswith("open:")))
    print([page["id"] for page in server.dokuwiki.search("block")], server.wiki.getBackLinks("tea:kinds"))
    time.sleep(1.1)
    print(server.dokuwiki.appendPage("open:remote", "More.", {}), server.dokuwiki.setLocks({"lock": ["open:remote"], "unlock": []}))


def feeds():
    for words in ("mode=list&ns=tea", "mode=recent&type=atom1&ns=tea", "mode=list&ns=tea&type=rss1&linkto=page", "mode=search&q=block&type=rss", "mode=list&ns=code&content=html", "mode=nothing"):
        status, _, kind, body = get("/feed.php?" + words)
        page = re.sub(r"(?s)<lastBuildDate>.*?</lastBuildDate>", "", body.decode())
        print(status, kind, masked(ascii(page.replace(BASE, "BASE"))[:1500].replace("\\n", "\n")))


def sitemap():
    get("/lib/exe/taskrunner.php?id=start")
    status, _, kind, body = get("/sitemap.xml")
    body = gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body
    print(status, kind, sorted(re.findall(r"<loc>http://[^/]+([^<]+)", body.decode())))


def recent():
    show(get("/start?do=recent"), "Recent Changes", "Trace")
    show(get("/start?do=recent&show_changes=mediafiles"), "Recent Changes", "Trace")
    show(get("/tea:kinds?do=backlink"), "Backlinks", "Trace")
    show(get("/tea:kinds?do=index&idx=tea"), "Sitemap", "Trace")


def host(name, path):
    status, url, kind, body = get(path, Host=f"{name}.wiki.example")
    print(re.findall(r"<html[^>]*>", body.decode())[:1])
    show((status, url, kind, body))


def css():
    for words in ("t=dokuwiki", "t=plain&s=print", "t=plain", "t=dokuwiki&preview=1"):
        status, _, kind, body = get("/lib/exe/css.php?" + words)
        print(status, kind, len(body), hashlib.sha256(re.sub(rb"tseed=\w+", b"", body)).hexdigest()[:16])
    for path in ("/lib/exe/js.php?t=dokuwiki", "/lib/exe/jquery.php?tseed=1"):
        status, _, kind, body = get(path)
        print(status, kind, len(body), hashlib.sha256(body).hexdigest()[:16])


step, *words = sys.argv[1:]
globals()[step](*words)
