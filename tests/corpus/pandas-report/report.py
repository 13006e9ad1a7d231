"""Reports on sales, as a job and over HTTP."""
import hashlib
import io
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import numpy as np
import pandas as pd

SALES = Path(__file__).with_name("sales.csv")


def sales():
    return pd.read_csv(SALES, parse_dates=["day"])


def table(form, **_):
    pivot = sales().pivot_table(index="town", columns="goods", values="amount", aggfunc="sum")
    if form == "xlsx":
        file = io.BytesIO()
        pivot.to_excel(file)
        return pd.read_excel(io.BytesIO(file.getvalue())).to_string()
    if form == "xml":
        return pd.read_xml(io.StringIO(pivot.reset_index().to_xml())).to_xml()
    if form == "styled":
        return pivot.style.highlight_max(color="gold").set_uuid("t").to_html()
    return getattr(pivot, f"to_{form}")()


def chart(form="png", style="default", **_):
    import matplotlib.pyplot as plt

    with plt.style.context(style):
        figure, axes = plt.subplots(figsize=(3, 2))
        sales().groupby("town")["amount"].sum().plot.bar(ax=axes, title=r"Sales $\sum_i x_i^2$, Zürich")
        file = io.BytesIO()
        figure.savefig(file, format=form, metadata={"svg": {"Date": None}, "pdf": {"CreationDate": None}, "ps": {}}.get(form))
        plt.close(figure)
    start = file.getvalue()[:4]
    return f"{form} {start!r} {len(file.getvalue()) > 1000}"


def resample(rule="QE", zone="Europe/Zurich", **_):
    frame = sales().set_index("day").tz_localize(zone)
    return frame["amount"].resample(rule).agg(["sum", "mean"]).round(3).to_csv()


def window(kind="ewm", **_):
    amounts = sales()["amount"]
    return {
        "ewm": lambda: amounts.ewm(span=5).mean(),
        "rolling": lambda: amounts.rolling(7, win_type="gaussian").mean(std=2),
        "interpolate": lambda: amounts.where(amounts > 100).interpolate("spline", order=3),
        "eval": lambda: sales().eval("amount * 2 + 1"),
        "cut": lambda: pd.cut(amounts, 4).value_counts(sort=False),
    }[kind]().tail(4).round(4).to_string()


def algebra(seed="7", **_):
    random = np.random.default_rng(int(seed))
    matrix = random.normal(size=(6, 6))
    spectrum = np.abs(np.fft.rfft(matrix[0]))
    return "\n".join(
        f"{name} {np.round(value, 4)}"
        for name, value in {
            "det": np.linalg.det(matrix),
            "singular": np.linalg.svd(matrix)[1],
            "fft": spectrum,
            "fit": np.polynomial.Polynomial.fit(range(6), matrix[1], 2).convert().coef,
        }.items()
    )


def statistics(test="ttest_ind", **_):
    from scipy import stats

    groups = [group["amount"].to_numpy() for _, group in sales().groupby("goods")]
    return str(np.round(getattr(stats, test)(*groups[:2]), 5))


def optimum(**_):
    from scipy import optimize, sparse
    from scipy.sparse.linalg import spsolve

    result = optimize.minimize(lambda x: (x[0] - 3) ** 2 + (x[1] + 1) ** 4, [0, 0], method="Nelder-Mead", options={"xatol": 1e-8, "fatol": 1e-8})
    return f"{np.round(result.x, 1) + 0.0} {spsolve(sparse.csc_matrix(np.diag([1.0, 2, 4])), np.ones(3))}"


ROUTES = {"/table": table, "/chart": chart, "/resample": resample, "/window": window, "/algebra": algebra, "/statistics": statistics, "/optimum": optimum}


class Handler(BaseHTTPRequestHandler):
    def answer(self, status, body):
        body = body.encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        url = urlsplit(self.path)
        if url.path == "/":
            return self.answer(200, f"{len(sales())} sales, {hashlib.md5(SALES.read_bytes()).hexdigest()}")
        if url.path not in ROUTES:
            return self.answer(404, "no such report")
        try:
            self.answer(200, ROUTES[url.path](**dict(parse_qsl(url.query))))
        except Exception as error:
            self.answer(500, f"{type(error).__name__}: {error}")

    def do_POST(self):
        text = self.rfile.read(int(self.headers["Content-Length"])).decode()
        try:
            frame = pd.read_json(io.StringIO(text), lines=True) if text.startswith("{") else pd.read_csv(io.StringIO(text), sep=None, engine="python")
            self.answer(200, frame.describe(include="all").to_string())
        except Exception as error:
            self.answer(422, f"{type(error).__name__}: {error}")


if sys.argv[1] == "serve":
    ThreadingHTTPServer(("", 8000), Handler).serve_forever()
else:
    print(ROUTES["/" + sys.argv[2]](**dict(word.split("=", 1) for word in sys.argv[3:])))
