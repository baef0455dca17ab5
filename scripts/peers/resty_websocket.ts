import type { CaseName, Difference, Peer } from "../peer_lane/peer.ts";

/** The program of both roles: it echoes, and closes when it is told to. */
const PROGRAM = String.raw`
local _M = {}

local KINDS = { text = "send_text", binary = "send_binary" }

local function close(socket, code)
  if socket.send_close then return socket:send_close(code, "") end
  -- Its client has one call for it, which ends TCP too; this is the frame underneath.
  local payload = code and string.char(math.floor(code / 256), code % 256) or ""
  return require("nginx.websocket.protocol").send_frame(socket.sock, true, 0x8, payload, 125, true)
end

function _M.echo(socket)
  local parts, kind, has_closed = {}, nil, false
  while true do
    -- It gives frames: pings, close frames and fragments are left to the program.
    local data, type, more = socket:recv_frame()
    if not data then
      return 1006
    elseif type == "close" then
      if not has_closed then close(socket, more) end
      return more or 1005
    elseif type == "ping" then
      socket:send_pong(data)
    elseif type ~= "pong" then
      parts[#parts + 1] = data
      kind = type == "continuation" and kind or type
      if more ~= "again" then
        local message = table.concat(parts)
        parts = {}
        if kind == "text" and message:find("^#close") then
          has_closed = true
          close(socket, tonumber(message:match("%d+")))
        else
          socket[KINDS[kind]](socket, message)
        end
      end
    end
  end
end

local options = { max_payload_len = 2^26, timeout = 60000 }

function _M.serve()
  local socket = require("nginx.websocket.server"):new(options)
  if not socket then return ngx.exit(400) end
  _M.print(_M.echo(socket))
end

function _M.connect(_, url)
  local socket = require("nginx.websocket.client"):new(options)
  -- nginx knows no "localhost" without a resolver, and checks certificates against names only, not against addresses.
  local ok, message = socket:connect((url:gsub("localhost", "127.0.0.1")), { ssl_verify = false })
  if ok then _M.print(_M.echo(socket)) else io.stderr:write(message, "\n") end
  os.exit(0)
end

function _M.print(code)
  io.write("closed ", code, "\n")
  io.flush()
end

return _M
`;

/** Writes the configuration for a role, and starts nginx with it. */
const START = `
folder=$PWD
if [ "$1" = server ]; then
  site="server {
    listen 127.0.0.1:$PEER_PORT \${PEER_CERT:+ssl};
    \${PEER_CERT:+ssl_certificate $PEER_CERT; ssl_certificate_key $PEER_KEY;}
    location / { content_by_lua_block { require('peer').serve() } }
  }"
else
  site="init_worker_by_lua_block { ngx.timer.at(0, require('peer').connect, '$PEER_URL') }"
fi
cat >"$1.conf" <<CONF
load_module $folder/usr/lib/nginx/modules/ndk_http_module.so;
load_module $folder/usr/lib/nginx/modules/ngx_http_lua_module.so;
daemon off;
master_process off;
error_log stderr error;
pid $folder/$1.pid;
events {}
http {
  access_log off;
  client_body_temp_path $folder/temp;
  proxy_temp_path $folder/temp;
  fastcgi_temp_path $folder/temp;
  uwsgi_temp_path $folder/temp;
  scgi_temp_path $folder/temp;
  lua_package_path "$folder/?.lua;$folder/usr/share/lua/5.1/?.lua;;";
  $site
}
CONF
LD_LIBRARY_PATH=$folder/usr/lib/x86_64-linux-gnu PATH=$PATH:/usr/sbin exec nginx -p "$folder" -c "$folder/$1.conf"
`;

const WITHOUT_COMPRESSION: Difference = { seen: "not agreed", because: "It knows no extensions" };

/** Both roles differ in the same. */
const DIFFERS: Partial<Record<CaseName, Difference>> = {
  "deflate": WITHOUT_COMPRESSION,
  "deflate no takeover": WITHOUT_COMPRESSION,
  "deflate 9 bits": WITHOUT_COMPRESSION,
};

const PACKAGES = [
  "libluajit2-5.1-2",
  "libnginx-mod-http-lua",
  "libnginx-mod-http-ndk",
  "lua-nginx-websocket",
  "lua-resty-core",
  "lua-resty-lrucache",
];

export const PEER: Peer = {
  name: "lua-resty-websocket",
  version: "0.08",
  language: "Lua",
  debian: ["nginx"],
  files: { "peer.lua": PROGRAM, "peer.sh": START },
  // Unpacked here, since its packages would change what every nginx of the machine loads.
  build: `apt-get download -q ${PACKAGES.join(" ")} && for file in *.deb; do dpkg -x "$file" . || exit 1; done`,
  printVersion: "dpkg-deb -f lua-nginx-websocket_*.deb Version",
  server: { command: ["bash", "peer.sh", "server"], differs: DIFFERS },
  client: { command: ["bash", "peer.sh", "client"], differs: DIFFERS },
};
