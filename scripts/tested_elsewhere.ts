/** Modules without a test of their own name, and why. Checked by `deno task layers`. */

/** Reasons by path. */
export const TESTED_ELSEWHERE: ReadonlyMap<string, string> = new Map([
  ["pubsub/broadcast_channel.ts", "tests/pubsub/backplane_test.ts: the same tests for all backplanes"],
  ["pubsub/relay.ts", "tests/pubsub/backplane_test.ts: servers with a backplane"],
  ["server/connections.ts", "tests/server/server_test.ts and limits_test.ts"],
  ["server/context.ts", "tests/server/server_test.ts"],
  ["server/handler_calls.ts", "tests/server/allow_test.ts and server_test.ts"],
  ["server/lifecycle.ts", "tests/server/server_test.ts and drain_test.ts"],
  ["server/log.ts", "tests/base/stats_test.ts: the records of a server"],
  ["server/publisher.ts", "tests/server/server_test.ts and tests/pubsub/topics_test.ts"],
  ["server/received_request.ts", "tests/server/accept_test.ts and limits_test.ts"],
  ["server/response_writer.ts", "tests/server/accept_test.ts: exact bytes, and peers that do not read"],
]);
