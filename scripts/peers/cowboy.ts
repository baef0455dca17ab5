import type { Difference, Peer } from "../peer_lane/peer.ts";

/** The program of both roles: it echoes, and closes when it is told to. Cowboy is the server, Gun the client. */
const PROGRAM = String.raw`
-module(echo_peer).
-export([main/1, init/2, websocket_init/1, websocket_handle/2, websocket_info/2, terminate/3]).

-define(LIMIT, 16#4000000).

compresses() -> os:getenv("PEER_DEFLATE") =:= "on".

answer(<<"#close ", Code/binary>>) -> {close, binary_to_integer(Code), <<>>};
answer(<<"#close">>) -> close;
answer(Text) -> {text, Text}.

closed(Code) -> io:format("closed ~p~n", [Code]).

main([server]) ->
    {ok, _} = application:ensure_all_started(cowboy),
    Dispatch = cowboy_router:compile([{'_', [{"/", ?MODULE, []}]}]),
    Port = [{ip, {127, 0, 0, 1}}, {port, list_to_integer(os:getenv("PEER_PORT"))}],
    Settings = #{env => #{dispatch => Dispatch}},
    {ok, _} = case os:getenv("PEER_CERT") of
        false -> cowboy:start_clear(peer, Port, Settings);
        File -> cowboy:start_tls(peer, Port ++ [{certfile, File}, {keyfile, os:getenv("PEER_KEY")}], Settings)
    end,
    receive forever -> ok end;
main([client]) ->
    {ok, _} = application:ensure_all_started(gun),
    #{scheme := Scheme, port := Port} = uri_string:parse(os:getenv("PEER_URL")),
    Options = case Scheme of
        "wss" ->
            #{transport => tls, transport_opts => [
                {verify, verify_peer},
                {cacertfile, os:getenv("PEER_CA")},
                {customize_hostname_check, [{match_fun, public_key:pkix_verify_hostname_match_fun(https)}]}
            ]};
        "ws" -> #{}
    end,
    {ok, Gun} = gun:open("localhost", Port, Options#{protocols => [http], retry => 0}),
    {ok, _} = gun:await_up(Gun),
    Stream = gun:ws_upgrade(Gun, "/", [], #{compress => compresses()}),
    receive {gun_upgrade, Gun, Stream, [<<"websocket">>], _} -> ok end,
    closed(echo(Gun, Stream, 1006)),
    halt().

echo(Gun, Stream, Code) ->
    receive
        {gun_ws, Gun, Stream, {text, Text}} ->
            gun:ws_send(Gun, answer(Text)),
            echo(Gun, Stream, Code);
        {gun_ws, Gun, Stream, {binary, Bytes}} ->
            gun:ws_send(Gun, {binary, Bytes}),
            echo(Gun, Stream, Code);
        % The answer is left to the program.
        {gun_ws, Gun, Stream, {close, Given, _}} ->
            gun:ws_send(Gun, {close, Given, <<>>}),
            echo(Gun, Stream, Given);
        {gun_ws, Gun, Stream, close} ->
            gun:ws_send(Gun, close),
            echo(Gun, Stream, 1005);
        {gun_down, Gun, _, _, _, _} -> Code;
        {gun_error, Gun, _, Reason} -> io:format(standard_error, "~p~n", [Reason]), Code;
        {'DOWN', _, process, Gun, _} -> Code
    end.

init(Request, State) ->
    {cowboy_websocket, Request, State, #{compress => compresses(), max_frame_size => ?LIMIT, idle_timeout => infinity}}.

websocket_init(State) -> {[], State}.

websocket_handle({text, Text}, State) -> {[answer(Text)], State};
websocket_handle({binary, Bytes}, State) -> {[{binary, Bytes}], State};
websocket_handle(_, State) -> {[], State}.

websocket_info(_, State) -> {[], State}.

terminate({remote, Code, _}, _, _) -> closed(Code);
terminate(remote, _, _) -> closed(1005);
% It reads no answer to its own close frame.
terminate(stop, _, _) -> io:format("closed~n");
terminate(_, _, _) -> closed(1006).
`;

const NODE = [
  "erl",
  "-noinput",
  "-pa",
  ".",
  ...["cowboy-2.8.0", "cowlib-2.9.1", "ranch-2.1.0", "gun-1.3.3"].flatMap((name) => [
    "-pa",
    `usr/lib/rabbitmq/lib/rabbitmq_server-3.10.8/plugins/${name}/ebin`,
  ]),
];

const UNREAD: Difference = { seen: "printed 1006", because: "Gun ends TCP after its close frame, and reads no answer" };

export const PEER: Peer = {
  name: "Cowboy and Gun",
  version: "2.8.0 and 1.3.3",
  language: "Erlang",
  debian: ["erlang-base", "erlang-crypto", "erlang-public-key", "erlang-ssl"],
  files: { "echo_peer.erl": PROGRAM },
  // Debian has them inside of RabbitMQ only, which is unpacked here, since its package would start a service.
  build: "apt-get download -q rabbitmq-server && dpkg -x rabbitmq-server_*.deb . && erlc echo_peer.erl",
  printVersion: `${NODE.join(" ")} -eval '[Cowboy, Gun] = [begin application:load(App), ` +
    `{ok, Version} = application:get_key(App, vsn), Version end || App <- [cowboy, gun]], ` +
    `io:format("~s and ~s~n", [Cowboy, Gun]), halt().'`,
  server: { command: [...NODE, "-eval", "echo_peer:main([server])."] },
  client: {
    command: [...NODE, "-eval", "echo_peer:main([client])."],
    differs: { "its close 1000": UNREAD, "its close 4999": UNREAD, "its close empty": UNREAD },
  },
};
