"""Steps of somebody at the desk: python3 client.py STEP, on the host."""
import hashlib
import http.cookiejar
import io
import json
import os
import re
import struct
import sys
import urllib.error
import urllib.parse
import urllib.request
import uuid
import zipfile
import zlib

BASE = f"http://{os.environ['HOST']}:{os.environ['PORT']}"
jar = http.cookiejar.CookieJar()
opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))


def ask(path, form=None, data=None, method=None, **headers):
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    if form is not None:
        data = urllib.parse.urlencode(form).encode()
    try:
        answer = opener.open(urllib.request.Request(BASE + path, data, headers, method=method))
    except urllib.error.HTTPError as error:
        answer = error
    return answer.status, answer.url.removeprefix(BASE), answer.headers, answer.read()


def show(answer):
    status, url, _, text = answer
    page = text.decode()
    print(status, url, (re.search(r"<main>(.*)</main>", page, re.S) or [0, page])[1].strip().replace(BASE, ""))


def log_in(name, password, **headers):
    return ask("/account/login", {"username": name, "password": password, "send": "Log in"}, **headers)


def png(width, height):
    rows = b"".join(b"\0" + b"".join(bytes((x * 255 // width, y * 255 // height, 90)) for x in range(width)) for y in range(height))

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def upload(path, name, kind, data):
    border = uuid.uuid4().hex
    body = f'--{border}\r\nContent-Disposition: form-data; name="photo"; filename="{name}"\r\nContent-Type: {kind}\r\n\r\n'.encode() + data + f"\r\n--{border}--\r\n".encode()
    return ask(path, data=body, Content_Type=f"multipart/form-data; boundary={border}")


def step_login():
    show(ask("/account"))
    show(log_in("ANN ", "s3cret-ann"))
    print([cookie.name for cookie in jar])
    show(ask("/account/basket", {"part": "chain"}))
    show(ask("/account/basket", {"part": "chain"}))
    show(ask("/account"))
    status, url, _, _ = ask("/account/logout")
    print(status, url)
    show(ask("/account/basket"))


def step_wrong():
    show(log_in("ann", "wrong", Accept_Language="de"))
    show(log_in("", "", Accept_Language="es"))


def step_close():
    show(ask("/tickets/2/close"))
    log_in("bo", "s3cret-bo")
    show(ask("/tickets/2/close", Accept_Language="de"))
    jar.clear()
    log_in("ann", "s3cret-ann")
    show(ask("/tickets/2/close", Accept_Language="de"))


def step_photo():
    show(upload("/tickets/1/photo", "wheel.png", "image/png", png(80, 50)))
    for kind in "jpeg", "png", "gif", "bmp", "tiff", "tga", "raw":
        status, _, headers, data = ask(f"/tickets/1/photo?as={kind}&width=32")
        print(kind, status, headers["Content-Type"], data[:4], len(data), hashlib.sha256(data).hexdigest()[:16])


def step_formats():
    """A photo in other formats: it is read by other modules."""
    bmp = b"BM" + struct.pack("<IHHI", 58, 0, 0, 54) + struct.pack("<IiiHHIIiiII", 40, 1, 1, 1, 24, 0, 4, 0, 0, 0, 0) + b"\1\2\3\0"
    show(upload("/tickets/3/photo", "a.bmp", "image/bmp", bmp))
    show(upload("/tickets/3/photo", "a.pnm", "image/x-portable-pixmap", b"P6 2 1 255\n" + bytes(range(6))))
    gif = bytes.fromhex("47494638396101000100800000ff0000ffffff2c00000000010001000002024401003b")
    show(upload("/tickets/3/photo", "a.gif", "image/gif", gif))
    status, _, _, data = ask("/tickets/1/photo?as=jpeg")
    show(upload("/tickets/3/photo", "a.jpg", "image/jpeg", data))
    status, _, _, data = ask("/tickets/1/photo?as=tiff")
    show(upload("/tickets/3/photo", "a.tif", "image/tiff", data))
    status, _, headers, data = ask("/tickets/3/photo?as=png&width=20&label=1")
    print(status, headers["Content-Type"], hashlib.sha256(data).hexdigest()[:16])
    show(upload("/tickets/3/photo?lang=de", "a.txt", "text/plain", b"no picture"))


def step_pdf():
    for font in "Helvetica", "Times-Italic", "Courier-Bold", "Symbol", "Nothing":
        status, _, headers, data = ask(f"/tickets/1/slip.pdf?font={font}")
        print(status, headers["Content-Type"], data[:8], sorted(set(re.findall(rb"/BaseFont\s*/([\w-]+)", data))))
        for stream in re.findall(rb"stream\r?\n(.*?)\r?\n?endstream", data, re.S):
            try:
                stream = zlib.decompress(stream)
            except zlib.error:
                pass
            print(re.findall(rb"[<(][^>)]*[>)] Tj|[\d. ]+ re", stream))


def step_xlsx():
    status, _, headers, data = ask("/report/tickets.xlsx", Accept_Language="fr")
    print(status, headers["Content-Type"], headers["Content-Disposition"])
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        print(sorted(file.namelist()))
        for name in "xl/worksheets/sheet1.xml", "xl/sharedStrings.xml", "xl/workbook.xml":
            print(file.read(name).decode())


def step_api():
    body = json.dumps({"customer": "Noor", "bicycle": "Cruiser", "due": "2024-09-01", "parts": ["bell", "basket"]}).encode()
    status, url, headers, text = ask("/api/tickets", data=body, Content_Type="application/json")
    print(status, headers["Location"].replace(BASE, ""), text.decode())
    status, _, headers, text = ask("/api/tickets", data=b"---\ncustomer: Per\nbicycle: Rower\ndue: 2024-09-02\nparts:\n  - oar\n", Content_Type="text/x-yaml")
    print(status, headers["Content-Type"], text.decode())
    status, _, headers, text = ask("/api/tickets", data=b"<opt><customer>Mia</customer><bicycle>Trike</bicycle><due>2024-09-03</due><parts>horn</parts></opt>", Content_Type="text/xml")
    print(status, headers["Content-Type"], text.decode())
    last = headers["Location"].rsplit("/", 1)[1]
    print(ask(f"/api/tickets/{last}", method="DELETE")[0], ask(f"/api/tickets/{last}", method="DELETE")[3])
    for kind, data in ("application/json", b'{"customer": '), ("text/xml", b"<a><b>"), ("text/x-yaml", b"a: [b"), ("application/json", b'{"customer": "A", "bicycle": "B", "due": "soon"}'), ("text/x-config-general", b"a b"), ("image/png", b"x"):
        status, _, headers, text = ask("/api/tickets", data=data, Content_Type=kind)
        print(kind, status, headers["Content-Type"], text[:60])
    status, _, headers, _ = ask("/api/tickets", method="OPTIONS")
    print(status, sorted(", ".join(headers.get_all("Allow") or []).split(", ")))


def step_gzip():
    status, _, headers, data = ask("/static/style.css", Accept_Encoding="gzip")
    print(status, headers["Content-Type"], headers["Content-Encoding"])
    print((zlib.decompress(data, 31) if headers["Content-Encoding"] else data).decode()[:80])


def step_manual():
    status, _, headers, text = ask("/manual/torques.csv")
    print(status, headers["Content-Type"], text.decode())
    print(ask("/manual/torques.csv", If_Modified_Since=headers["Last-Modified"])[0])
    print(re.findall(r"<td class='name'><a href='([^']+)'", ask("/manual/")[3].decode()))
    print(ask("/manual/none.txt")[0])


globals()["step_" + sys.argv[1]]()
