import { DEFLATE_CASES, inCases, type Peer } from "../peer_lane/peer.ts";

const PROGRAM = `
import os, struct
import websocket

options = {"ca_certs": os.environ["PEER_CA"]} if "PEER_CA" in os.environ else {}
connection = websocket.create_connection(os.environ["PEER_URL"], sslopt=options)
while True:
    opcode, data = connection.recv_data()
    if opcode == websocket.ABNF.OPCODE_CLOSE:
        print("closed", struct.unpack("!H", data[:2])[0] if len(data) >= 2 else 1005, flush=True)
        break
    if opcode == websocket.ABNF.OPCODE_TEXT and data.startswith(b"#close"):
        words = data.split()
        connection.close(*[int(word) for word in words[1:]])
        print("closed", flush=True)
        break
    connection.send(data, opcode)
`;

export const PEER: Peer = {
  name: "websocket-client",
  version: "1.2.3",
  language: "Python",
  debian: ["python3-websocket"],
  files: { "client.py": PROGRAM },
  printVersion: "/usr/bin/python3 -c 'import websocket; print(websocket.__version__)'",
  client: {
    command: ["/usr/bin/python3", "client.py"],
    differs: {
      ...inCases(["close 1001", "close 3000", "close 4999", "close empty"], {
        seen: "answered 1000",
        because: "it answers all close frames with 1000",
      }),
      "its close empty": { seen: "closed 1000", because: "close() always sends a code" },
      ...inCases(DEFLATE_CASES, { seen: "not agreed", because: "it has no compression" }),
    },
  },
};
