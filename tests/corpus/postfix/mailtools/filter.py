"""The content filter: reads a message, runs the steps of the recipients' domain, hands it in again."""
import argparse
import email
import email.policy
import sys

import mailtools
from mailtools import steps


def apply(message, domain):
    config = mailtools.config()
    section = config[f"filter:{domain}"] if f"filter:{domain}" in config else config["filter"]
    names = section["steps"]
    wanted = str(message.get("Content-Language") or section.get("language", "en"))[:2]
    context = {"domain": domain, "language": wanted}
    for name in names.split():
        steps.load(name)(message, context)
    message["X-Filtered"] = " ".join(names.split())


def main():
    parser = argparse.ArgumentParser(prog="filter")
    parser.add_argument("-f", dest="sender", default="")
    parser.add_argument("recipients", nargs="+")
    options = parser.parse_args()
    data = sys.stdin.buffer.read()
    # Signed and encrypted messages stay as they are.
    policy = email.policy.SMTP.clone(linesep="\n", refold_source="none", utf8=False)
    message = email.message_from_bytes(data, policy=policy)
    domain = options.recipients[0].rpartition("@")[2].lower()
    if message.get_content_type() not in ("multipart/signed", "multipart/encrypted"):
        try:
            apply(message, domain)
        except steps.Refused as refused:
            print(refused)
            return mailtools.EX_UNAVAILABLE
        data = message.as_bytes()
    return mailtools.EX_TEMPFAIL if mailtools.send(data, options.sender, options.recipients) else 0
