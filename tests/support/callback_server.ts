/** A real server at the callback that `setup` checks. */

import { WhatsAppServer } from "../../whatsapp/server.ts";
import type { WhatsAppServerOptions } from "../../whatsapp/settings.ts";

/** The token with which Meta verifies the callback. */
export const VERIFY_TOKEN = "chosen by the operator";
/** The app secret of the notifications. */
export const APP_SECRET = "5f2c0a4be1d94f0c9c1f2a7d3e6b8a90";

/**
 * Makes a server on loopback, without a journal.
 *
 * @param options Other options than those of a sound set-up.
 */
export function makeCallbackServer(options: WhatsAppServerOptions = {}): WhatsAppServer {
  return new WhatsAppServer({
    hostname: "127.0.0.1",
    port: 0,
    behindProxy: true,
    pathName: "/whatsapp",
    verifyToken: VERIFY_TOKEN,
    appSecret: APP_SECRET,
    receiverToken: "token",
    journal: null,
    ...options,
  });
}
