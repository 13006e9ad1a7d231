"""Predictions by kept models, and fits of small ones on request."""
import functools
import importlib

import joblib
import numpy as np
from flask import Flask, jsonify, request

app = Flask(__name__)


@functools.cache
def model(name):
    return joblib.load(f"{name}.joblib")


@app.get("/")
def index():
    return jsonify(models=["iris", "wine", "boosted", "text"])


@app.post("/predict/<name>")
def predict(name):
    try:
        found = model(name)
    except FileNotFoundError:
        return jsonify(error="no such model"), 404
    try:
        return jsonify(found.predict(request.json).tolist())
    except ValueError as error:
        return jsonify(error=str(error).splitlines()[0]), 422


@app.get("/data/<name>")
def data(name):
    from sklearn import datasets

    bunch = getattr(datasets, f"load_{name}")()
    return jsonify(shape=bunch.data.shape, description=bunch.DESCR.strip().splitlines()[0])


@app.get("/fit/<module>/<name>")
def fit(module, name):
    from sklearn.datasets import make_blobs, make_moons

    x, y = make_moons(80, noise=0.1, random_state=3)
    try:
        estimator = getattr(importlib.import_module(f"sklearn.{module}"), name)()
    except (ImportError, AttributeError) as error:
        return jsonify(error=type(error).__name__), 404
    if "random_state" in estimator.get_params():
        estimator.set_params(random_state=3)
    estimator.fit(x, y)
    if hasattr(estimator, "predict"):
        return jsonify(score=round(float(np.mean(estimator.predict(x) == y)), 2))
    return jsonify(shape=np.shape(getattr(estimator, "embedding_", getattr(estimator, "labels_", x))))


@app.get("/search")
def search():
    from sklearn.datasets import load_iris
    from sklearn.model_selection import GridSearchCV
    from sklearn.tree import DecisionTreeClassifier, export_text

    x, y = load_iris(return_X_y=True)
    found = GridSearchCV(DecisionTreeClassifier(random_state=1), {"max_depth": [1, 2, 3]}, cv=3, n_jobs=2).fit(x, y)
    return jsonify(best=found.best_params_, tree=export_text(found.best_estimator_).splitlines()[0])


@app.get("/metrics/<name>")
def metrics(name):
    from sklearn import metrics

    return jsonify(round(float(getattr(metrics, name)([0, 1, 1, 0, 1], [0, 1, 0, 0, 1])), 4))


@app.get("/diagram")
def diagram():
    from sklearn.utils import estimator_html_repr

    page = estimator_html_repr(model("iris"))
    return jsonify(page="StandardScaler" in page, style="sk-top-container" in page)
