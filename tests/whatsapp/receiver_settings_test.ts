import { assertRejects, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { OptionError } from "../../base/errors.ts";
import {
  assertInboxProtocol,
  assertReceiverSettings,
  type ReceiverSettings,
} from "../../whatsapp/receiver_settings.ts";
import { WhatsAppReceiver } from "../../whatsapp.ts";

const NONE: ReceiverSettings = {
  name: undefined,
  share: false,
  after: undefined,
  window: undefined,
  filter: undefined,
  receiverToken: undefined,
  appSecret: undefined,
};

describe("assertReceiverSettings", () => {
  it("takes each setting within its range", () => {
    const usable: Partial<ReceiverSettings>[] = [
      {},
      { name: "bot", share: true },
      { after: 0 },
      { after: { journal: "j", after: 7 } },
      { window: 1 },
      { window: 4096 },
      { filter: { fields: [] } },
      { receiverToken: "t" },
      { receiverToken: () => "" },
      { appSecret: ["a", "b"] },
    ];
    for (const settings of usable) assertReceiverSettings({ ...NONE, ...settings });
  });

  it("names the setting that is out of range, or lacks another", () => {
    const wrong: [Partial<ReceiverSettings>, string][] = [
      [{ name: "" }, "name"],
      [{ share: true }, '"share"'],
      [{ after: -1 }, '"after"'],
      [{ after: { journal: "j", after: 0.5 } }, '"after"'],
      [{ window: 0 }, '"window"'],
      [{ window: 4097 }, '"window"'],
      [{ filter: { unknown: [] } as unknown as ReceiverSettings["filter"] }, "filter"],
      [{ receiverToken: "" }, '"receiverToken"'],
      [{ appSecret: [] }, '"appSecret"'],
    ];
    for (const [settings, name] of wrong) {
      assertThrows(() => assertReceiverSettings({ ...NONE, ...settings }), OptionError, name);
    }
  });
});

describe("assertInboxProtocol", () => {
  it("names the setting that needs the inbox subprotocol, if the program offers others only", () => {
    const needs: Partial<ReceiverSettings>[] = [{ name: "a" }, { after: 0 }, { window: 1 }, { appSecret: "s" }];
    for (const settings of needs) {
      const [name] = Object.keys(settings);
      for (const protocols of [[], ["chat"], ["whatsapp-notifications"]]) {
        assertThrows(() => assertInboxProtocol({ ...NONE, ...settings }, protocols), OptionError, `"${name}" needs`);
      }
      assertInboxProtocol({ ...NONE, ...settings }, ["chat", "whatsapp-inbox.v1"]);
    }
    assertInboxProtocol(NONE, ["chat"]);
  });

  it("is asked when a receiver is made, and when it connects", async () => {
    assertThrows(() => new WhatsAppReceiver({ name: "a", protocols: ["chat"] }), OptionError, '"protocols"');
    const receiver = new WhatsAppReceiver({ name: "a" });
    receiver.protocols = ["chat"];
    await assertRejects(() => receiver.connect(), OptionError, '"protocols"');
  });
});
