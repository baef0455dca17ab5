import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { toCompression, toSettings } from "../../ws/options.ts";

const MiB = 1024 * 1024;

describe("options of ws", () => {
  it("has the limits of ws by default, and one on what waits to be sent", () => {
    const { maxMessageSize, maxBufferedAmount, closeTimeout, compression, options } = toSettings({});
    assertEquals([maxMessageSize, maxBufferedAmount, closeTimeout, compression], [100 * MiB, 128 * MiB, 30_000, false]);
    assertEquals(options, { manualPong: false, manualClose: true });
  });

  it("takes limits over, and settings of this library besides", () => {
    const settings = { pingInterval: 5, maxBufferedAmount: 7, options: { skipVersionCheck: true } };
    const taken = toSettings({ maxPayload: 1, maxFragments: 2, autoPong: false, closeTimeout: 3, settings });
    assertEquals([taken.maxMessageSize, taken.maxFragments, taken.closeTimeout], [1, 2, 3]);
    assertEquals([taken.pingInterval, taken.maxBufferedAmount], [5, 7]);
    assertEquals(taken.options, { skipVersionCheck: true, manualPong: true, manualClose: true });
    assertEquals(toSettings({ maxPayload: 500 * MiB }).maxBufferedAmount, 500 * MiB);
  });

  it("takes the options of compression over", () => {
    assertEquals([undefined, false, true].map(toCompression), [false, false, true]);
    const taken = toCompression({
      threshold: 9,
      serverNoContextTakeover: true,
      serverMaxWindowBits: 10,
      clientMaxWindowBits: 11,
      zlibDeflateOptions: { level: 3, memLevel: 4 },
      concurrencyLimit: 5,
    });
    assertEquals(taken, {
      threshold: 9,
      level: 3,
      memoryLevel: 4,
      serverNoContextTakeover: true,
      clientNoContextTakeover: undefined,
      serverMaxWindowBits: 10,
      clientMaxWindowBits: 11,
    });
  });
});
