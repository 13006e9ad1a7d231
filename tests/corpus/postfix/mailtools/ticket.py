"""Makes tickets of messages and answers them."""
import argparse
import email
import email.policy
from email.headerregistry import Address
from email.message import EmailMessage
import sys

import mailtools

SCHEMA = "CREATE TABLE IF NOT EXISTS ticket (id INTEGER PRIMARY KEY, queue TEXT, sender TEXT, subject TEXT, text TEXT);"


def main():
    parser = argparse.ArgumentParser(prog="ticket")
    parser.add_argument("--queue", default="support")
    options = parser.parse_args()
    config = mailtools.config()["tickets"]
    if options.queue not in config["queues"].split():
        print(f"5.1.1 There is no queue {options.queue}")
        return mailtools.EX_NOUSER
    message = email.message_from_binary_file(sys.stdin.buffer, policy=email.policy.default)
    if message.get("Auto-Submitted", "no") != "no" or not message["From"]:
        return 0
    sender = message["From"].addresses[0]
    body = message.get_body(preferencelist=("plain", "html"))
    text = body.get_content() if body else ""
    subject = str(message["Subject"] or "")
    with mailtools.state(config["database"], SCHEMA) as connection:
        number = connection.execute(
            "INSERT INTO ticket (queue, sender, subject, text) VALUES (?, ?, ?, ?)",
            (options.queue, sender.addr_spec, subject, text),
        ).lastrowid
    language = str(message.get("Content-Language", "en"))[:2]
    said = mailtools.texts(language)
    answer = EmailMessage(policy=email.policy.SMTP.clone(linesep="\n"))
    answer["From"] = Address("Support", "support", "example.org")
    answer["To"] = sender
    answer["Subject"] = said["ticket_subject"].format(number=number, subject=subject)
    answer["In-Reply-To"] = str(message["Message-ID"] or "")
    answer["Auto-Submitted"] = "auto-replied"
    answer.set_content(said["ticket_text"].format(name=sender.display_name or sender.addr_spec, lines=len(text.splitlines())))
    return mailtools.EX_TEMPFAIL if mailtools.send(answer.as_bytes(), "support@example.org", [sender.addr_spec]) else 0
