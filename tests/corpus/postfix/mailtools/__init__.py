"""Tools of the mail server: a content filter, a policy service, tickets, answers for those who are away."""
import configparser
import os
import sqlite3
import subprocess

CONFIG = os.environ.get("MAILTOOLS_INI", "/etc/mailtools.ini")
USERS = os.environ.get("MAILTOOLS_DB", "/var/lib/mailtools/mail.db")
TEXTS = os.path.join(os.path.dirname(__file__), "texts")
# Exit codes that Postfix knows.
EX_DATAERR, EX_NOUSER, EX_UNAVAILABLE, EX_SOFTWARE, EX_TEMPFAIL = 65, 67, 69, 70, 75


def config():
    parser = configparser.ConfigParser(delimiters="=")
    parser.read(CONFIG, encoding="utf-8")
    return parser


def texts(language):
    """Texts of a language, English where there is none."""
    import json
    found = {}
    for name in ("en", language):
        path = os.path.join(TEXTS, name + ".json")
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                found.update(json.load(file))
    return found


def state(path, schema):
    connection = sqlite3.connect(path, timeout=20)
    connection.executescript(schema)
    return connection


def send(message, sender, recipients):
    """Hands a message in by the sendmail command."""
    words = ["/usr/sbin/sendmail", "-G", "-i", "-f", sender, "--", *recipients]
    return subprocess.run(words, input=message, check=False).returncode
