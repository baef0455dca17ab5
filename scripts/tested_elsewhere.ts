/** Modules without a test of their own name, and why. Checked by `deno task layers`. */

/** Reasons by path. */
export const TESTED_ELSEWHERE: ReadonlyMap<string, string> = new Map([
  ["base/backoff.ts", "tests/client/reconnect_test.ts has its cases beside those of the client's policy"],
  ["base/handler_time.ts", "two lines around a call; tests/transport/fair_share_test.ts shows their effect"],
  [
    "protocol/collected_request.ts",
    "tests/server/text_reply_test.ts compares it with the runtime's own Request, over a server",
  ],
  ["protocol/extensions.ts", "tests/protocol/handshake_test.ts has its grammar"],
  ["protocol/mask_simd.ts", "tests/protocol/mask_test.ts runs all loops against each other"],
  ["protocol/raw_deflate.ts", "tests/protocol/deflate_test.ts drives it through messages, bit by bit"],
  ["protocol/request_body.ts", "tests/server/held_test.ts and accept_test.ts drive it with a session"],
  ["transport/bun_dial.ts", "tests/transport/transport_test.ts connects with it; bun_test.ts has its failures"],
  ["transport/bun_tls.ts", "tests/transport/tls_handshake_test.ts and bun_test.ts"],
  ["transport/bun_types.ts", "passes events on; each test on Bun goes through it"],
  ["transport/node_tls.ts", "tests/transport/transport_test.ts (over TLS of node:tls) and tls_handshake_test.ts"],
  ["transport/stream.ts", "tests/transport/transport_test.ts runs its cases for streams too"],
  ["pubsub/broadcast_channel.ts", "tests/pubsub/backplane_test.ts: the same tests for all backplanes"],
  ["pubsub/relay.ts", "tests/pubsub/backplane_test.ts: servers with a backplane"],
  ["server/connections.ts", "tests/server/server_test.ts and limits_test.ts"],
  ["server/context.ts", "tests/server/server_test.ts"],
  ["server/handler_calls.ts", "tests/server/allow_test.ts and server_test.ts"],
  ["server/lifecycle.ts", "tests/server/server_test.ts and drain_test.ts"],
  ["server/log.ts", "tests/base/log_test.ts and stats_test.ts: the records of a server"],
  ["server/publisher.ts", "tests/server/server_test.ts and tests/pubsub/topics_test.ts"],
  ["server/received_request.ts", "tests/server/accept_test.ts and limits_test.ts"],
  ["server/response_writer.ts", "tests/server/accept_test.ts: exact bytes, and peers that do not read"],
]);
