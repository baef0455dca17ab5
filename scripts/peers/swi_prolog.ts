import type { CaseName, Difference, Peer } from "../peer_lane/peer.ts";

/** The program of both roles: it echoes, and closes when it is told to. */
const PROGRAM = String.raw`
:- use_module(library(http/websocket)).
:- use_module(library(http/thread_httpd)).
:- use_module(library(http/http_dispatch)).
:- use_module(library(http/http_ssl_plugin)).
% Without this one, the client says HTTP/1.0 (findings/swi_prolog_client.sh).
:- use_module(library(http/http_stream)).

:- http_handler(root(.), http_upgrade_to_websocket(echo, [guarded(false)]), [spawn([])]).

echo(WebSocket) :-
    catch(receive(WebSocket, open), _, closed(1006)),
    catch(close(WebSocket), _, true).

receive(WebSocket, State) :-
    ws_receive(WebSocket, Message),
    answer(WebSocket, State, Message).

answer(WebSocket, State, Message) :-
    Message.opcode == close, !,
    (   Message.data == end_of_file
    ->  closed(1006)
    ;   closed(Message.code),
        (   State == open
        ->  ws_close(WebSocket, Message.code, "")
        ;   true
        )
    ).
answer(WebSocket, _, Message) :-
    Message.opcode == text,
    split_string(Message.data, " ", "", ["#close"|Words]), !,
    (   Words = [Word]
    ->  number_string(Code, Word),
        ws_send(WebSocket, close(Code, ""))
    ;   ws_send(WebSocket, close)
    ),
    receive(WebSocket, closing).
answer(WebSocket, State, Message) :-
    (   memberchk(Message.opcode, [text, binary])
    ->  ws_send(WebSocket, Message)
    ;   true
    ),
    receive(WebSocket, State).

closed(Code) :-
    format("closed ~w~n", [Code]),
    flush_output.

main :-
    current_prolog_flag(argv, [Role]),
    main(Role).

main(server) :-
    getenv('PEER_PORT', Text),
    atom_number(Text, Port),
    (   getenv('PEER_CERT', Certificate)
    ->  getenv('PEER_KEY', Key),
        Options = [ssl([certificate_file(Certificate), key_file(Key)])]
    ;   Options = []
    ),
    http_server(http_dispatch, [port('127.0.0.1':Port)|Options]),
    thread_get_message(_).
main(client) :-
    getenv('PEER_URL', Url),
    (   getenv('PEER_CA', Root)
    ->  Options = [cacerts([file(Root)])]
    ;   Options = []
    ),
    http_open_websocket(Url, WebSocket, Options),
    echo(WebSocket).
`;

const WITHOUT_COMPRESSION: Difference = { seen: "not agreed", because: "It knows no extensions" };

/** Both roles differ in the same. */
const DIFFERS: Partial<Record<CaseName, Difference>> = {
  "ping": {
    seen: "not played",
    because: "It takes a ping between fragments for an error, and does not always end then",
  },
  "close empty": { seen: "answered 1000", because: "It takes an empty close frame for one with 1000" },
  "its close empty": { seen: "printed 1000", because: "It takes an empty close frame for one with 1000" },
  "deflate": WITHOUT_COMPRESSION,
  "deflate no takeover": WITHOUT_COMPRESSION,
  "deflate 9 bits": WITHOUT_COMPRESSION,
};

export const PEER: Peer = {
  name: "SWI-Prolog",
  version: "9.0.4",
  language: "Prolog",
  debian: ["swi-prolog-nox"],
  files: { "peer.pl": PROGRAM },
  printVersion: "swipl --version",
  server: { command: ["swipl", "-q", "-g", "main,halt", "-t", "halt(1)", "peer.pl", "--", "server"], differs: DIFFERS },
  client: { command: ["swipl", "-q", "-g", "main,halt", "-t", "halt(1)", "peer.pl", "--", "client"], differs: DIFFERS },
};
