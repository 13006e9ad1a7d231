from flask import Flask, request

from .models import db


def create_app():
    app = Flask(__name__)
    app.config.from_mapping(
        SECRET_KEY="shop",
        SQLALCHEMY_DATABASE_URI="sqlite:////var/lib/shop/shop.db",
        BABEL_DEFAULT_LOCALE="en",
        CELERY={"broker_url": "redis://127.0.0.1", "result_backend": "redis://127.0.0.1", "imports": ["shop.tasks.numbers", "shop.tasks.papers"]},
    )
    db.init_app(app)
    from flask_babel import Babel
    from flask_login import LoginManager
    from flask_migrate import Migrate

    Babel(app, locale_selector=lambda: request.args.get("lang", "en"))
    Migrate(app, db)
    from .models import User

    LoginManager(app).user_loader(lambda key: db.session.get(User, int(key)))
    from .views import shop

    app.register_blueprint(shop)

    @app.cli.command("prepare")
    def prepare():
        db.create_all()
        if not User.query.first():
            from werkzeug.security import generate_password_hash

            db.session.add(User(name="alice", password=generate_password_hash("wonder", "scrypt:1024:8:1")))
            db.session.commit()

    return app
