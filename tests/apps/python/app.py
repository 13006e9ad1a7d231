import importlib
import os
import subprocess

from flask import Flask, abort, jsonify, render_template

app = Flask(__name__)


def in_order(lines):
    """The lines, sorted by sort(1)."""
    done = subprocess.run(["sort"], input="\n".join(lines) + "\n", capture_output=True, text=True, check=True)
    return done.stdout.split()


WARES = in_order(["tongs", "anvil", "hammer"])


@app.get("/")
def index():
    return "The smithy sells " + ", ".join(WARES) + ".\n"


@app.get("/report")
def report():
    from reports import monthly

    return render_template("report.html", rows=monthly.rows())


@app.get("/export/<kind>")
def export(kind):
    plugin = importlib.import_module("plugins." + kind)
    return plugin.dump(WARES)


@app.get("/zones/<area>/<city>")
def zone(area, city):
    from datetime import datetime, timezone
    from zoneinfo import ZoneInfo

    noon = datetime(2024, 7, 1, 12, tzinfo=timezone.utc)
    return noon.astimezone(ZoneInfo(f"{area}/{city}")).strftime("%Y-%m-%d %H:%M %Z\n")


@app.get("/user")
def user():
    import grp
    import pwd

    me = pwd.getpwuid(os.getuid())
    return jsonify(name=me.pw_name, shell=me.pw_shell, staff=grp.getgrnam("staff").gr_gid, daemon=pwd.getpwnam("daemon").pw_uid)


@app.get("/charset/<name>")
def charset(name):
    return "Größe äöü Ω".encode(name, "replace").hex() + "\n"


@app.get("/trust")
def trust():
    import ssl

    count = ssl.create_default_context().cert_store_stats()["x509_ca"]
    return f"{count > 0} {count}\n"


@app.get("/packed")
def packed():
    import bz2
    import gzip
    import lzma

    text = b"iron " * 1000
    return jsonify({m.__name__: len(m.decompress(m.compress(text))) for m in (bz2, gzip, lzma)})


@app.get("/digest")
def digest():
    import hashlib

    return hashlib.scrypt(b"iron", salt=b"salt", n=16, r=8, p=1).hex() + hashlib.new("sha3_256", b"iron").hexdigest() + "\n"


@app.get("/stock")
def stock():
    import sqlite3

    base = sqlite3.connect(":memory:")
    base.execute("create table stock (name text, number integer)")
    base.executemany("insert into stock values (?, ?)", enumerate(WARES))
    return jsonify(base.execute("select * from stock order by number desc").fetchall())


@app.get("/settings")
def settings():
    import yaml

    with open(os.path.join(app.root_path, "data", "settings.yaml")) as file:
        return jsonify(yaml.safe_load(file))


@app.get("/sorted")
def sorted_again():
    return jsonify(in_order(["zinc", "copper", "iron"]))


@app.get("/parallel")
def parallel():
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(2) as pool:
        return jsonify(list(pool.map(len, WARES)))


@app.get("/mail")
def mail():
    from email.message import EmailMessage
    import xml.etree.ElementTree as tree

    message = EmailMessage()
    message["Subject"] = tree.fromstring("<a>Größe</a>").text
    message.set_content("iron")
    return message.as_string()


@app.get("/broken")
def broken():
    abort(500)


@app.errorhandler(404)
def nothing(_error):
    return render_template("404.html"), 404


if __name__ == "__main__":
    app.run(host="0.0.0.0", port=8080)
