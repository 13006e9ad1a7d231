"""Steps of people who send and read mail: python3 ask.py STEP, on the host. Mailboxes are read by `docker cp`."""
import base64
import hashlib
import hmac
import io
import os
import re
import smtplib
import socket
import ssl
import subprocess
import sys
import tarfile
import time
import zipfile
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.parser import BytesParser

HOST = os.environ["HOST"]
WORDS = {"anna@example.org": "apple-Tree-1", "carl@example.org": "carrot-Cake-3", "ben@example.net": "banana-Boat-2"}
BOXES = {"anna": "/srv/mail/example.org/anna", "carl": "/srv/mail/example.org/carl", "ben": "/srv/mail/example.net/ben",
         "buero": "/srv/mail/example.org/büro", "clerk": "/home/clerk/Maildir", "guide": "/home/guide/Maildir"}
MASKS = [(r"\b\d+\.\d+\.\d+\.\d+\b", "IP"), (r"\b\w{3}, +\d+ \w{3} \d{4} [\d:]+ [+-]\d{4}( \(\w+\))?", "DATE"),
         (r"\b[0-9A-F]{8,12}\b(\.\d+)?", "ID"), (r"<\d{14}\.", "<TIME."), (r"\bTLSv1.*? bits\)|server-signature.*|server-digest.*", "TLS"),
         (r"===============\d+==", "BOUNDARY"), (r"X-Scanned: \d+", "X-Scanned: SIZE"), (r"<\d+\.\d+\.\d+@", "<ID@")]


def masked(text):
    for pattern, to in MASKS:
        text = re.sub(pattern, to, text)
    return text


def show(*words):
    print(masked(" ".join(str(word) for word in words)))


def said(answer):
    code, text = answer[0], answer[1]
    show(code, text.decode(errors="replace") if isinstance(text, bytes) else text)


def files(path):
    """Regular files below a path of the container."""
    run = subprocess.run(["docker", "cp", f"{os.environ['CONTAINER']}:{path}", "-"], capture_output=True, check=False)
    if run.returncode:
        return {}
    with tarfile.open(fileobj=io.BytesIO(run.stdout)) as archive:
        return {entry.name: archive.extractfile(entry).read() for entry in archive if entry.isfile()}


def wait(box, *marks, attempts=60):
    """The message of a mailbox that has all marks."""
    for _ in range(attempts):
        for name, data in sorted(files(BOXES[box]).items()):
            if "/new/" in name and all(mark.encode() in data for mark in marks):
                return data
        time.sleep(0.5)
    return None


def read(box, *marks, fields=(), body=True, all_fields=False):
    data = wait(box, *marks)
    if data is None:
        print(box, "has no such message")
        return
    message = BytesParser().parsebytes(data)
    for name, value in message.items():
        if all_fields or name.lower() in ("return-path", "delivered-to", "x-original-to", "from", "to", "subject", *fields):
            show(f"{name}: {value if value.isascii() and '=?' not in value else ascii(str(make_header(decode_header(value))))}")
    for part in message.walk():
        if not part.is_multipart() and body:
            show(part.get_content_type(), part.get_content_charset(), part.get("Content-Transfer-Encoding"))
            text = part.get_payload(decode=True)
            print(masked(ascii(text.decode(part.get_content_charset() or "utf-8", "replace")).replace("\\n", "\n")))


def mail(subject, text="Hello.\n", sender="zoe@example.com", to="anna@example.org", **fields):
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = sender, to, subject
    message["Message-ID"] = f"<{hashlib.md5(subject.encode()).hexdigest()[:8]}@example.com>"
    message["Date"] = "Mon, 01 Jan 2024 10:00:00 +0100"
    if text is not None:
        message.set_content(text)
    for name, value in fields.items():
        message[name.replace("_", "-")] = value
    return message


def connect(port=25):
    return smtplib.SMTP(HOST, port, local_hostname="client.example.com", timeout=60)


def context(certificate=None):
    tls = ssl.create_default_context()
    tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    if certificate:
        tls.load_cert_chain(certificate)
    return tls


def submission(user=None, certificate=None):
    client = connect(587)
    client.starttls(context=context(certificate))
    if user:
        client.login(user, WORDS[user])
    return client


def send(message, sender="zoe@example.com", to=("anna@example.org",), client=None, options=(), rcpt=(), before=()):
    """The conversation of one message, answer by answer."""
    client = client or connect()
    client.ehlo_or_helo_if_needed()
    for line in before:
        said(client.docmd(line))
        if line.startswith("XCLIENT"):
            client.ehlo()
    said(client.mail(sender, options))
    done = 0
    for name in to:
        answer = client.rcpt(name, rcpt)
        said(answer)
        done += answer[0] == 250
    if done:
        data = message if isinstance(message, bytes) else message.as_bytes()
        said(client.data(data))
    client.quit()


def xclient(address, **words):
    return "XCLIENT ADDR=" + address + "".join(f" {name}={value}" for name, value in words.items())


# Steps.

def ehlo():
    client = connect()
    said(client.ehlo())
    said(client.docmd("NOOP"))
    said(client.docmd("VRFY", "anna@example.org"))
    said(client.docmd("VRFY", "nobody@example.org"))
    said(client.docmd("EXPN", "team"))
    said(client.docmd("GET / HTTP/1.0"))


def deliver():
    send(mail("Order of tea", "I order 3 pounds, as in the last order.\n", User_Agent="Pigeon 2"))
    read("anna", "Order of tea", all_fields=False, fields=("x-class", "x-filtered", "x-client", "user-agent"))


def latin():
    message = mail("Rechnung für März", None, to="ben@example.net")
    message.set_content("Die Rechnung für den März: 3 Äpfel, geprüft.\n", charset="iso-8859-1", cte="quoted-printable")
    send(message, to=["ben@example.net"])
    read("ben", "X-Class: invoice", fields=("x-class", "content-type"))
    print(wait("clerk", "X-Class: invoice") is not None)


def japanese():
    message = mail("会議", None)
    message.set_content("会議は三時です。\n", charset="iso-2022-jp")
    message["Content-Language"] = "ja"
    send(message)
    read("anna", "X-Class: meeting", fields=("x-class", "content-type"))


def cyrillic():
    message = mail("koi8", None)
    message.set_content("Ваш счёт готов.\n", charset="koi8-r", cte="base64")
    message["Content-Language"] = "ru"
    send(message, to=["carl@example.org"])
    read("carl", "Subject: koi8", fields=("x-class",))


def far():
    japanese()
    cyrillic()


def html():
    message = mail("In colours", None)
    message.set_content("<style>p{}</style><h1>News &amp; more</h1><p>Caf&eacute; at noon</p><ul><li>one<li>two</ul>", subtype="html")
    send(message)
    read("anna", "In colours", fields=("mime-version",))


def archive_attached():
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:xz") as archive:
        for name in ("report.txt", "data/table.csv"):
            entry = tarfile.TarInfo(name)
            entry.size = 4
            archive.addfile(entry, io.BytesIO(b"text"))
    message = mail("Packed")
    message.add_attachment(packed.getvalue(), maintype="application", subtype="x-xz", filename="report.tar.xz")
    send(message)
    read("anna", "Subject: Packed", fields=("x-archive",), body=False)


def bad_archive():
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr(zipfile.ZipInfo("setup.EXE"), b"MZ", zipfile.ZIP_BZIP2)
    message = mail("Very packed")
    message.add_attachment(packed.getvalue(), maintype="application", subtype="zip", filename="all.zip")
    send(message, sender="ben@example.net")
    read("ben", "Nicht zugestellt", "all.zip")


def calendar():
    message = mail("Invitation", to="ben@example.net")
    message.add_attachment("BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART;TZID=America/New_York:20240315T093000\nEND:VEVENT\nEND:VCALENDAR\n", subtype="calendar", filename="x.ics")
    send(message, to=["ben@example.net"])
    read("ben", "Subject: Invitation", fields=("x-meeting",), body=False)


def team():
    send(mail("To the team"), to=["team@example.org"])
    for box in ("anna", "ben", "carl"):
        read(box, "To the team", body=box == "ben")


def pattern():
    send(mail("By pattern"), to=["carl.smith@example.org", "Nobody.There@example.org", "hello@elsewhere.example"])
    read("carl", "By pattern", body=False)
    send(mail("By address"), to=["carl+books@example.org", "hello@example.org"])
    read("carl", "By address", body=False)
    read("anna", "By address", body=False)


def ticket():
    message = mail("Printer is on fire", "Please help.\nAnd quickly.\n", "Ben Huber <ben@example.net>", Content_Language="de")
    send(message, sender="ben@example.net", to=["support@example.org"])
    read("ben", "auto-replied", "support@example.org", fields=("in-reply-to", "auto-submitted"))


def broken():
    send(mail("No queue"), sender="anna@example.org", to=["broken@example.org"])
    read("anna", "multipart/report", "No queue")


def staff():
    send(mail("To the staff"), to=["staff@example.org"])
    send(mail("To the staff"), sender="carl@example.org", to=["staff@example.org"])
    read("clerk", "To the staff", body=False)
    read("ben", "To the staff")


def minutes():
    send(mail("Minutes of May"), to=["minutes@example.org"])
    for _ in range(40):
        found = files("/var/lib/mailtools/archive/minutes.mbox")
        if found:
            break
        time.sleep(0.5)
    text = b"".join(found.values()).decode()
    show(re.sub(r"(?m)^From (\S+) .*", r"From \1 WHEN", "\n".join(line for line in text.splitlines() if re.match(r"From |X-|Subject|Hello|Delivered", line))))


def forward():
    send(mail("Dear guide", Content_Language="ja"), sender="anna@example.org", to=["guide@example.org"])
    read("guide", "Dear guide", body=False)
    read("anna", "Auto-Submitted", "guide@example.org", fields=("auto-submitted",))


def holiday():
    send(mail("When are you back"), sender="ben@example.net", to=["holiday@example.org"])
    read("ben", "When are you back", fields=("auto-submitted", "precedence"))


def refusals():
    for name in ("nobody@example.org", "gone@example.org", "x@elsewhere.example", "sales@example.org", "hidden@example.org", "plain", "x@sub.example.org"):
        send(mail("Refused"), to=[name])
    bulk()
    for name in ("eve@spam.example", "eve@paused.example", "eve"):
        send(mail("Refused"), sender=name)


def bulk():
    send(mail("To many"), sender="bulk@example.com", to=["carl@example.org"])
    read("carl", "To many", fields=("x-bulk",), body=False)


def headers():
    send(mail("Win in our Casino"))
    send(mail("Quiet", X_Drop="yes"))
    send(mail("[public] Open day", X_Spam_Flag="YES"))
    read("clerk", "Open day", fields=("x-public", "x-spam-flag"), body=False)


def parts():
    message = mail("Programs")
    message.add_attachment(b"MZ", maintype="application", subtype="octet-stream", filename="setup.exe")
    send(message)
    send(mail("Words", "You only have to click here to win it.\n"))
    message = mail("Nested")
    message.add_attachment(mail("Inner", "click here to win\n"))
    send(message)


def clients():
    for address in ("203.0.113.9", "203.0.113.70"):
        send(mail("Client"), before=[xclient(address, NAME="host.example.com")])
    send(mail("From a network"), before=[xclient("198.51.100.4", NAME="host.example.com", HELO="host.example.com")])
    read("anna", "From a network", fields=("x-network",), body=False)


def helo():
    for name in ("localhost", "192.0.2.1", "bad_name!", "fine.example.com"):
        client = connect()
        said(client.helo(name))
        send(mail("Helo"), client=client, to=["nobody@example.org"])
    client = connect()
    said(client.docmd("MAIL FROM:<a@example.com>"))


def policy():
    for count in range(3):
        send(mail(f"Robot {count}"), sender="robot@example.com", to=["carl@example.org"])
    read("carl", "Robot 1", fields=("x-policy",), body=False)
    said_size = connect()
    said_size.ehlo()
    said(said_size.mail("zoe@example.com", ["SIZE=350000"]))
    said(said_size.rcpt("anna@example.org"))
    said(said_size.docmd("RSET"))
    said(said_size.mail("zoe@example.com", ["SIZE=900000"]))


def plain_text_refused():
    client = connect(587)
    said(client.ehlo())
    said(client.docmd("AUTH", "PLAIN AGFubmEAYQ=="))
    said(client.docmd("MAIL", "FROM:<anna@example.org>"))


def submitted(user, subject, to, client, sender=None, **words):
    send(mail(subject, sender=sender or user, to=to[0]), sender=sender or user, to=to, client=client, **words)


def plain():
    submitted("anna@example.org", "Submitted by PLAIN", ["ben@example.net"], submission("anna@example.org"))
    read("ben", "Submitted by PLAIN", fields=("received",))


def auth(mechanism):
    client = submission()
    client.ehlo()
    print(sorted(client.esmtp_features["auth"].split()))
    user = "ben@example.net"
    client.user, client.password = user, WORDS[user]
    if mechanism == "CRAM-MD5":
        said(client.auth(mechanism, client.auth_cram_md5))
    elif mechanism == "LOGIN":
        said(client.auth(mechanism, client.auth_login))
    elif mechanism == "DIGEST-MD5":
        digest(client, user)
    else:
        scram(client, user, mechanism)
    submitted(user, f"Submitted by {mechanism}", ["carl@example.org"], client)
    read("carl", f"Submitted by {mechanism}", body=False)


def scram(client, user, mechanism):
    name = {"SCRAM-SHA-1": "sha1", "SCRAM-SHA-256": "sha256"}[mechanism]
    first = f"n={user},r=abcdefghijkl"
    code, text = client.docmd("AUTH", f"{mechanism} " + base64.b64encode(f"n,,{first}".encode()).decode())
    server = base64.b64decode(text).decode()
    fields = dict(word.split("=", 1) for word in server.split(","))
    key = hashlib.pbkdf2_hmac(name, WORDS[user].encode(), base64.b64decode(fields["s"]), int(fields["i"]))
    client_key = hmac.digest(key, b"Client Key", name)
    last = f"c=biws,r={fields['r']}"
    proof = hmac.digest(hashlib.new(name, client_key).digest(), f"{first},{server},{last}".encode(), name)
    proof = bytes(one ^ other for one, other in zip(client_key, proof))
    answer = client.docmd(base64.b64encode(f"{last},p={base64.b64encode(proof).decode()}".encode()).decode())
    if answer[0] == 334:
        good = hmac.digest(hmac.digest(key, b"Server Key", name), f"{first},{server},{last}".encode(), name)
        print("server proved:", base64.b64decode(answer[1]).decode() == "v=" + base64.b64encode(good).decode())
        answer = client.docmd("")
    said(answer)


def digest(client, user):
    code, text = client.docmd("AUTH", "DIGEST-MD5")
    fields = {name: quoted or bare for name, quoted, bare in re.findall(r'([\w-]+)=(?:"([^"]*)"|([^,]*))', base64.b64decode(text).decode())}
    print(code, fields.get("realm"), fields.get("qop"), fields.get("charset"), fields.get("algorithm"))
    local, realm = user.split("@")
    uri, cnonce = "smtp/" + fields.get("realm", ""), "0123456789"
    h = lambda data: hashlib.md5(data).digest()
    a1 = h(f"{local}:{realm}:{WORDS[user]}".encode()) + f":{fields['nonce']}:{cnonce}".encode()
    a2 = f"AUTHENTICATE:{uri}".encode()
    value = hashlib.md5(f"{h(a1).hex()}:{fields['nonce']}:00000001:{cnonce}:auth:{h(a2).hex()}".encode()).hexdigest()
    answer = f'charset=utf-8,username="{local}",realm="{realm}",nonce="{fields["nonce"]}",nc=00000001,cnonce="{cnonce}",digest-uri="{uri}",response={value},qop=auth'
    answer = client.docmd(base64.b64encode(answer.encode()).decode())
    if answer[0] == 334:
        answer = client.docmd("")
    said(answer)


def wrong():
    for user, word in (("anna@example.org", "no"), ("nobody@example.org", "no"), ("gone@example.org", "none")):
        client = submission()
        try:
            said(client.login(user, word))
        except smtplib.SMTPAuthenticationError as error:
            show(error.smtp_code, re.sub(r"^.*authentication", "authentication", error.smtp_error.decode()))


def other():
    submitted("carl@example.org", "Not mine", ["ben@example.net"], submission("carl@example.org"), sender="anna@example.org")
    submitted("carl@example.org", "Closed", ["x@closed.example.net"], submission("carl@example.org"))
    submitted("carl@example.org", "secret plan", ["ben@example.net"], submission("carl@example.org"))
    submitted("carl@example.org", "As the team", ["anna@example.org"], submission("carl@example.org"), sender="team@example.org")
    read("anna", "As the team", body=False)


def wrapped():
    client = smtplib.SMTP_SSL(HOST, 465, local_hostname="client.example.com", timeout=60, context=context())
    print(client.sock.version(), client.sock.cipher()[0])
    client.login("ben@example.net", WORDS["ben@example.net"])
    submitted("ben@example.net", "Wrapped", ["anna@example.org"], client)
    read("anna", "Subject: Wrapped", body=False)


def certificates():
    for name in ("mail.example.org", "mail.example.net", "imap.example.net", "other.example"):
        for port, words in ((465, ()), (587, ("-starttls", "smtp"))):
            run = subprocess.run(["openssl", "s_client", "-connect", f"{HOST}:{port}", "-servername", name, *words],
                                 input=b"QUIT\r\n", capture_output=True, check=False)
            print(name, port, re.findall(r"subject=.*", run.stdout.decode()))


def newsletter():
    client = submission(certificate=os.path.join(os.environ["DIR"], "client.pem"))
    submitted("newsletter@example.com", "News by certificate", ["anna@example.org"], client)
    read("anna", "News by certificate", fields=("x-policy",), body=False)
    client = submission(certificate=os.path.join(os.environ["DIR"], "client.pem"))
    submitted("newsletter@example.com", "News again", ["anna@example.org"], client)
    submitted("newsletter@example.com", "News without", ["anna@example.org"], submission())


def bounce():
    submitted("anna@example.org", "To those who closed", ["former@example.org"], submission("anna@example.org"))
    read("anna", "multipart/report", "To those who closed")


def receipt():
    client = submission("anna@example.org")
    submitted("anna@example.org", "With a receipt", ["carl@example.org"], client,
              options=["RET=HDRS", "ENVID=trip-7"], rcpt=["NOTIFY=SUCCESS,FAILURE", "ORCPT=rfc822;carl@example.org"])
    read("anna", "Zugestellt", "With a receipt")


def deferred():
    submitted("anna@example.org", "To the branch", ["branch@example.org"], submission("anna@example.org"))
    time.sleep(2)
    client = connect()
    client.ehlo()
    said(client.docmd("ETRN", "branch.example.net"))
    said(client.docmd("ETRN", "other.example"))
    said(client.docmd("ETRN", "#nothing"))
    send(mail("Held", X_Hold="yes"))
    time.sleep(2)


def kept():
    client = submission("anna@example.org")
    submitted("anna@example.org", "For the archive", ["2019@archive.example.org", "2020@archive.example.org", "tea@archive.example.org"], client)
    read("anna", "multipart/report", "For the archive")
    found = files("/var/lib/mailtools/archive/2019.zip")
    for data in found.values():
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            print([(entry.filename, entry.compress_type) for entry in archive.infolist()])
            show("Subject: For the archive" in archive.read("1.eml").decode())


def verified():
    send(mail("Is it there"), to=["2021@archive.example.org", "1812@archive.example.org"])
    send(mail("Is it there"), to=["1812@archive.example.org", "nothing@archive.example.org"])


def scanned():
    send(mail("Look at it", X_Scan="yes"), to=["carl@example.org"])
    read("carl", "Look at it", fields=("x-scanned",), body=False)
    submitted("anna@example.org", "Partner, hello", ["carl@partner.example"], submission("anna@example.org"))
    read("carl", "Partner, hello", fields=("x-scanned",), body=True)
    text = "X5O!P EICAR-STANDARD and so on\n"
    send(mail("Is it ill", text, sender="ben@example.net"), sender="ben@example.net", to=["carl@example.org"], before=[], options=[])
    client = submission("ben@example.net")
    send(mail("It is ill", text, sender="ben@example.net"), sender="ben@example.net", to=["carl@partner.example"], client=client)
    read("ben", "Nicht zugestellt", "It is ill")


def international():
    client = submission("anna@example.org")
    client.command_encoding = "utf-8"
    client.ehlo()
    for name in ("büro@example.org", "lager@bücher.example", "lager@xn--bcher-kva.example", "жук@example.org"):
        said(client.docmd("MAIL", "FROM:<anna@example.org> SMTPUTF8"))
        said(client.docmd("RCPT", f"TO:<{name}>"))
        client.docmd("RSET")
    client.docmd("MAIL", "FROM:<anna@example.org> SMTPUTF8 BODY=8BITMIME")
    client.docmd("RCPT", "TO:<büro@example.org>")
    said(client.data("From: anna@example.org\r\nTo: büro@example.org\r\nSubject: Grüße in UTF-8\r\n\r\nHallo.\r\n".encode()))
    client.quit()
    data = wait("buero", "in UTF-8")
    print(masked(ascii(b"\n".join(line for line in (data or b"none").splitlines() if line.startswith((b"To", b"Subject", b"X-Orig", b"Deliv"))).decode())))


def chunks():
    stream = socket.create_connection((HOST, 25), timeout=60)
    file = stream.makefile("rwb")
    said((0, file.readline()))
    first = b"From: zoe@example.com\r\nSubject: In chunks\r\n"
    second = b"\r\nHello.\r\n"
    file.write(b"EHLO client.example.com\r\n")
    file.flush()
    while file.readline()[3:4] == b"-":
        pass
    file.write(b"MAIL FROM:<zoe@example.com> BODY=8BITMIME\r\nRCPT TO:<carl@example.org>\r\n"
               + f"BDAT {len(first)}\r\n".encode() + first + f"BDAT {len(second)} LAST\r\n".encode() + second + b"QUIT\r\n")
    file.flush()
    for line in file:
        said((0, line.strip()))
    read("carl", "In chunks")


def changed():
    """Puts other header checks and a client list into the container, for the next reload."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, text in (("header.pcre", "/^Subject:.*weekday/  REJECT 5.7.1 Not on a weekday\n"), ("client.cidr", "192.0.2.0/24  REJECT 5.7.1 New in the list\n")):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(text), 0o644
            archive.addfile(entry, io.BytesIO(text.encode()))
    run = subprocess.run(["docker", "cp", "-", f"{os.environ['CONTAINER']}:/etc/postfix/maps"], input=packed.getvalue(), check=False)
    print(run.returncode)


def reloaded():
    send(mail("On a weekday"))
    send(mail("Reloaded"), before=[xclient("192.0.2.4", NAME="host.example.com")])
    send(mail("Casino again"), to=["carl@example.org"])
    read("carl", "Casino again", body=False)


step, *words = sys.argv[1:]
globals()[step](*words)
