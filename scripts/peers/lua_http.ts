import type { CaseName, Difference, Peer } from "../peer_lane/peer.ts";

/** The program of both roles: it echoes, and closes when it is told to. */
const PROGRAM = String.raw`
local websocket = require "http.websocket"

local function echo(socket)
  while true do
    local message, kind = socket:receive()
    if not message then break end
    if kind == "text" and message:find("^#close") then
      local code = message:match("%d+")
      -- It waits for the answer.
      socket:close(code and tonumber(code) or nil, "")
      break
    end
    socket:send(message, kind)
  end
  print("closed " .. (socket.got_close_code or 1006))
  io.flush()
  socket:close()
end

if arg[1] == "server" then
  local server = require("http.server").listen {
    host = "127.0.0.1",
    port = tonumber(os.getenv("PEER_PORT")),
    version = 1.1,
    tls = false,
    -- A connection that fails does not end the server.
    onerror = function() end,
    onstream = function(_, stream)
      local headers = stream:get_headers()
      if not headers then return end
      local socket = websocket.new_from_stream(stream, headers)
      if socket and socket:accept() then echo(socket) end
    end,
  }
  assert(server:loop())
else
  local socket = websocket.new_from_uri(os.getenv("PEER_URL"))
  assert(socket:connect())
  echo(socket)
end
`;

const WITHOUT_COMPRESSION: Difference = { seen: "not agreed", because: "It knows no extensions" };

/** Both roles differ in the same. */
const DIFFERS: Partial<Record<CaseName, Difference>> = {
  "close empty": { seen: "answered 1000", because: "It answers an empty close frame with 1000" },
  "its close empty": { seen: "closed 1000", because: "It has no call for an empty close frame: close() sends 1000" },
  "deflate": WITHOUT_COMPRESSION,
  "deflate no takeover": WITHOUT_COMPRESSION,
  "deflate 9 bits": WITHOUT_COMPRESSION,
};

/** With TLS, some messages fail in each run, and others in the next. */
const IN_PIECES: Pick<Difference, "because" | "finding"> = {
  because: "It fails when a payload comes later than its header, as over TLS: the program does without",
  finding: "lua_http_pieces.sh",
};

export const PEER: Peer = {
  name: "lua-http",
  version: "0.4",
  language: "Lua",
  debian: ["lua5.1", "lua-http"],
  files: { "peer.lua": PROGRAM },
  printVersion: "dpkg-query -W lua-http",
  server: {
    command: ["lua5.1", "peer.lua", "server"],
    differs: { ...DIFFERS, "TLS": { seen: "not open: ERR_CONNECT", ...IN_PIECES } },
  },
  client: {
    command: ["lua5.1", "peer.lua", "client"],
    differs: { ...DIFFERS, "TLS": { seen: "does not connect", ...IN_PIECES } },
  },
};
