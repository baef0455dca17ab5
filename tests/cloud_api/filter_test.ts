import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { OptionError } from "../../base/errors.ts";
import { signNotification } from "../../whatsapp.ts";
import { checkFilter, Envelope, mayHave, recordMatches, type WhatsAppFilter } from "../../cloud_api/filter.ts";
import { parseNotification } from "../../cloud_api/parse.ts";
import { concat } from "../../base/bytes.ts";
import { encode, type Random, until, withSeed } from "../support/support.ts";
import { changeOf, connect, post, SECRET, startServer, textsTo, wrap } from "../support/whatsapp.ts";

/** Returns the text that a token with this filter gets, whole or in part; `undefined`: none. */
function cut(json: string | Uint8Array, filter: WhatsAppFilter): { text: string; partial: boolean } | undefined {
  const body = typeof json === "string" ? encode(json) : json;
  const envelope = new Envelope(body);
  if (!envelope.changes.some((change) => mayHave(change, filter))) return undefined;
  const part = envelope.partFor(filter);
  return { text: new TextDecoder("utf-8", { ignoreBOM: true }).decode(part ?? body), partial: part !== undefined };
}

const ONE: WhatsAppFilter = { phoneNumberIds: ["1"] };
const PASSING = JSON.stringify(changeOf("1", { messages: [] }));
const OBJECT = '"object":"whatsapp_business_account"';
/** Expected part of a notification that holds `PASSING` and another change. */
const PART = `{${OBJECT},"entry":[{"id":"42","changes":[${PASSING}]}]}`;

describe("the filter of a token", () => {
  it("passes a notification unchanged if all of its changes pass", () => {
    const spaced = PART.replaceAll(":", " :\n").replace("messages", "me\\u0073sages");
    for (const json of [PART, spaced, `\uFEFF${PART}`]) assertEquals(cut(json, ONE), { text: json, partial: false });
  });

  it("passes what has its number elsewhere: handovers, settings, alerts", () => {
    const fields: [field: string, value: object][] = [
      ["messaging_handovers", { recipient: { phone_number_id: "1" } }],
      ["account_settings_update", { phone_number_settings: { phone_number_id: "1" } }],
      ["account_alerts", { entity_type: "PHONE_NUMBER", entity_id: "1" }],
    ];
    for (const [field, value] of fields) {
      const json = wrap([{ field, value }]);
      assertEquals(cut(json, ONE), { text: json, partial: false });
      assertEquals(cut(json, { phoneNumberIds: ["2"] }), undefined);
      for (const record of parseNotification(json).records) assert(recordMatches(record, ONE));
    }
  });

  const unknown: [what: string, json: string][] = [
    ["keys of the notification", `{${OBJECT},"secret":"S","entry":[{"id":"42","changes":[${PASSING}]}]}`],
    ["keys of an entry", `{${OBJECT},"entry":[{"id":"42","secret":"S","changes":[${PASSING}]}]}`],
    ["keys of a change", `{${OBJECT},"entry":[{"id":"42","changes":[${PASSING.replace("{", '{"secret":"S",')}]}]}`],
    [
      "entries without changes",
      `{${OBJECT},"entry":[{"id":"S"},{"id":"S","changes":[]},{"id":"42","changes":[${PASSING}]}]}`,
    ],
    ["entries that are no objects", `{${OBJECT},"entry":["S",["S"],null,{"id":"42","changes":[${PASSING}]}]}`],
    ["changes that are no objects", `{${OBJECT},"entry":[{"id":"42","changes":["S",["S"],7,null,${PASSING}]}]}`],
    [
      "changes without a field, or without an object as value",
      `{${OBJECT},"entry":[{"id":"42","changes":[{"value":{"metadata":{"phone_number_id":"1"},"a":"S"}},` +
      `{"field":7,"value":{"metadata":{"phone_number_id":"1"},"a":"S"}},{"field":"messages","value":"S"},${PASSING}]}]}`,
    ],
    ["a list of names that is none", `{${OBJECT},"entry":[{"id":"42","changed_fields":"S","changes":[${PASSING}]}]}`],
    ["a time that is no number", `{${OBJECT},"entry":[{"id":"42","time":"S","changes":[${PASSING}]}]}`],
    ["a key twice in the notification", `{"entry":[{"a":"S"}],${PART.slice(1)}`],
    ["a key twice in an entry", PART.replace('{"id"', '{"changes":["S"],"id"')],
    ["a key twice in a change", PART.replace('{"field"', '{"value":{"a":"S"},"field"')],
    ["a key twice in a value", PART.replace('"metadata"', '"metadata":{"a":"S"},"metadata"')],
    ["a key twice, once escaped", PART.replace('{"id"', '{"ch\\u0061nges":["S"],"id"')],
  ];
  for (const [what, json] of unknown) {
    it(`holds back ${what}`, () => {
      JSON.parse(json);
      assertEquals(cut(json, ONE), { text: PART, partial: true });
    });
  }

  it("holds back an account id of the wrong type, and changes that then have no account", () => {
    const json = PART.replace('"42"', '{"a":"S"}');
    assertEquals(cut(json, ONE), { text: PART.replace('"id":"42",', ""), partial: true });
    assertEquals(cut(json, { accountIds: ["42"] }), undefined);
    assertEquals(cut(json, { accountIds: [""], fields: ["x"] }), undefined);
  });

  it("passes no change whose value is no object, with any filter", () => {
    // Some of these numbers a double does not hold.
    for (const value of ['"S"', "7", "12345678901234567890", "1e999", "null", '["S"]', undefined]) {
      const odd = value === undefined ? '{"field":"messages"}' : `{"field":"messages","value":${value}}`;
      const filter = { accountIds: ["42"], fields: ["messages"] };
      assertEquals(cut(PART.replace(PASSING, odd), filter), undefined);
      assertEquals(cut(PART.replace(PASSING, `${PASSING},${odd}`), filter), { text: PART, partial: true });
    }
  });

  it("passes nothing of invalid UTF-8 except values made anew", () => {
    const bytes = encode(PART.replace("[]", '["?"]'));
    bytes[bytes.indexOf(0x3f)] = 0xff;
    assertEquals(cut(bytes, ONE), { text: PART.replace("[]", '["\uFFFD"]'), partial: true });
  });

  it("passes nothing of another product, and nothing that is no notification", () => {
    for (
      const json of [PART.replace("whatsapp_business_account", "page"), PART.replace(`${OBJECT},`, ""), `[${PART}]`]
    ) {
      assertEquals(cut(json, ONE), undefined);
      assertEquals(cut(json, {}), undefined);
    }
    for (const json of ["", "null", "7", '"x"', "[]", "{}", `{${OBJECT},"entry":{}}`, `${PART}x`]) {
      assertEquals(cut(json, {}), undefined);
    }
  });

  it("cuts names of fields too, which are about no number", () => {
    const json = `{${OBJECT},"entry":[{"id":"42","time":7,"changed_fields":["messages","security",7]},` +
      `{"id":"43","changed_fields":["messages"]}]}`;
    const head = `{${OBJECT},"entry":[{"id":"42","time":7,"changed_fields":["messages"]}]}`;
    assertEquals(cut(json, { accountIds: ["42"], fields: ["messages"] }), { text: head, partial: true });
    assertEquals(cut(json, { fields: ["security"] })?.text, head.replace("messages", "security"));
    assertEquals(cut(json, ONE), undefined);
    const odd = head.replace('["messages"]', '["messages",{"a":"S"}]');
    assertEquals(cut(odd, { accountIds: ["42"] }), { text: head, partial: true });
    assertEquals(cut(head, { accountIds: ["42"] }), { text: head, partial: false });
  });

  it("distinguishes numbers that a double cannot, and keeps the digits of those that pass", () => {
    const long = "90071992547409931";
    const json = `{${OBJECT},"entry":[{"id":${long},"changes":[${PASSING.replace('"1"', long)}]}]}`;
    const rounded = String(Number(long));
    for (const filter of [{ phoneNumberIds: [rounded] }, { accountIds: [rounded] }]) {
      assertEquals(cut(json, filter), undefined);
    }
    for (const filter of [{ phoneNumberIds: [long] }, { accountIds: [long] }]) {
      assertEquals(cut(json, filter), { text: json, partial: false });
      // The part is made anew, with the digits of the number as they came.
      const unknown = json.replace("{", '{"a":1,');
      assertEquals(cut(unknown, filter), { text: json, partial: true });
      assert(parseNotification(json).records.every((record) => recordMatches(record, filter)));
    }
    const beside = PART.replace('"messages":[]', `"id":${long},"messages":[1.50,1e3]`);
    assertEquals(cut(beside.replace("{", '{"a":1,'), ONE), { text: beside.replace("1e3", "1000"), partial: true });
    assertEquals(cut(PART.replaceAll('"1"', "1"), ONE)?.partial, false);
  });

  it("finds the number of handovers and settings, unless they name two", () => {
    const [one, two] = ["1", "2"].map((phone_number_id) => ({ phone_number_id }));
    const handover = (value: object): string => wrap([{ field: "messaging_handovers", value }]);
    for (const value of [{ recipient: one }, { phone_number_settings: one }, { recipient: one, metadata: one }]) {
      assertEquals(cut(handover(value), ONE), { text: handover(value), partial: false });
      assert(parseNotification(handover(value)).records.every((record) => recordMatches(record, ONE)));
    }
    for (const value of [{ recipient: one, metadata: two }, { recipient: one, phone_number_settings: two }]) {
      assertEquals(cut(handover(value), ONE), undefined);
      assert(!parseNotification(handover(value)).records.some((record) => recordMatches(record, ONE)));
    }
  });

  it("does not pass a change by its number if it names two", () => {
    const standby = (outer: object, inner: object): string =>
      wrap([{ field: "standby", value: { ...outer, standby: { ...inner } } }]);
    const [one, two] = ["1", "2"].map((id) => ({ metadata: { phone_number_id: id } }));
    assertEquals([standby(one!, two!), standby(two!, one!)].map((json) => cut(json, ONE)), [undefined, undefined]);
    for (const json of [standby(one!, one!), standby(one!, {}), standby({}, one!)]) {
      assertEquals(cut(json, ONE), { text: json, partial: false });
    }
  });

  it("reads nothing that is inherited", () => {
    const inherited = Object.prototype as Record<string, unknown>;
    const bare = wrap([{ field: "messages", value: { a: "S" } }]);
    try {
      inherited.metadata = { phone_number_id: "1" };
      inherited.entry = [{ id: "42", changes: [JSON.parse(PASSING)] }];
      inherited.phone_number_id = "1";
      inherited.changes = [JSON.parse(PASSING)];
      assertEquals(cut(bare, ONE), undefined);
      assertEquals(cut(`{${OBJECT}}`, ONE), undefined);
      assertEquals(cut(`{${OBJECT},"entry":[{"id":"42"}]}`, ONE), undefined);
    } finally {
      for (const key of ["metadata", "entry", "phone_number_id", "changes"]) delete inherited[key];
    }
    const own = `{${OBJECT},"entry":[{"id":"42","__proto__":{"changes":[${PASSING}]},"constructor":["S"]}]}`;
    assertEquals(cut(own, ONE), undefined);
    // A list that is overlooked would let everything through.
    assertThrows(() => checkFilter(Object.create({ phoneNumberIds: ["1"] })), OptionError, '"phoneNumberIds"');
    assertThrows(() => checkFilter(JSON.parse('{"__proto__":{"fields":[]}}')), OptionError, '"__proto__"');
    const fields = new Array<string>(1000).fill("messages");
    assertEquals(checkFilter({ fields }), { fields });
    assertThrows(() => checkFilter({ fields: [...fields, "messages"] }), OptionError, "1000");
  });

  it("agrees with all known notifications, where those are present", () => {
    const shared = new URL("../../../shared/whatsapp/", import.meta.url);
    for (const folder of ["samples/", "found/"]) {
      const url = new URL(folder, shared);
      if (!existsSync(url)) continue;
      for (const name of readdirSync(url).filter((name) => name.endsWith(".json"))) {
        const json = readFileSync(new URL(name, url), "utf8");
        assertEquals(cut(json, {}), { text: json, partial: false }, name);
      }
    }
  });
});

/** Notifications in which the text MARK stands wherever a token with `ALLOWED` may not read. */
const ALLOWED: WhatsAppFilter = { phoneNumberIds: ["1", "2"], accountIds: ["10", "11"], fields: ["messages", "calls"] };

class Generator {
  /** Changes that must come through. */
  readonly expected: string[] = [];
  #marks = false;
  /** Some hold nothing that must not come through. */
  #clean: boolean;
  constructor(readonly random: Random) {
    this.#clean = random.int(4) === 0;
  }

  /** `true` if there are others that must not. */
  get marks(): boolean {
    return this.#marks;
  }

  notification(): string {
    const entries = this.#many(4, () => this.#chance(8) ? this.#junk() : this.#entry());
    return this.#object(["entry", `[${entries}]`], ["object", '"whatsapp_business_account"']);
  }

  #chance(one: number): boolean {
    return !this.#clean && this.random.int(one) === 0;
  }

  #many(most: number, make: () => string): string[] {
    return Array.from({ length: this.random.int(most + 1) }, make);
  }

  /** Something that must not come through. */
  #junk(): string {
    this.#marks = true;
    return this.random.pick([
      '"MARK"',
      '["MARK"]',
      '{"MARK":"MARK"}',
      '{"id":"MARK"}',
      '{"changes":[{"field":"MARK"}]}',
    ]);
  }

  /** The members in any order, with others between them, and each key twice now and then. */
  #object(...members: [key: string, json: string][]): string {
    const parts: string[] = [];
    while (members.length > 0) {
      const [key, json] = members.splice(this.random.int(members.length), 1)[0]!;
      if (this.#chance(6)) parts.push(`${this.#spelled(key)}:${this.#junk()}`);
      parts.push(`${this.#spelled(key)}:${json}`);
      if (this.#chance(6)) {
        parts.push(`"${this.random.pick(["x", "__proto__", "Entry", "messages"])}":${this.#junk()}`);
      }
    }
    return `{${parts.join(this.random.pick([",", " ,\n"]))}}`;
  }

  #spelled(key: string): string {
    const at = this.random.int(key.length);
    const escaped = `\\u${key.charCodeAt(at).toString(16).padStart(4, "0")}`;
    return this.random.int(4) === 0 ? `"${key.slice(0, at)}${escaped}${key.slice(at + 1)}"` : `"${key}"`;
  }

  #entry(): string {
    const id = this.random.pick(this.#clean ? ["10", "11"] : ["10", "11", "12-MARK"]);
    if (id === "12-MARK") this.#marks = true;
    const members: [string, string][] = [["id", `"${id}"`], ["changes", `[${this.#many(4, () => this.#change(id))}]`]];
    if (this.random.int(3) === 0) members.push(["time", "1750000000"]);
    // Names are about no number, so that none passes.
    if (this.#chance(3)) members.push(["changed_fields", this.#junk()]);
    return this.#object(...members);
  }

  #change(account: string): string {
    if (this.#chance(8)) return this.#junk();
    const field = this.random.pick(this.#clean ? ["messages", "calls"] : ["messages", "calls", "security"]);
    const number = this.random.pick(this.#clean ? ['"1"', "1", '"2"'] : ['"1"', "1", '"2"', '"3"', "null", "[1]"]);
    const passes = account !== "12-MARK" && field !== "security" && ['"1"', "1", '"2"'].includes(number);
    const id = passes ? `GOOD-${this.expected.length}` : "MARK";
    if (passes) this.expected.push(id);
    else this.#marks = true;
    const value = this.random.int(4) === 0
      ? `{"a":"${id}","standby":{"metadata":{"phone_number_id":${number}}}}`
      : `{"metadata":{"phone_number_id":${number}},"messages":[{"id":"${id}"}]}`;
    return this.#object(["field", `"${field}"`], ["value", value]);
  }
}

describe("the filter of a token, for random notifications", () => {
  it("passes each allowed change, and no character of any other", () => {
    withSeed((random) => {
      let [whole, partial, nothing] = [0, 0, 0];
      for (let round = 0; round < 3000; round++) {
        const generator = new Generator(random);
        const json = generator.notification();
        JSON.parse(json);
        const got = cut(json, ALLOWED);
        if (generator.expected.length === 0) {
          nothing++;
          assertEquals(got, undefined, json);
          continue;
        }
        assert(got !== undefined && !got.text.includes("MARK"), `${json}\n${got?.text}`);
        const found = got.text.split("GOOD-").slice(1).map((rest) => `GOOD-${parseInt(rest)}`);
        assertEquals(found.sort(), [...generator.expected].sort(), json);
        if (generator.marks) assertEquals(got.partial, true, json);
        if (!got.partial) assertEquals(got.text, json);
        if (got.partial) partial++;
        else whole++;
      }
      // Else this test would test nothing.
      assert(whole > 20 && partial > 500 && nothing > 500, `${whole} ${partial} ${nothing}`);
    });
  });
});

describe("receivers whose token has a filter", () => {
  it("get what is known only, partial and without signature, with and without acknowledgement", async () => {
    await using server = await startServer({
      receiverToken: ["all", { token: "part", name: "part", filter: { phoneNumberIds: ["1"] } }],
    });
    const got: Record<string, string[]> = { all: [], plain: [] };
    const inbox: [raw: unknown, partial: boolean, signature: string][] = [];
    const receivers = [
      await connect(server, { receiverToken: "all", onMessageReceived: (raw) => void got.all!.push(raw) }),
      await connect(server, { receiverToken: "part" }),
      await connect(server, {
        receiverToken: "part",
        protocols: ["whatsapp-notifications"],
        onMessageReceived: (raw) => void got.plain!.push(raw),
      }),
    ];
    const loop = (async () => {
      for await (const { raw, partial, signature } of receivers[1]!.notifications) {
        inbox.push([raw, partial, signature]);
      }
    })();
    const bodies = [
      `{${OBJECT},"top":"S","entry":[{"id":"42","changes":[${PASSING}]}]}`,
      `{${OBJECT},"entry":[{"id":"S"}]}`,
      PART.replace('{"id"', '{"changes":["S"],"id"'),
      textsTo("1", "whole"),
    ];
    for (const body of bodies) assertEquals(await post(server, body), 200);
    await until(() => got.all!.length === 4 && inbox.length === 3 && got.plain!.length === 3, "all of them");
    const signature = signNotification(encode(bodies[3]!), SECRET);
    assertEquals(got.all, bodies);
    assertEquals(got.plain, [PART, PART, bodies[3]]);
    assertEquals(inbox, [[PART, true, ""], [PART, true, ""], [bodies[3], false, signature]]);
    for (const receiver of receivers) await receiver.disconnect();
    await loop;
  });

  it("get nothing at all of a notification in which nothing is known", async () => {
    await using server = await startServer({
      receiverToken: [{ token: "part", name: "part", filter: { accountIds: ["42"] } }],
    });
    const got: string[] = [];
    const protocols = [["whatsapp-inbox.v1"], ["whatsapp-notifications"]];
    const receivers = await Promise.all(protocols.map((protocols) =>
      connect(server, {
        receiverToken: "part",
        protocols,
        onMessageReceived: (raw) => void got.push(`${protocols} ${raw}`),
      })
    ));
    await post(server, PART.replace(PASSING, '{"field":"messages","value":"S"}'));
    await post(server, PART);
    await until(() => got.length === 2, "the other notification");
    assertEquals(got.sort(), [`whatsapp-inbox.v1 ${PART}`, `whatsapp-notifications ${PART}`]);
    for (const receiver of receivers) await receiver.disconnect();
  });

  it("do not delay others with a notification nested too deeply to be parsed", async () => {
    await using server = await startServer({
      receiverToken: [
        "all",
        { token: "part", name: "part", filter: { phoneNumberIds: ["1"] } },
        { token: "both", name: "both", filter: { phoneNumberIds: ["1", "2"] } },
      ],
      maxBodySize: 4 * 1024 * 1024,
    });
    const ids: string[] = [];
    const whole: string[] = [];
    const receivers = [
      await connect(server, {
        receiverToken: "part",
        protocols: ["whatsapp-notifications"],
        onWhatsAppMessageReceived: ({ id }) => void ids.push(`plain ${id}`),
      }),
      await connect(server, {
        receiverToken: "part",
        onWhatsAppMessageReceived: ({ id }) => void ids.push(`inbox ${id}`),
      }),
      await connect(server, {
        receiverToken: "both",
        protocols: ["whatsapp-notifications"],
        onMessageReceived: (raw) => void whole.push(raw),
      }),
      await connect(server, { receiverToken: "all", onMessageReceived: (raw) => void whole.push(raw) }),
    ];
    const deep = "[".repeat(200_000) + "]".repeat(200_000);
    const changes = `${PASSING.replace("[]", deep)},${PASSING.replace('"1"', '"2"')}`;
    const body = PART.replace(PASSING, changes);
    assertEquals(await post(server, body), 200);
    assertEquals(await post(server, textsTo("1", "next")), 200);
    await until(() => ids.length === 2 && whole.length === 4, "the next one");
    assertEquals(ids.sort(), ["inbox next", "plain next"]);
    assertEquals(whole.filter((raw) => raw === body).length, 2);
    for (const receiver of receivers) await receiver.disconnect();
  });
});

describe("the key count behind it", () => {
  it("is not confused by quotes and backslashes in texts", () => {
    const text = String.raw`"\\":":\":{\\\":","a\"b:":"::","c":["\\",":"]`;
    const json = PART.replace('"messages":[]', `${text},"messages":[]`);
    assertEquals(cut(json, ONE), { text: json, partial: false });
    assertStringIncludes(cut(json.replace('"c":', '"a\\"b:":'), ONE)!.text, '"a\\"b:":["');
    assertEquals(cut(json.replace('"c":', '"a\\"b:":'), ONE)?.partial, true);
    assertEquals(cut(concat(encode(json), encode(" \n")), ONE)?.partial, false);
  });
});
