"""The policy service: Postfix asks it for every recipient."""
import datetime
import sys

import mailtools

SCHEMA = "CREATE TABLE IF NOT EXISTS seen (sender TEXT, instance TEXT, at TEXT, PRIMARY KEY (sender, instance));"


def requests(file):
    asked = {}
    for line in file:
        name, equals, value = line.rstrip("\n").partition("=")
        if equals:
            asked[name] = value
        elif asked:
            yield asked
            asked = {}


def limited(config, asked):
    limits = config["policy:limits"]
    sender = asked.get("sender", "").lower()
    if sender not in limits:
        return None
    with mailtools.state(config["policy"]["state"], SCHEMA) as connection:
        now = datetime.datetime.now(datetime.timezone.utc)
        connection.execute("INSERT OR IGNORE INTO seen VALUES (?, ?, ?)", (sender, asked.get("instance", ""), now.isoformat()))
        count = connection.execute("SELECT count(*) FROM seen WHERE sender = ?", (sender,)).fetchone()[0]
    if count > limits.getint(sender):
        return f"REJECT 5.7.1 {sender} has sent {count - 1} messages, which is enough"
    return f"PREPEND X-Policy: message {count} of {limits[sender]}"


def decide(config, asked):
    if asked.get("sasl_username", "").startswith("carl@") and asked.get("recipient", "").endswith("@closed.example.net"):
        return "REJECT 5.7.1 carl must not write there"
    if int(asked.get("size") or 0) > 300000:
        return "REJECT 5.3.4 More than your share"
    return limited(config, asked) or "DUNNO"


def main():
    config = mailtools.config()
    for asked in requests(sys.stdin):
        print(f"action={decide(config, asked)}\n", flush=True)
    return 0
