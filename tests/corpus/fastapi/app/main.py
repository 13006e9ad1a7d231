import importlib
import pkgutil
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse
from fastapi.templating import Jinja2Templates

from . import routers
from .settings import settings


@asynccontextmanager
async def lifespan(app):
    from .store import prepare

    await prepare()
    yield


app = FastAPI(title=settings.title, lifespan=lifespan)
for module in pkgutil.iter_modules(routers.__path__):
    app.include_router(importlib.import_module(f"{routers.__name__}.{module.name}").router)
templates = Jinja2Templates(directory="app/templates")


@app.get("/", response_class=HTMLResponse)
async def index(request: Request):
    return templates.TemplateResponse(request, "index.html", {"title": settings.title})


@app.exception_handler(ZeroDivisionError)
async def division(request: Request, error: ZeroDivisionError):
    return templates.TemplateResponse(request, "error.html", {"message": str(error)}, status_code=500)
