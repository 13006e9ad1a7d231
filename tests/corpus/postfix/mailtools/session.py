"""A small server of SMTP or LMTP on standard input and output, as spawn(8) starts it."""
import sys


class Session:
    def __init__(self, name, lmtp=False):
        self.name, self.lmtp = name, lmtp
        self.input, self.output = sys.stdin.buffer, sys.stdout.buffer
        self.forget()

    def forget(self):
        self.sender, self.recipients = None, []

    def say(self, *lines):
        for line in lines:
            self.output.write(line.encode() + b"\r\n")
        self.output.flush()

    def known(self, recipient):
        return "250 2.1.5 OK"

    def take(self, data):
        """Takes a message and gives an answer for each recipient."""
        raise NotImplementedError

    def data(self):
        lines = []
        while True:
            line = self.input.readline()
            if not line:
                raise EOFError
            if line == b".\r\n":
                return b"".join(lines)
            lines.append(line[1:] if line.startswith(b".") else line)

    @staticmethod
    def address(words):
        return words[words.find("<") + 1:words.rfind(">")]

    def serve(self):
        self.say(f"220 {self.name} {'LMTP' if self.lmtp else 'ESMTP'}")
        while line := self.input.readline():
            text = line.decode("utf-8", "replace").strip()
            verb, _, rest = text.partition(" ")
            verb = verb.upper()
            if verb in ("EHLO", "LHLO"):
                self.say(f"250-{self.name}", "250-PIPELINING", "250-8BITMIME", "250-SMTPUTF8", "250 ENHANCEDSTATUSCODES")
            elif verb == "HELO":
                self.say(f"250 {self.name}")
            elif verb == "MAIL":
                self.forget()
                self.sender = self.address(rest.split(" SIZE")[0])
                self.say("250 2.1.0 OK")
            elif verb == "RCPT":
                answer = self.known(self.address(rest))
                if answer.startswith("250"):
                    self.recipients.append(self.address(rest))
                self.say(answer)
            elif verb == "DATA":
                if not self.recipients:
                    self.say("554 5.5.1 No recipient")
                    continue
                self.say("354 Go on")
                answers = self.take(self.data())
                self.say(*(answers if self.lmtp else answers[:1]))
                self.forget()
            elif verb == "RSET":
                self.forget()
                self.say("250 2.0.0 OK")
            elif verb == "NOOP":
                self.say("250 2.0.0 OK")
            elif verb == "QUIT":
                self.say("221 2.0.0 Bye")
                return 0
            else:
                self.say("502 5.5.2 What?")
        return 0
