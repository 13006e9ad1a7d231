from flask import Blueprint, Response, abort, jsonify, render_template, request
from flask_babel import format_currency, format_datetime

from .models import Order, User, db

shop = Blueprint("shop", __name__)


@shop.get("/")
def index():
    return render_template("index.html", orders=Order.query.count())


@shop.get("/price")
def price():
    from datetime import datetime

    return f"{format_currency(1234567.5, 'CHF')} {format_datetime(datetime(2024, 7, 1, 12), 'full')}"


@shop.post("/orders")
def order():
    from flask_wtf import FlaskForm
    from wtforms import EmailField, IntegerField, StringField
    from wtforms.validators import Email, InputRequired, NumberRange

    class OrderForm(FlaskForm):
        class Meta:
            csrf = False

        mail = EmailField(validators=[Email()])
        item = StringField(validators=[InputRequired()])
        count = IntegerField(validators=[NumberRange(1, 9)])

    form = OrderForm()
    if not form.validate():
        return jsonify(form.errors), 422
    made = Order()
    form.populate_obj(made)
    db.session.add(made)
    db.session.commit()
    return jsonify(id=made.id, price=made.price), 201


@shop.get("/orders")
def orders():
    page = db.paginate(db.select(Order).where(Order.price > 1).order_by(Order.price.desc()), max_per_page=2)
    return jsonify([[item.item, item.price] for item in page])


@shop.get("/orders.csv")
def export():
    import csv
    import io

    file = io.StringIO()
    csv.writer(file).writerows([o.id, o.item] for o in Order.query)
    return Response(file.getvalue(), mimetype="text/csv")


@shop.post("/task/<name>")
def task(name):
    from . import worker
    from .tasks import numbers, papers

    arguments = request.get_json()
    with worker.app.connection():
        if name == "squares":
            result = numbers.sum_of_squares(*arguments).apply_async()
        else:
            found = getattr(numbers, name, None) or getattr(papers, name, None) or abort(404)
            result = found.apply_async(arguments)
    try:
        return jsonify(result.get(timeout=30))
    except ArithmeticError as error:
        return jsonify(error=repr(error)), 500


@shop.post("/login")
def login():
    from flask_login import current_user, login_user
    from werkzeug.security import check_password_hash

    user = User.query.filter_by(name=request.form["name"]).first_or_404()
    if not check_password_hash(user.password, request.form["password"]):
        abort(401)
    login_user(user)
    return current_user.name


@shop.get("/private")
def private():
    from flask_login import login_required

    return login_required(lambda: "private")()


@shop.app_errorhandler(404)
def missing(error):
    return render_template("missing.html"), 404
