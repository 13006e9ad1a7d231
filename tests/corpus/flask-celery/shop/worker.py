from celery import Celery

from . import create_app

flask_app = create_app()
app = Celery("shop")
app.config_from_object(flask_app.config["CELERY"])
