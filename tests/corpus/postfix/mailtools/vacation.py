"""Answers for somebody who is away: vacation USER [SENDER [EXTENSION]], the message on standard input."""
import email
import email.policy
from email.message import EmailMessage
import os
import string
import sys

import mailtools


def main():
    user = sys.argv[1]
    message = email.message_from_binary_file(sys.stdin.buffer, policy=email.policy.default)
    sender = sys.argv[2] if len(sys.argv) > 2 else os.environ.get("SENDER", "")
    extension = sys.argv[3] if len(sys.argv) > 3 else os.environ.get("EXTENSION", "")
    if not sender or "@" not in sender or message.get("Precedence") == "bulk":
        return 0
    language = str(message.get("Content-Language", "en"))[:2]
    said = mailtools.texts(language)
    answer = EmailMessage(policy=email.policy.SMTP.clone(linesep="\n"))
    answer["From"] = f"{user}@example.org"
    answer["To"] = sender
    answer["Subject"] = said["away_subject"] + ": " + str(message["Subject"])
    answer["Auto-Submitted"] = "auto-replied"
    answer["Precedence"] = "bulk"
    answer.set_content(string.Template(said["away_text"]).substitute(user=user, reason=extension or "-"))
    return mailtools.EX_TEMPFAIL if mailtools.send(answer.as_bytes(), "", [sender]) else 0
