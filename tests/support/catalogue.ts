/**
 * Random notifications from the whole catalogue of the Cloud API: all types, lists and fields, unknown members at every
 * level, members of another type, lists that are `null`, numbers beyond 2^53. Nearly every value is another, so that it
 * can be found again.
 */

import { isObject, type JsonObject } from "../../cloud_api/json.ts";
import { FIELD_VALUES } from "./field_values.ts";
import type { Random } from "./support.ts";

/** An integer that a double does not hold. */
export class BigNumber {
  constructor(readonly digits: string) {}

  /** Text that {@linkcode writeJson} replaces by the digits. */
  toJSON(): string {
    return `\u0001${this.digits}\u0001`;
  }
}

/** Writes JSON with all digits of big numbers. */
export function writeJson(value: unknown): string {
  return JSON.stringify(value).replaceAll('"\\u0001', "").replaceAll('\\u0001"', "");
}

/** One value of a notification that is neither an object nor an array. */
export interface Leaf {
  readonly path: string;
  readonly value: unknown;
}

/** Lists all leaves of a value; absent ones are left out. */
export function leavesOf(value: unknown, path = ""): Leaf[] {
  if (value === null || value === undefined || value === "") return [];
  if (Array.isArray(value)) return value.flatMap((item) => leavesOf(item, `${path}[]`));
  if (!isObject(value) || value instanceof Date || value instanceof BigNumber) return [{ path, value }];
  return Object.entries(value).flatMap(([key, member]) => leavesOf(member, `${path}.${key}`));
}

/** Kinds of records whose number the generator knows. */
export type CountedKind = "message" | "status" | "payment" | "userAction" | "echo" | "history" | "standby";

/** Sender of messages. */
interface Person {
  /** The members of a message that name its sender. */
  readonly from: JsonObject;
  readonly phone: string;
  readonly userId: string;
  readonly contact: JsonObject;
}

const MEDIA_TYPES = ["image", "video", "audio", "voice", "document", "sticker"] as const;
const STATUSES = ["sent", "delivered", "read", "played", "failed", "deleted", "warning", "in_orbit"] as const;
const UNKNOWN_KEYS = [
  "message_pins",
  "__proto__",
  "constructor",
  "toString",
  "length",
  "polls",
  "x-data",
  "key",
] as const;

/** Makes notifications. */
export class Catalogue {
  /** Values that stand in the notification once. */
  readonly unique: Set<string> = new Set();
  /** Number of items that must become records of a kind. */
  readonly kinds: Map<CountedKind, number> = new Map();
  #random: Random;
  #count = 0;
  #metadata: JsonObject = {};

  constructor(random: Random) {
    this.#random = random;
  }

  /** Makes a notification. */
  notification(): JsonObject {
    const entry = this.#some(1, 2, () => this.#entry());
    return this.#withUnknown({ object: "whatsapp_business_account", entry });
  }

  // ---- Values ------------------------------------------------------------------------------------------------------

  #unique(value: string): string {
    this.unique.add(value);
    return value;
  }

  #word(): string {
    return this.#unique(`w${++this.#count}`);
  }

  #number(): number {
    return Number(this.#unique(String(7_000_000 + ++this.#count)));
  }

  /** A time in s, as a text or a number. */
  #time(): string | number {
    const time = this.#unique(String(1_750_000_000 + ++this.#count));
    return this.#chance(2) ? time : Number(time);
  }

  #big(): BigNumber {
    return new BigNumber(this.#unique(`${this.#chance(3) ? "-" : ""}9007199254740993${++this.#count}`));
  }

  #chance(one: number): boolean {
    return this.#random.int(one) === 0;
  }

  #some<Item>(least: number, most: number, make: () => Item): Item[] {
    return Array.from({ length: least + this.#random.int(most - least + 1) }, make);
  }

  /** Leaves out some members, and makes some of them `null` or empty, as relays do. */
  #optional(members: JsonObject): JsonObject {
    const entries = Object.entries(members).map(([key, value]): [string, unknown] => {
      const absent = this.#chance(4);
      return [key, absent ? this.#random.pick([undefined, null, "", Array.isArray(value) ? [] : null]) : value];
    });
    return Object.fromEntries(entries.filter(([, value]) => value !== undefined));
  }

  /** Adds unknown members of any kind now and then. */
  #withUnknown(members: JsonObject): JsonObject {
    if (!this.#chance(3)) return members;
    const more = this.#some(1, 3, (): [string, unknown] => {
      return [this.#chance(2) ? this.#random.pick(UNKNOWN_KEYS) : `k${++this.#count}`, this.#unknown(0)];
    });
    const known = Object.entries(members);
    const added = new Map(more.filter(([key]) => !Object.hasOwn(members, key)));
    return Object.fromEntries(this.#chance(2) ? [...known, ...added] : [...added, ...known]);
  }

  /** Gives some known members a value of another type. */
  #distorted(members: JsonObject): JsonObject {
    const entries = Object.entries(members);
    return Object.fromEntries(entries.map(([key, value]) => [key, this.#chance(20) ? this.#unknown(1) : value]));
  }

  #unknown(depth: number): unknown {
    switch (this.#random.int(depth > 2 ? 5 : 8)) {
      case 0:
        return this.#word();
      case 1:
        return this.#number();
      case 2:
        return this.#big();
      case 3:
        return this.#chance(2);
      case 4:
        return this.#random.pick([null, "", [], {}]);
      case 5:
        return this.#some(0, 3, () => this.#unknown(depth + 1));
      case 6:
        return this.#some(1, 3, () => ({ id: this.#word(), timestamp: this.#time(), more: this.#unknown(depth + 1) }));
      default:
        return Object.fromEntries(this.#some(1, 3, () => [`k${++this.#count}`, this.#unknown(depth + 1)]));
    }
  }

  #counted(kind: CountedKind, count: number): void {
    this.kinds.set(kind, (this.kinds.get(kind) ?? 0) + count);
  }

  // ---- Entries and changes -----------------------------------------------------------------------------------------

  #entry(): JsonObject {
    const id = this.#random.pick([this.#digits(), this.#big()]);
    if (this.#chance(8)) {
      return this.#withUnknown({ id, time: this.#time(), changed_fields: ["messages", this.#word()] });
    }
    const changes = this.#some(1, 3, () => this.#change());
    const more = this.#chance(12) ? { changed_fields: [this.#word()] } : {};
    const head = this.#distorted({ id, ...this.#optional({ time: this.#time() }) });
    return this.#withUnknown({ ...head, changes, ...more });
  }

  #digits(): string {
    return this.#unique(String(900_000_000_000_000 + ++this.#count));
  }

  #change(): JsonObject {
    this.#metadata = {
      display_phone_number: `1555${1_000_000 + ++this.#count}`,
      phone_number_id: this.#random.pick([this.#digits(), this.#big()]),
    };
    const [field, value] = this.#random.pick([
      () => this.#messages(),
      () => this.#messages(),
      () => this.#echoes(),
      () => this.#standby(),
      () => this.#history(),
      () => this.#otherField(),
      () => [this.#word(), this.#withUnknown({ event: this.#word(), list: [{ id: this.#word() }] })],
    ])() as [string, JsonObject];
    return this.#withUnknown(this.#chance(2) ? { field, value } : { value, field });
  }

  #base(): JsonObject {
    const metadata = this.#withUnknown(this.#distorted(this.#metadata));
    return this.#distorted({ messaging_product: "whatsapp", metadata });
  }

  #people(): Person[] {
    return this.#some(1, 3, () => {
      const [phone, userId] = [`4917${1_000_000 + ++this.#count}`, `DE.${++this.#count}`];
      const profile = this.#withUnknown(this.#optional({ name: this.#word(), username: `@${this.#word()}` }));
      const contact = this.#withUnknown(this.#distorted({
        ...this.#optional({ profile, parent_user_id: this.#word(), identity_key_hash: this.#word() }),
        ...this.#random.pick<JsonObject>([{ wa_id: phone }, { wa_id: phone, user_id: userId }, { user_id: userId }]),
      }));
      const from = this.#random.pick<JsonObject>([
        { from: phone },
        { from: `+${phone}` },
        { from_user_id: userId, from: this.#random.pick([null, ""]) },
        { from: phone, from_user_id: userId, from_parent_user_id: `DE.ENT.${++this.#count}` },
        { from: userId },
        {},
      ]);
      return { from, phone, userId, contact };
    });
  }

  /** The contacts of some persons: not in their order. */
  #contacts(people: Person[]): JsonObject {
    const contacts = people.filter(() => !this.#chance(4)).map(({ contact }) => contact).reverse();
    return contacts.length === 0
      ? this.#random.pick<JsonObject>([{}, { contacts: null }, { contacts: [] }])
      : this.#distorted({ contacts });
  }

  // ---- Messages and statuses ---------------------------------------------------------------------------------------

  #messages(): [string, JsonObject] {
    const people = this.#people();
    const lists = this.#lists(people);
    const conversation_context = this.#withUnknown(
      this.#distorted({ type: "summary", summary: { text: this.#word() } }),
    );
    const more = this.#chance(4) ? this.#distorted({ conversation_context }) : {};
    return ["messages", this.#withUnknown({ ...this.#base(), ...this.#contacts(people), ...lists, ...more })];
  }

  #lists(people: Person[]): JsonObject {
    const lists: JsonObject = {};
    const messages = this.#random.pick([true, false, undefined]);
    if (messages) lists["messages"] = this.#some(1, 3, () => this.#message(this.#random.pick(people)));
    if (messages) this.#counted("message", (lists["messages"] as unknown[]).length);
    if (messages === false) lists["messages"] = this.#random.pick([null, []]);
    if (this.#chance(2)) lists["statuses"] = this.#some(1, 3, () => this.#status(this.#random.pick(people)));
    if (this.#chance(4)) lists["errors"] = this.#errors();
    if (this.#chance(4)) {
      lists["user_actions"] = this.#some(1, 2, () => {
        const data = this.#withUnknown({ click_id: this.#word(), tracking_token: this.#word() });
        return this.#withUnknown({ action_type: "tap", timestamp: this.#time(), tap_data: data });
      });
      this.#counted("userAction", (lists["user_actions"] as unknown[]).length);
    }
    return lists;
  }

  #errors(): JsonObject[] {
    return this.#some(1, 2, () =>
      this.#withUnknown({
        code: this.#number(),
        ...this.#optional({ title: this.#word(), message: this.#word(), href: this.#word() }),
        error_data: this.#withUnknown({ details: this.#word() }),
      }));
  }

  #message({ from }: Person): JsonObject {
    return this.#withUnknown({
      ...from,
      id: this.#word(),
      ...this.#optional({ timestamp: this.#time(), group_id: this.#word(), errors: this.#errors() }),
      ...this.#optional({ context: this.#context(), referral: this.#referral() }),
      ...this.#contents(),
    });
  }

  #context(): JsonObject {
    const product = { catalog_id: this.#word(), product_retailer_id: this.#word() };
    return this.#withUnknown(this.#optional({
      id: this.#word(),
      from: this.#word(),
      from_user_id: this.#word(),
      from_parent_user_id: this.#word(),
      forwarded: true,
      referred_product: this.#withUnknown(product),
    }));
  }

  #referral(): JsonObject {
    const keys = ["source_url", "source_id", "source_type", "headline", "body", "media_type", "image_url", "ctwa_clid"];
    const texts = Object.fromEntries(keys.map((key) => [key, this.#word()]));
    return this.#withUnknown(this.#optional({ ...texts, ref: this.#word(), welcome_message: { text: this.#word() } }));
  }

  /** The type of a message, and its contents. */
  #contents(): JsonObject {
    const makers = this.#contentMakers();
    const type = this.#random.pick(Object.keys(makers));
    const contents = makers[type]!();
    const members = contents === undefined
      ? {}
      : { [type]: isObject(contents) ? this.#withUnknown(contents) : contents };
    return this.#chance(20) ? members : { type, ...members };
  }

  #contentMakers(): Record<string, () => unknown> {
    const word = () => this.#word();
    const media = () => {
      const file = { id: this.#random.pick([this.#digits(), this.#big()]), mime_type: word(), sha256: word() };
      return { ...file, ...this.#optional({ caption: word(), filename: word(), url: word(), voice: true }) };
    };
    const texts = (...keys: string[]) => () => this.#optional(Object.fromEntries(keys.map((key) => [key, word()])));
    return {
      text: texts("body"),
      ...Object.fromEntries(MEDIA_TYPES.map((type) => [type, media])),
      location: () => ({ latitude: this.#number(), longitude: this.#number(), ...texts("name", "address", "url")() }),
      contacts: () => this.#some(1, 2, () => this.#card()),
      reaction: texts("message_id", "emoji"),
      interactive: () => {
        const type = this.#random.pick([
          "button_reply",
          "list_reply",
          "nfm_reply",
          "call_permission_reply",
          "product",
          "new",
        ]);
        return { type, [type]: this.#withUnknown(texts("id", "title", "description", "name", "body", "response")()) };
      },
      button: texts("text", "payload"),
      order: () => ({
        ...texts("catalog_id", "text")(),
        product_items: this.#some(
          1,
          2,
          () =>
            this.#withUnknown({
              product_retailer_id: word(),
              quantity: this.#number(),
              item_price: 1.5,
              currency: "EUR",
            }),
        ),
      }),
      system: texts("type", "body", "wa_id", "new_wa_id", "user_id", "previous_user_id", "customer", "identity"),
      unsupported: texts("type"),
      edit: () => ({
        original_message_id: word(),
        message: { context: { id: "M0" }, type: "text", text: { body: word() } },
      }),
      revoke: texts("original_message_id"),
      template: () => ({ name: word(), language: { code: word() }, components: [{ type: "body", text: word() }] }),
      request_welcome: () => undefined,
      media_placeholder: () => undefined,
      unknown: () => undefined,
      hologram: () => this.#unknown(0),
    };
  }

  #card(): JsonObject {
    const name = this.#withUnknown(this.#optional({ formatted_name: this.#word(), first_name: this.#word() }));
    return this.#withUnknown(this.#optional({
      name,
      phones: [this.#withUnknown({ phone: this.#word(), wa_id: this.#word(), type: "CELL" })],
      emails: [{ email: this.#word() }],
      addresses: [{ street: this.#word(), country_code: this.#word() }],
      org: { company: this.#word() },
      urls: [{ url: this.#word() }],
      vcard: this.#word(),
    }));
  }

  #status({ phone, userId }: Person): JsonObject {
    const type = this.#random.pick([undefined, undefined, "message", "payment", "call"]);
    this.#counted(type === "payment" ? "payment" : "status", 1);
    const recipient = this.#random.pick<JsonObject>([
      { recipient_id: phone },
      { recipient_id: "", recipient_user_id: userId },
      { recipient_user_id: userId, parent_recipient_user_id: this.#word() },
      { recipient_id: this.#word(), recipient_type: "group", recipient_participant_id: phone },
    ]);
    return this.#withUnknown({
      id: this.#word(),
      status: this.#random.pick(STATUSES),
      ...(type === undefined ? {} : { type }),
      ...recipient,
      ...this.#optional({
        timestamp: this.#time(),
        biz_opaque_callback_data: this.#word(),
        conversation: this.#withUnknown({
          id: this.#word(),
          expiration_timestamp: this.#time(),
          origin: { type: "x" },
        }),
        pricing: this.#withUnknown({ billable: true, pricing_model: "PMP", category: this.#word() }),
        errors: this.#errors(),
      }),
      ...(type === "payment" ? { payment: this.#payment() } : {}),
    });
  }

  #payment(): JsonObject {
    const amount = () => this.#withUnknown({ value: this.#number(), offset: 100 });
    const transaction = this.#withUnknown({
      id: this.#word(),
      ...this.#optional({
        type: this.#word(),
        status: this.#word(),
        created_timestamp: this.#time(),
        amount: amount(),
      }),
      ...this.#optional({ refunds: [this.#withUnknown({ id: this.#word(), amount: amount() })] }),
    });
    return this.#withUnknown({ reference_id: this.#word(), amount: amount(), currency: "BRL", transaction });
  }

  // ---- Echoes, standby, history ------------------------------------------------------------------------------------

  #echo(person: Person): JsonObject {
    const to = this.#random.pick<JsonObject>([{ to: person.phone }, { to_user_id: person.userId }, {
      to: `+${person.phone}`,
    }]);
    const more = this.#optional({ message_creation_type: this.#word(), to_parent_user_id: this.#word() });
    const from = { from: this.#metadata["display_phone_number"] };
    return this.#withUnknown({
      ...from,
      ...to,
      id: this.#word(),
      timestamp: this.#time(),
      ...more,
      ...this.#contents(),
    });
  }

  #wrappedEcho(person: Person): JsonObject {
    const to = this.#random.pick<JsonObject>([{ to: person.phone }, { recipient: person.userId }]);
    const message = this.#withUnknown({
      messaging_product: "whatsapp",
      recipient_type: "individual",
      ...to,
      ...this.#optional({ context: { message_id: this.#word() }, biz_opaque_callback_data: this.#word() }),
      ...this.#contents(),
    });
    return this.#withUnknown({ id: this.#word(), timestamp: this.#time(), message });
  }

  #echoes(): [string, JsonObject] {
    const people = this.#people();
    const message_echoes = this.#some(1, 3, () => this.#echo(this.#random.pick(people)));
    this.#counted("echo", message_echoes.length);
    const value = { ...this.#base(), ...this.#contacts(people), message_echoes };
    return [this.#random.pick(["smb_message_echoes", "message_echoes"]), this.#withUnknown(value)];
  }

  #standby(): [string, JsonObject] {
    const people = this.#people();
    const before = new Map(this.kinds);
    const { errors: _errors, user_actions: _actions, ...lists } = this.#lists(people);
    this.kinds.clear();
    for (const [kind, count] of before) this.kinds.set(kind, count);
    const { phone_number_id, display_phone_number } = this.#metadata;
    const inner: JsonObject = { ...this.#contacts(people), ...lists };
    if (this.#chance(2)) {
      inner["message_echoes"] = this.#some(1, 2, () => {
        const person = this.#random.pick(people);
        return this.#chance(2) ? this.#echo(person) : this.#wrappedEcho(person);
      });
    }
    for (const key of ["messages", "statuses", "message_echoes"]) {
      if (Array.isArray(inner[key])) this.#counted("standby", inner[key].length);
    }
    if (this.#chance(4)) inner["metadata"] = { phone_number_id, display_phone_number };
    if (this.#chance(4)) return ["standby", this.#withUnknown({ ...this.#base(), ...inner })];
    return ["standby", this.#withUnknown({ ...this.#base(), standby: this.#withUnknown(inner) })];
  }

  #history(): [string, JsonObject] {
    const people = this.#people();
    const value: JsonObject = { ...this.#base(), ...this.#contacts(people) };
    const list = this.#random.pick(["messages", "message_echoes", "history", "history"]);
    const makers: Record<string, (person: Person) => JsonObject> = {
      messages: (person) => this.#pastMessage(person),
      message_echoes: (person) => this.#echo(person),
      history: () => this.#chunk(people),
    };
    value[list] = this.#some(1, 2, () => makers[list]!(this.#random.pick(people)));
    for (const key of ["messages", "message_echoes"]) {
      if (Array.isArray(value[key])) this.#counted("history", value[key].length);
    }
    return ["history", this.#withUnknown(value)];
  }

  #chunk(people: Person[]): JsonObject {
    const metadata = this.#withUnknown(this.#distorted({ phase: 1, chunk_order: this.#number(), progress: 55 }));
    const threads = this.#some(0, 2, () => this.#thread(this.#random.pick(people)));
    return this.#withUnknown({
      ...this.#distorted({ metadata }),
      threads,
      ...(this.#chance(3) ? { errors: this.#errors() } : {}),
    });
  }

  #thread(person: Person): JsonObject {
    const messages = this.#some(0, 2, () => this.#pastMessage(person));
    this.#counted("history", messages.length);
    const ids = { user_id: person.userId, parent_user_id: this.#word(), username: `@${this.#word()}` };
    const context = this.#withUnknown(this.#distorted(this.#chance(2) ? ids : { ...ids, wa_id: person.phone }));
    if (this.#chance(2)) return this.#withUnknown({ ...this.#distorted({ context }), messages });
    return this.#withUnknown({ ...this.#distorted({ id: person.phone }), messages });
  }

  #pastMessage(person: Person): JsonObject {
    const business = { from: this.#metadata["display_phone_number"] };
    const { from } = this.#chance(2) ? person : { from: business };
    const message = this.#message({ ...person, from });
    return { ...message, history_context: this.#withUnknown({ status: this.#random.pick(["READ", "SENT"]) }) };
  }

  /** One of the values of other fields, with unknown members. */
  #otherField(): [string, JsonObject] {
    const { field, value } = this.#random.pick(Object.values(FIELD_VALUES));
    return [field, this.#withUnknown(value)];
  }
}

/** Writes a leaf as the texts of {@linkcode Catalogue.unique}. */
export function plain(value: unknown): string {
  if (value instanceof BigNumber) return value.digits;
  if (value instanceof Date) return String(value.getTime() / 1000);
  const text = String(value);
  return text.startsWith("@") ? text.slice(1) : text;
}
