import hashlib
import io

from fastapi import APIRouter, BackgroundTasks, File, Form, UploadFile
from fastapi.responses import ORJSONResponse, StreamingResponse

router = APIRouter()
done = []


@router.post("/upload")
async def upload(file: UploadFile = File(...), note: str = Form("")):
    data = await file.read()
    return {"name": file.filename, "size": len(data), "sha": hashlib.blake2b(data).hexdigest()[:16], "note": note}


@router.post("/thumbnail/{form}")
async def thumbnail(form: str, file: UploadFile = File(...)):
    from PIL import Image, ImageOps

    with Image.open(io.BytesIO(await file.read())) as image:
        small = ImageOps.grayscale(image.convert("RGB")).resize((3, 3))
        out = io.BytesIO()
        small.save(out, form)
    with Image.open(io.BytesIO(out.getvalue())) as again:
        return {"format": again.format, "size": again.size, "mode": again.mode}


@router.get("/stream")
async def stream():
    async def lines():
        for number in range(3):
            yield f"data: {number}\n\n"

    return StreamingResponse(lines(), media_type="text/event-stream")


@router.get("/fast", response_class=ORJSONResponse)
async def fast():
    return ORJSONResponse({"pi": 3.14159, "none": None})


@router.get("/description.yaml")
async def description():
    import yaml
    from fastapi.responses import PlainTextResponse

    from ..main import app

    return PlainTextResponse(yaml.safe_dump(app.openapi(), sort_keys=True))


@router.post("/later")
async def later(tasks: BackgroundTasks):
    def work():
        import sqlite3
        import zipfile

        with zipfile.ZipFile("/tmp/later.zip", "w", zipfile.ZIP_LZMA) as archive:
            archive.writestr("version", sqlite3.sqlite_version)

    tasks.add_task(work)
    return {"queued": True}


@router.get("/self")
async def self_test():
    import httpx

    async with httpx.AsyncClient(base_url="http://127.0.0.1:8000") as client:
        return (await client.get("/fast")).json()


@router.get("/when/{zone:path}")
async def when(zone: str):
    from apscheduler.triggers.cron import CronTrigger
    from datetime import datetime
    from zoneinfo import ZoneInfo

    zone = ZoneInfo(zone)
    return CronTrigger.from_crontab("30 4 * * mon", zone).get_next_fire_time(None, datetime(2024, 3, 30, tzinfo=zone))
