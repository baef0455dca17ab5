/** The application of Python servers that speak ASGI: the same for all of them. */

/** Its source. */
export const ASGI_APP = `
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            event = await receive()
            await send({"type": event["type"] + ".complete"})
            if event["type"] == "lifespan.shutdown":
                return
    if scope["type"] != "websocket":
        return
    await receive()
    await send({"type": "websocket.accept"})
    while True:
        event = await receive()
        if event["type"] == "websocket.disconnect":
            print("closed", event.get("code") or "", flush=True)
            return
        text = event.get("text")
        if text is not None and text.startswith("#close"):
            words = text.split()
            await send({"type": "websocket.close", **({"code": int(words[1])} if len(words) > 1 else {})})
            print("closed", flush=True)
            return
        data = {"text": text} if text is not None else {"bytes": event["bytes"]}
        await send({"type": "websocket.send", **data})
`;
