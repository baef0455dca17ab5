import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { inspect } from "node:util";
import { OptionError } from "../../base/errors.ts";
import { draftOf, type MessageContents, rawDraft } from "../../cloud_api/message_contents.ts";
import { assertRefused } from "../support/limits.ts";

const link = "https://a.b/c";
const product = { catalogId: "1", productRetailerId: "2" };
const card = { image: { link }, button: "Shop", url: link };

/** Contents of each kind, and type and `interactive.type` of the message. */
const ROWS: readonly [contents: MessageContents, type: string, interactive?: string][] = [
  [{ text: "a" }, "text"],
  [{ text: { body: "a" } }, "text"],
  [{ image: { link } }, "image"],
  [{ video: { link } }, "video"],
  [{ audio: { link } }, "audio"],
  [{ document: { link } }, "document"],
  [{ sticker: { link } }, "sticker"],
  [{ location: { latitude: 1, longitude: 2 } }, "location"],
  [{ contacts: [{ name: { formattedName: "A" } }] }, "contacts"],
  [{ reaction: { messageId: "wamid.IN", emoji: "👍" } }, "reaction"],
  [{ buttons: { body: "a", buttons: [{ id: "1", title: "One" }] } }, "interactive", "button"],
  [{ list: { body: "a", button: "b", sections: [{ rows: [{ id: "1", title: "One" }] }] } }, "interactive", "list"],
  [{ urlButton: { body: "a", button: "b", url: link } }, "interactive", "cta_url"],
  [{ flow: { body: "a", button: "b", flowId: "1" } }, "interactive", "flow"],
  [{ product }, "interactive", "product"],
  [
    { products: { header: "a", body: "b", catalogId: "1", sections: [{ products: ["2"] }] } },
    "interactive",
    "product_list",
  ],
  [{ catalog: { body: "a" } }, "interactive", "catalog_message"],
  [{ carousel: { body: "a", cards: [card, card] } }, "interactive", "carousel"],
  [{ addressRequest: { body: "a", country: "IN" } }, "interactive", "address_message"],
  [{ locationRequest: "a" }, "interactive", "location_request_message"],
  [{ contactRequest: "a" }, "interactive", "request_contact_info"],
  [{ callButton: { body: "a" } }, "interactive", "voice_call"],
  [{ callPermissionRequest: "a" }, "interactive", "call_permission_request"],
  [{ interactive: { type: "new" } }, "interactive", "new"],
  [{ template: { name: "a", language: "de" } }, "template"],
];

describe("draftOf()", () => {
  it("makes messages of each kind", () => {
    for (const [contents, type, interactive] of ROWS) {
      const draft = draftOf(contents);
      assertEquals(draft.type, type);
      if (interactive !== undefined) assertEquals(Reflect.get(draft.contents, "type"), interactive);
    }
    assertEquals(draftOf("a"), draftOf({ text: "a" }));
  });

  it("refuses none, several, and unknown kinds", () => {
    assertRefused(() => draftOf({} as never), "A message needs one of", "it has none");
    assertRefused(() => draftOf({ text: "a", image: { link } } as never), "it has text, image");
    assertRefused(() => draftOf({ picture: { link } } as never), 'A message has no option "picture"');
    assertRefused(() => draftOf({ imag: { link } } as never), 'did you mean "image"');
    assertRefused(() => draftOf(7 as never), "A message takes options as an object such as { image:");
    assertRefused(() => draftOf({ text: undefined } as never), "it has none");
  });
});

describe("rawDraft()", () => {
  it("takes objects and arrays as they are", () => {
    const contents = { type: "new", body: { text: "x".repeat(9999) } };
    assertEquals(rawDraft("interactive", contents), { type: "interactive", contents, uploads: [] });
    assertEquals(rawDraft("contacts", [{ name: 1 }]).contents, [{ name: 1 }]);
    assertRefused(() => rawDraft("interactive", "a" as never), '"interactive" is "a" instead of an object');
  });
});

/** Values that programs in JavaScript may give by mistake. */
const ODD: readonly unknown[] = [null, undefined, true, 7, NaN, "", "x", [], [null], {}, { a: 1 }, () => {}, 7n];

/** Lists copies of a value, each with one part replaced, at every depth. */
function* mistakes(value: unknown): Generator<unknown> {
  yield* ODD;
  if (typeof value !== "object" || value === null || value instanceof Blob || value instanceof Date) return;
  for (const key of Object.keys(value)) {
    for (const wrong of mistakes(Reflect.get(value, key))) {
      const copy: object = Array.isArray(value) ? [...value] : { ...value };
      Reflect.set(copy, key, wrong);
      yield copy;
    }
  }
}

/** Contents with all members, for what a mistake may do to each. */
const FULL: readonly MessageContents[] = [
  { document: { file: new Blob(["a"]), mimeType: "a/b", size: 1, filename: "a", caption: "b" } },
  {
    contacts: [{
      name: { formattedName: "A", firstName: "B" },
      phones: [{ phone: "1", waId: "2", type: "HOME" }],
      addresses: [{ street: "s" }],
      org: { company: "c" },
      birthday: "2000-01-01",
    }],
  },
  { buttons: { body: "a", footer: "f", header: { image: { link } }, buttons: [{ id: "1", title: "One" }] } },
  { list: { body: "a", header: "h", button: "b", sections: [{ title: "t", rows: [{ id: "1", title: "One" }] }] } },
  { flow: { body: "a", button: "b", flowId: "1", mode: "draft", token: "t", screen: "s", data: { a: 1 } } },
  { carousel: { body: "a", cards: [{ ...card, body: "b" }, { ...card, buttons: [{ id: "1", title: "One" }] }] } },
  { carousel: { body: "a", cards: [product, product] } },
  { addressRequest: { body: "a", country: "IN", values: { a: 1 }, savedAddresses: [{ id: "1" }] } },
  { callButton: { body: "a", button: "b", ttlMinutes: 1, payload: "p" } },
  {
    template: {
      name: "a",
      language: "de",
      header: { document: { link, filename: "f" } },
      body: ["a", { currency: { code: "EUR", amount: 1, fallback: "f" } }, { dateTime: "d" }],
      buttons: [
        { index: 1, quickReply: "a" },
        { flow: { token: "t", data: { a: 1 } } },
        { catalog: { thumbnailProductRetailerId: "1" } },
        { products: { thumbnailProductRetailerId: "1", sections: [{ title: "t", products: ["a"] }] } },
        { callButton: { ttlMinutes: 1, payload: "p" } },
        { orderDetails: { a: 1 } },
      ],
      cards: [{ header: { product }, body: { name: "a" }, buttons: [{ url: "b" }] }],
      limitedTimeOffer: new Date(0),
      components: [{ type: "body" }],
    },
  },
  { template: { name: "a", language: "de", header: { location: { latitude: 1, longitude: 2, name: "n" } } } },
];

describe("Contents with a mistake", () => {
  it("are refused with an OptionError, or make a message: no other error comes", () => {
    let refused = 0;
    for (const contents of [...ROWS.map(([row]) => row), ...FULL]) {
      for (const wrong of mistakes(contents)) {
        try {
          draftOf(wrong as MessageContents);
        } catch (error) {
          assert(error instanceof OptionError, `${error} of ${inspect(wrong)}`);
          refused++;
        }
      }
    }
    assert(refused > 1000, `${refused} refused`);
  });
});
