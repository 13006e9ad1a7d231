"""Steps of a mail client: python3 mail.py STEP."""
import imaplib
import os
import poplib
import re
import smtplib
import socket
import ssl
import sys

host = os.environ["HOST"]
open_context = ssl.create_default_context()
open_context.check_hostname = False
open_context.verify_mode = ssl.CERT_NONE


def imap(user="alice", password="wonder"):
    client = imaplib.IMAP4(host, 143)
    client.login(user, password)
    return client


def deliver(subject, to="alice", body="Hello"):
    with smtplib.LMTP(host, 24) as lmtp:
        lmtp.ehlo("check")
        return lmtp.sendmail("shop@example.org", [f"{to}@example.org"], f"From: shop@example.org\nTo: {to}@example.org\nSubject: {subject}\nDate: Mon, 1 Jul 2024 12:00:00 +0000\n\n{body}\n".encode())


def talk(port, *lines):
    with socket.create_connection((host, port), 10) as s:
        file = s.makefile("rwb")
        out = []
        for line in (None, *lines):
            if line is not None:
                file.write(line.encode() + b"\r\n")
                file.flush()
            while True:
                answer = file.readline().decode().strip()
                out.append(answer)
                if re.match(r"(OK|NO|BYE)", answer) or not answer:
                    break
        return out


step = sys.argv[1]
try:
    if step == "login":
        print(imap().noop())
    elif step == "login-crypt":
        print(imap("bob", "builder").list())
    elif step == "login-refused":
        print(imap("bob", "x"))
    elif step == "cram":
        client = imaplib.IMAP4(host, 143)
        print(client.login_cram_md5("alice", "wonder")[0])
    elif step == "tls":
        client = imaplib.IMAP4_SSL(host, 993, ssl_context=open_context)
        print(client.sock.version(), client.login("alice", "wonder")[0])
    elif step == "starttls":
        client = imaplib.IMAP4(host, 143)
        print(client.starttls(open_context)[0], client.login("alice", "wonder")[0])
    elif step == "folders":
        client = imap()
        print(client.create("Gr&APwA3w-e"), sorted(client.list()[1]))
    elif step == "deliver":
        print(deliver("order 17"), deliver("easy money"), deliver("hello"))
        client = imap()
        for folder in ("INBOX", "Orders", "Junk"):
            print(folder, client.select(folder), client.fetch("1", "(FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[1])
    elif step == "nobody":
        print(deliver("x", to="nobody"))
    elif step == "append":
        client = imap()
        print(client.append("Sent", "\\Seen", '" 1-Jul-2024 12:00:00 +0000"', b"Subject: =?ISO-2022-JP?B?GyRCRnxLXBsoQg==?=\r\nContent-Type: text/plain; charset=shift_jis\r\n\r\n\x93\xfa\x96\x7b\r\n")[0])
        client.select("Sent")
        print(client.uid("SEARCH", "HEADER", "Subject", "none"))
    elif step == "search":
        client = imap()
        client.select("Sent")
        client.literal = "日本".encode()
        print(client.uid("SEARCH", "CHARSET", "UTF-8", "BODY"))
    elif step == "sort":
        client = imap()
        client.select("INBOX")
        print(client.sort("REVERSE DATE", "UTF-8", "ALL"), client.thread("REFERENCES", "UTF-8", "ALL"))
    elif step == "quota":
        print(imap().getquotaroot("INBOX"))
    elif step == "quota-full":
        print(imap().append("Sent", None, None, os.urandom(1500000).hex().encode()))
    elif step == "structure":
        client = imap()
        client.select("INBOX")
        print(client.fetch("1", "(BODYSTRUCTURE ENVELOPE)"))
    elif step == "pop":
        client = poplib.POP3(host, 110)
        client.user("alice"), client.pass_("wonder")
        print(client.stat()[0], client.capa().keys() >= {"TOP", "UIDL", "SASL"}, client.top(1, 0)[0])
    elif step == "sieve":
        import base64

        plain = base64.b64encode(b"\0alice\0wonder").decode()
        script = 'require "vacation"; discard;'
        lines = talk(4190, f'AUTHENTICATE "PLAIN" "{plain}"', "LISTSCRIPTS", f'PUTSCRIPT "mine" "{script.replace(chr(34), chr(92) + chr(34))}"', 'PUTSCRIPT "bad" "nonsense;"', 'SETACTIVE "mine"', 'SETACTIVE ""')
        print([line for line in lines if re.match(r"OK|NO|\"mine|\"SIEVE", line)])
except (imaplib.IMAP4.error, smtplib.SMTPException, poplib.error_proto) as error:
    print(type(error).__name__, re.sub(r"<[^>]*>|\d+\.\d+ \+ \d+\.\d+ secs", "", str(error)))
