"""Adds a text part to a message that is HTML alone."""
from html.parser import HTMLParser
import textwrap


class Text(HTMLParser):
    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.parts, self.skip = [], 0

    def handle_starttag(self, tag, attributes):
        if tag in ("script", "style"):
            self.skip += 1
        elif tag in ("p", "br", "div", "tr", "h1", "h2"):
            self.parts.append("\n")
        elif tag == "li":
            self.parts.append("\n* ")

    def handle_endtag(self, tag):
        if tag in ("script", "style"):
            self.skip -= 1

    def handle_data(self, data):
        if not self.skip:
            self.parts.append(data)


def run(message, context):
    if message.get_content_type() != "text/html":
        return
    html = message.get_content()
    parser = Text()
    parser.feed(html)
    lines = "".join(parser.parts).splitlines()
    text = "\n".join(textwrap.fill(" ".join(line.split()), 60) for line in lines if line.strip())
    message.set_content(text + "\n", charset="utf-8")
    message.add_alternative(html, subtype="html")
    message.set_boundary("=_plain")
