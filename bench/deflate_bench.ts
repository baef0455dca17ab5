/**
 * Small messages through zlib: the synchronous state that is used here against the ways that `node:zlib` documents.
 * Each compresses or decompresses a WhatsApp notification that is like the one before it.
 */

import { constants, createDeflateRaw, createInflateRaw, deflateRawSync, inflateRawSync } from "node:zlib";
import { compressionSettings, MessageDeflater, MessageInflater } from "../protocol/deflate.ts";

const SETTINGS = compressionSettings(true)!;
const TAIL = Uint8Array.of(0, 0, 0xff, 0xff);
const FLUSH = constants.Z_SYNC_FLUSH;
const message = new TextEncoder().encode(JSON.stringify({
  object: "whatsapp_business_account",
  entry: [{
    id: "102290129340398",
    changes: [{
      field: "messages",
      value: {
        messaging_product: "whatsapp",
        metadata: { display_phone_number: "15550783881", phone_number_id: "106540352242922" },
        contacts: [{ profile: { name: "Sheena Nelson" }, wa_id: "16505551234" }],
        messages: [{
          from: "16505551234",
          id: "wamid.HBgLMTY1MDM4Nzk0MzkVAgASGBQzQTRBNjU5OUFFRTAzODEwMTQ0RgA=",
          timestamp: "1749416383",
          type: "text",
          text: { body: "Does it come in another color?" },
        }],
      },
    }],
  }],
}));
const alone = deflateRawSync(message, { finishFlush: FLUSH });
const ignore = (): void => {};

const deflateGroup = `compress ${message.length} B`;
const stream = createDeflateRaw();
stream.on("data", ignore);
Deno.bench({ name: "node:zlib stream", group: deflateGroup, baseline: true }, async () => {
  stream.write(message);
  await new Promise<void>((resolve) => stream.flush(FLUSH, () => resolve()));
});
Deno.bench({ name: "deflateRawSync, no context", group: deflateGroup }, () => {
  deflateRawSync(message, { finishFlush: FLUSH });
});
const deflater = new MessageDeflater("server", SETTINGS, SETTINGS);
Deno.bench({ name: "ours, context takeover", group: deflateGroup }, () => void deflater.compress(message, true));
const resetting = new MessageDeflater("server", { ...SETTINGS, serverNoContextTakeover: true }, SETTINGS);
Deno.bench({ name: "ours, no context takeover", group: deflateGroup }, () => void resetting.compress(message, true));

const inflateGroup = `decompress to ${message.length} B`;
const inflateStream = createInflateRaw();
inflateStream.on("data", ignore);
Deno.bench({ name: "node:zlib stream", group: inflateGroup, baseline: true }, async () => {
  inflateStream.write(alone);
  await new Promise<void>((resolve) => inflateStream.flush(FLUSH, () => resolve()));
});
Deno.bench({ name: "inflateRawSync, no context", group: inflateGroup }, () => {
  inflateRawSync(alone, { finishFlush: FLUSH });
});
const wire = alone.subarray(0, -TAIL.length);
const inflater = new MessageInflater("server", SETTINGS);
Deno.bench({ name: "ours, context takeover", group: inflateGroup }, () => {
  inflater.decompress(wire, 0, wire.length, ignore);
  inflater.finish(ignore);
});
const forgetting = new MessageInflater("server", { ...SETTINGS, clientNoContextTakeover: true });
Deno.bench({ name: "ours, no context takeover", group: inflateGroup }, () => {
  forgetting.decompress(wire, 0, wire.length, ignore);
  forgetting.finish(ignore);
});
