import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
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
