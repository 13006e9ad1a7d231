"""Puts a line under the text, in the recipient's language and the message's character set."""
from mailtools import texts


def run(message, context):
    body = message.get_body(preferencelist=("plain",))
    if body is None:
        return
    wanted = texts(context["language"])
    charset = body.get_content_charset("us-ascii")
    try:
        text = body.get_content()
    except LookupError:
        message["X-Footer"] = f"none; unknown character set {charset}"
        return
    line = wanted["footer"].format(domain=context["domain"])
    try:
        line.encode(charset)
    except UnicodeEncodeError:
        charset = "utf-8"
    cte = "7bit" if charset in ("us-ascii", "iso-2022-jp") else "quoted-printable"
    kept = message["Content-Language"]
    body.set_content(f"{text}\n-- \n{line}\n", charset=charset, cte=cte)
    if kept and not message["Content-Language"]:
        message["Content-Language"] = str(kept)
