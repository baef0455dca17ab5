import type { Peer } from "../peer_lane/peer.ts";
import { differs, LAST_OFFER, PEER as UVICORN } from "./python_uvicorn.ts";

export const PEER: Peer = {
  ...UVICORN,
  name: "uvicorn with wsproto",
  debian: ["python3-uvicorn", "python3-wsproto"],
  server: {
    command: ["/usr/bin/python3", "server.py", "wsproto"],
    differs: { ...differs, "deflate 9 bits": LAST_OFFER },
  },
};
