import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { isToken } from "../../base/token.ts";
import { findReceiver } from "../../whatsapp/access.ts";
import { TOKEN_PROTOCOL_PREFIX, tokenProtocol } from "../../whatsapp/protocols.ts";

describe("tokenProtocol", () => {
  it("makes an entry of Sec-WebSocket-Protocol, which the server decodes to the token", () => {
    for (const token of ["a", "ab", "abc", "secret, with a comma", "ÿ>?", "🚲"]) {
      const entry = tokenProtocol(token);
      assert(isToken(entry) && entry.startsWith(TOKEN_PROTOCOL_PREFIX), entry);
      const headers = new Headers({ "sec-websocket-protocol": `whatsapp-inbox.v1, ${entry}` });
      assertEquals(findReceiver(headers, [{ token: "other" }, { token }]), { token });
    }
  });

  it("is no token without its prefix, nor if it is no base64", () => {
    for (const entry of [tokenProtocol("a").slice(TOKEN_PROTOCOL_PREFIX.length), `${TOKEN_PROTOCOL_PREFIX}!`, ""]) {
      const headers = new Headers({ "sec-websocket-protocol": entry });
      assertEquals(findReceiver(headers, [{ token: "a" }]), undefined);
    }
  });
});
