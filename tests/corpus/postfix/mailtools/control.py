"""mailctl: what the people who run the server do with its users."""
import argparse
import email
import email.policy
import sqlite3
import sys

import mailtools


def users(options):
    connection = sqlite3.connect(mailtools.USERS)
    rows = connection.execute("SELECT local || '@' || domain, full_name, active FROM mailbox ORDER BY 1").fetchall()
    if options.format == "csv":
        import csv
        csv.writer(sys.stdout, lineterminator="\n").writerows(rows)
    elif options.format == "json":
        import json
        json.dump(rows, sys.stdout, ensure_ascii=True, indent=1)
        print()
    elif options.format == "xml":
        from xml.etree import ElementTree
        root = ElementTree.Element("users")
        for address, name, active in rows:
            ElementTree.SubElement(root, "user", address=address, active=str(active)).text = name
        ElementTree.indent(root)
        print(ElementTree.tostring(root, encoding="us-ascii").decode())
    else:
        for address, name, active in rows:
            print(f"{address:24} {name:16} {'yes' if active else 'no'}".encode("ascii", "backslashreplace").decode())
    return 0


def add(options):
    local, _, domain = options.address.partition("@")
    connection = sqlite3.connect(mailtools.USERS)
    connection.execute("PRAGMA foreign_keys = ON")
    try:
        with connection:
            connection.execute("INSERT INTO mailbox (local, domain, password, full_name) VALUES (?, ?, ?, ?)",
                               (local, domain, options.password, options.name or local))
    except sqlite3.IntegrityError as error:
        print(f"{options.address}: {error}")
        return 1
    print(f"{options.address} added, {connection.execute('SELECT count(*) FROM mailbox').fetchone()[0]} users")
    return 0


def test(options):
    """Runs the steps of the filter on a message of standard input and writes it out."""
    from mailtools import filter as content
    policy = email.policy.SMTP.clone(linesep="\n", refold_source="none")
    message = email.message_from_binary_file(sys.stdin.buffer, policy=policy)
    content.apply(message, options.domain)
    sys.stdout.buffer.write(message.as_bytes())
    return 0


def main():
    parser = argparse.ArgumentParser(prog="mailctl")
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("users")
    command.add_argument("--format", choices=("text", "csv", "json", "xml"), default="text")
    command.set_defaults(run=users)
    command = commands.add_parser("add")
    command.add_argument("address")
    command.add_argument("password")
    command.add_argument("--name")
    command.set_defaults(run=add)
    command = commands.add_parser("test")
    command.add_argument("domain")
    command.set_defaults(run=test)
    options = parser.parse_args()
    return options.run(options)
