"""Asks the server by ftplib, with TLS too, and by OpenSSH's sftp."""
import ftplib
import io
import os
import pathlib
import re
import ssl
import subprocess
import sys

HOST = os.environ["HOST"]


def tidy(text):
    return re.sub(r"\w{3} \d\d \d\d:\d\d|\d{14}|unique=\w+|modify=\d+", "-", str(text)).replace(HOST, "HOST").replace(HOST.replace(".", ","), "H")


def said(function, *words):
    try:
        print(tidy(function(*words)))
    except ftplib.all_errors as error:
        print("refused", tidy(error))


def ftp(user="ann", word="secret", tls=False):
    if tls:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        client = ftplib.FTP_TLS(HOST, timeout=60, context=context)
    else:
        client = ftplib.FTP(HOST, timeout=60)
    said(client.login, user, word)
    return client


def listed(client, command, *words):
    lines = []
    said(lambda: client.retrlines(" ".join((command, *words)), lines.append))
    print(tidy("\n".join(sorted(lines))))


def stored(client, name, data):
    def store():
        try:
            return client.storbinary(f"STOR {name}", io.BytesIO(data))
        except (BrokenPipeError, ConnectionResetError):
            # The server closed the data connection, before or after all was sent: its answer says why.
            return client.voidresp()

    said(store)


def got(client, name, **more):
    data = io.BytesIO()
    said(lambda: client.retrbinary(f"RETR {name}", data.write, **more))
    print(data.getvalue()[:80], len(data.getvalue()))


match sys.argv[1]:
    case "greeting":
        client = ftplib.FTP(HOST, timeout=60)
        print(tidy(client.welcome))
        for line in ("SYST", "FEAT", "HELP", "NOOP", "STAT", "XYZZY"):
            said(client.sendcmd, line)
    case "anonymous":
        client = ftp("anonymous", "a@example.org")
        listed(client, "LIST")
        listed(client, "NLST")
        got(client, "leaf.txt")
        said(client.cwd, "more")
        said(client.sendcmd, "CWD /more")
        got(client, "/x.hidden")
        stored(client, "new.txt", b"x")
        said(client.mkd, "d")
    case "files":
        client = ftp()
        stored(client, "a.txt", b"tea\r\n" * 100)
        said(client.size, "a.txt")
        got(client, "a.txt")
        got(client, "old-a.txt")
        said(client.mkd, "d")
        said(client.rename, "a.txt", "d/b.txt")
        listed(client, "MLSD", "d")
        said(client.sendcmd, "MLST d/b.txt")
        said(client.sendcmd, "SITE CHMOD 600 d/b.txt")
        listed(client, "LIST", "d")
        said(client.sendcmd, "MFMT 20240102030405 d/b.txt")
        said(client.sendcmd, "MDTM d/b.txt")
        said(client.sendcmd, "SITE CPFR d/b.txt")
        said(client.sendcmd, "SITE CPTO d/c.txt")
        said(client.sendcmd, "SITE SYMLINK d/c.txt d/s")
        said(client.delete, "d/b.txt")
        said(client.rmd, "d")
        said(client.cwd, "/nothing")
        said(client.pwd)
        said(client.quit)
    case "ascii":
        client = ftp()
        said(lambda: client.storlines("STOR lines.txt", io.BytesIO(b"one\ntwo\n")))
        listed(client, "RETR", "lines.txt")
        client.voidcmd("TYPE I")
        said(client.size, "lines.txt")
    case "resumed":
        client = ftp()
        stored(client, "r.bin", bytes(range(256)) * 100)
        got(client, "r.bin", rest=25590)
        said(lambda: client.storbinary("APPE r.bin", io.BytesIO(b"end")))
        said(client.size, "r.bin")
        for line in ("HASH r.bin", "XCRC r.bin", "XSHA1 r.bin", "RANG 0 3"):
            said(client.sendcmd, line)
        said(client.sendcmd, "OPTS UTF8 ON")
    case "unicode":
        client = ftp()
        client.encoding = "utf-8"
        stored(client, "Größe 茶.txt", b"x")
        print(sorted(client.nlst()))
        said(client.delete, "Größe 茶.txt")
    case "active":
        client = ftp()
        client.set_pasv(False)
        listed(client, "NLST")
    case "sql":
        client = ftp("bob", "guest")
        stored(client, "small.txt", b"x" * 10)
        stored(client, "large.txt", b"x" * 100000)
        said(client.sendcmd, "STAT small.txt")
        ftp("bob", "wrong")
        ftp("nobody", "x")
    case "closed":
        client = ftp()
        said(client.mkd, "closed")
        stored(client, "closed/x", b"x")
    case "tls":
        client = ftp(tls=True)
        said(client.prot_p)
        stored(client, "tls.txt", b"sealed" * 1000)
        got(client, "tls.txt")
        listed(client, "NLST")
        print(client.sock.version(), client.sock.getpeercert(True)[:2])
        said(client.ccc)
    case "deflate":
        client = ftp()
        said(client.sendcmd, "MODE Z")
        said(client.sendcmd, "OPTS MODE Z LEVEL 9")
        import zlib

        stored(client, "z.txt", zlib.compress(b"packed" * 50))
        said(client.sendcmd, "MODE S")
        got(client, "z.txt")
    case "sftp":
        home = pathlib.Path("/tmp/corpus-proftpd")
        home.mkdir(mode=0o700, exist_ok=True)
        word = home / "word.sh"
        word.write_text("#!/bin/sh\necho secret\n")
        word.chmod(0o700)
        (home / "up.txt").write_text("by sftp\n")
        batch = f"pwd\nput {home}/up.txt s.txt\nls -1\nrename s.txt t.txt\nget t.txt {home}/down.txt\nchmod 640 t.txt\nsymlink t.txt u\nrm u\nrm t.txt\nmkdir x\nrmdir x\nrm none\n"
        env = dict(os.environ, SSH_ASKPASS=str(word), SSH_ASKPASS_REQUIRE="force")
        for options in ((), ("-C", "-o", "Ciphers=aes128-ctr", "-o", "MACs=hmac-sha2-256", "-o", "KexAlgorithms=diffie-hellman-group-exchange-sha256")):
            done = subprocess.run(["sftp", "-q", "-F", "none", "-P", "2222", *options, "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", "-o", "PubkeyAuthentication=no", f"ann@{HOST}"], input=batch, capture_output=True, text=True, env=env, timeout=100, start_new_session=True)
            print(done.returncode, tidy(done.stdout), tidy(done.stderr).replace("\r", ""))
            print((home / "down.txt").read_text())
            (home / "down.txt").unlink()
