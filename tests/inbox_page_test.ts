/**
 * The live inbox: its conversations and its drawing, without a page. With one: `chromium_test.ts`.
 */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { Conversations, MAX_CONVERSATIONS, MAX_ENTRIES } from "../examples/inbox/conversations.ts";
import { LAND } from "../examples/inbox/land.ts";
import { formatPlace } from "../examples/inbox/map.ts";
import { buildPage } from "../examples/inbox/page.ts";
import { scenes } from "../examples/inbox/scenes.ts";
import { parseNotification } from "../cloud_api/parse.ts";
import type { WhatsAppMessage } from "../cloud_api/messages.ts";
import type { WhatsAppEcho, WhatsAppStatus } from "../cloud_api/records.ts";
import { describePeer } from "./support/peers.ts";

function message(id: string, more: Record<string, unknown> = {}): WhatsAppMessage {
  return {
    kind: "message",
    id,
    type: "text",
    text: { body: id },
    sender: { id: "1", name: "Anna" },
    field: "messages",
    accountId: "",
    errors: [],
    raw: {},
    ...more,
  } as WhatsAppMessage;
}

function reaction(messageId: string, emoji: string | undefined, sender = "1"): WhatsAppMessage {
  return message(`${messageId}-${sender}`, {
    type: "reaction",
    reaction: { messageId, emoji },
    sender: { id: sender },
  });
}

function status(id: string, state: string, recipientId: string | undefined = "1"): WhatsAppStatus {
  return { kind: "status", id, status: state, recipientId, field: "messages", accountId: "", errors: [], raw: {} };
}

describe("Conversations", () => {
  it("put the chat with the newest message first, and count unread messages", () => {
    const conversations = new Conversations();
    conversations.takeMessage(message("a"));
    conversations.takeMessage(message("b", { sender: { id: "2" } }));
    conversations.takeMessage(message("c"));
    assertEquals(conversations.all.map(({ name, entries }) => [name, entries.length]), [["Anna", 2], ["2", 1]]);
    assertEquals(conversations.unread, 3);
    conversations.markRead("1");
    conversations.markRead("nobody");
    assertEquals([conversations.unread, conversations.get("1")?.unread], [1, 0]);
  });

  it("take a message once, and keep a group apart from its members", () => {
    const conversations = new Conversations();
    assertEquals(conversations.takeMessage(message("a"))?.entry.id, "a");
    assertEquals(conversations.takeMessage(message("a")), undefined);
    conversations.takeMessage(message("b", { groupId: "group" }));
    assertEquals(conversations.all.map(({ id }) => id), ["group", "1"]);
  });

  it("put reactions on their message, whichever comes first, and take them back", () => {
    const conversations = new Conversations();
    assertEquals(conversations.takeMessage(reaction("a", "👍")), undefined);
    const { entry } = conversations.takeMessage(message("a"))!;
    assertEquals([...entry.reactions].map(([who, { emoji }]) => [who, emoji]), [["1", "👍"]]);
    conversations.takeMessage(reaction("a", "❤️", "2"));
    conversations.takeMessage(reaction("a", "🎉"));
    assertEquals([...entry.reactions.values()].map(({ emoji }) => emoji), ["🎉", "❤️"]);
    assertEquals(conversations.takeMessage(reaction("a", undefined))?.entry, entry);
    assertEquals([...entry.reactions.values()].map(({ emoji }) => emoji), [undefined, "❤️"]);
    assertEquals(conversations.all.length, 1);
    // One that was taken back is told once more, as it was.
    const late = message("late", {
      type: "reaction",
      reaction: { messageId: "a", emoji: "👍" },
      timestamp: new Date(1_790_000_000_000),
    });
    assertEquals(conversations.takeMessage(late), undefined);
    assertEquals([...entry.reactions.values()].map(({ emoji }) => emoji), [undefined, "❤️"]);
  });

  it("report new entries, for the order of the list", () => {
    const conversations = new Conversations();
    assertEquals(conversations.takeMessage(message("a"))?.added, true);
    assertEquals(conversations.takeMessage(reaction("a", "👍"))?.added, false);
    assertEquals(conversations.takeStatus(status("b", "sent"))?.added, true);
    assertEquals(conversations.takeStatus(status("b", "read"))?.added, false);
  });

  it("let a status go forward only; a failure counts whenever it comes", () => {
    const conversations = new Conversations();
    const states = ["sent", "read", "delivered", "read", "failed", "sent"];
    const changes = states.map((state) => conversations.takeStatus(status("x", state))?.entry.status);
    assertEquals(changes.map((change) => change !== undefined), [true, true, false, false, true, false]);
    assertEquals(conversations.get("1")?.entries.map((entry) => entry.status), ["failed"]);
    assertEquals(conversations.unread, 0);
    assertEquals(conversations.takeStatus({ ...status("y", "sent"), recipientId: undefined }), undefined);
  });

  it("take messages that the business sent with the app, once", () => {
    const conversations = new Conversations();
    const base = { kind: "echo", field: "smb_message_echoes", accountId: "", raw: {} } as const;
    const echo: WhatsAppEcho = { ...base, to: "1", recipientName: "Anna", message: message("a") };
    const change = conversations.takeEcho(echo)!;
    assertEquals([change.added, change.conversation.name, change.entry.own?.id], [true, "Anna", "a"]);
    assertEquals([change.entry.message, conversations.unread], [undefined, 0]);
    assertEquals(conversations.takeEcho(echo), undefined);
    assertEquals(conversations.takeEcho({ ...echo, to: "", message: message("b") }), undefined);
    assertEquals(conversations.takeStatus(status("a", "read"))?.entry.status, "read");
  });

  it("keep payments apart from the message that asked for them, an entry for each attempt", () => {
    const conversations = new Conversations();
    conversations.takeStatus(status("a", "read"));
    const pay = (name: string, transaction: string): string | undefined => {
      const payment = { referenceId: "order-17", transaction: { id: transaction } };
      return conversations.takePayment({ ...status("a", name), kind: "payment", payment })?.entry.status;
    };
    assertEquals([pay("pending", "t1"), pay("failed", "t1"), pay("pending", "t1")], ["pending", "failed", undefined]);
    assertEquals(pay("captured", "t2"), "captured");
    assertEquals(conversations.get("1")?.entries.map((entry) => entry.status), ["read", "failed", "captured"]);
  });

  it("forget the oldest beyond their limits", () => {
    const conversations = new Conversations();
    conversations.takeMessage(reaction("a0", "👍"));
    for (let index = 0; index < MAX_ENTRIES + 10; index++) conversations.takeMessage(message(`a${index}`));
    assertEquals(conversations.get("1")?.entries.length, MAX_ENTRIES);
    assertEquals(conversations.get("1")?.entries[0]?.id, "a10");
    // What was forgotten may come again.
    assertEquals(conversations.takeMessage(message("a0"))?.entry.reactions.size, 0);
    for (let index = 0; index < MAX_CONVERSATIONS; index++) {
      conversations.takeMessage(message(`b${index}`, { sender: { id: `b${index}` } }));
    }
    assertEquals(conversations.all.length, MAX_CONVERSATIONS);
    assertEquals(conversations.get("1"), undefined);
    assertEquals(conversations.takeMessage(message("a300"))?.added, true);
    for (let index = 0; index < 2000; index++) conversations.takeMessage(reaction(`c${index}`, "👍"));
    const early = (id: string): number => conversations.takeMessage(message(id))!.entry.reactions.size;
    assertEquals([early("c0"), early("c1999")], [0, 1]);
  });
});

describe("the map", () => {
  it("writes coordinates as people do", () => {
    assertEquals(formatPlace(50.9413, 6.9583), "50.9413° N, 6.9583° E");
    assertEquals(formatPlace(-33.45, -70.6667), "33.4500° S, 70.6667° W");
  });

  it("has an outline whose every step is a number", () => {
    assertEquals(LAND.replaceAll(/[MZlz \-\d]/g, ""), "");
    assertStringIncludes(LAND, "M");
  });
});

describePeer("the page", "deno bundle", () => {
  it("is one file with a policy that lets nothing else in", async () => {
    const { html, headers } = await buildPage();
    const policy = headers["content-security-policy"]!;
    for (const part of ["default-src 'none'", "connect-src 'self'", "require-trusted-types-for 'script'"]) {
      assertStringIncludes(policy, part);
    }
    assertEquals(policy.includes("unsafe"), false);
    const outside = [...html.matchAll(/(?:src|href|url)\s*[=(]\s*["']?([^"')\s>]+)/g)].map(([, address]) => address);
    assertEquals(outside.filter((address) => address!.includes("//")), []);
    assertEquals(html.split("</script").length, 2);
    assertEquals(/innerHTML|outerHTML|insertAdjacentHTML|document\.write/.test(html), false);
  });
});

describe("the page", () => {
  it("has a story of valid notifications to tell", () => {
    const records = [...scenes()].flatMap((json) => {
      const { records, skipped } = parseNotification(json);
      assertEquals(skipped, []);
      return records;
    });
    const types = new Set<string>(records.map((record) => record.kind === "message" ? record.type : record.kind));
    for (const type of ["text", "image", "document", "location", "reaction", "audio", "status"]) {
      assertEquals(types.has(type), true, type);
    }
  });
});
