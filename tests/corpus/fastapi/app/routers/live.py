from fastapi import APIRouter, WebSocket

router = APIRouter()


@router.websocket("/live")
async def live(socket: WebSocket):
    await socket.accept()
    while (text := await socket.receive_text()) != "end":
        await socket.send_json({"said": text})
    await socket.close()
