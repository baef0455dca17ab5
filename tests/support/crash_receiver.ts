/**
 * A receiver that writes down what it gets before it acknowledges it, and connects again for ever; for `crash.ts`,
 * which kills it. URL NAME FILE [share]. The secrets are in the environment.
 */

import { createHash } from "node:crypto";
import { appendFileSync } from "node:fs";
import process from "node:process";
import { WhatsAppReceiver } from "../../whatsapp.ts";

const [url, name, file, share] = process.argv.slice(2);
const receiver = new WhatsAppReceiver(url, {
  name,
  share: share === "share",
  receiverToken: process.env.WHATSAPP_RECEIVER_TOKEN,
  appSecret: process.env.WHATSAPP_APP_SECRET,
  onError: (error) => appendFileSync(file!, `error ${error}\n`),
});
for (;;) {
  try {
    await receiver.connect();
    for await (const { seq, raw } of receiver.notifications) {
      // One write, so that a line is there or not.
      appendFileSync(file!, `${seq} ${createHash("sha256").update(raw).digest("hex")}\n`);
    }
  } catch {
    // The server has been killed.
  }
  // Real time between attempts: the server is another process, which is being started anew.
  await new Promise((resolve) => setTimeout(resolve, 20));
}
