import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { browserConnector } from "../../client/browser_connector.ts";
import { chooseConnector, useSockets } from "../../client/choose_connector.ts";
import { socketConnector } from "../../client/socket_connector.ts";
import "../../client.ts";

describe("chooseConnector", () => {
  it("takes sockets where there are some, or streams instead; else the WebSocket of the platform", () => {
    assertEquals([chooseConnector(false), chooseConnector(true)], [socketConnector, socketConnector]);
    const without = { ...socketConnector, available: false };
    useSockets(without);
    assertEquals([chooseConnector(false), chooseConnector(true)], [browserConnector, without]);
    useSockets(socketConnector);
  });
});
