import { assertEquals, assertStrictEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import type { Draft } from "../../cloud_api/contents.ts";
import type { JsonObject } from "../../cloud_api/json.ts";
import { templateDraft, type TemplateHeader, type TemplateParameters } from "../../cloud_api/template_components.ts";
import { assertCounts, assertLongest, assertRefused } from "../support/limits.ts";

const make = (values: TemplateParameters): Draft => templateDraft({ name: "order", language: "en_US", ...values });

/** Reads a member of the components: `0.parameters.0.text`. */
function at(draft: Draft, path: string): unknown {
  const { components } = draft.contents as JsonObject;
  return path.split(".").reduce<unknown>((value, key) => (value as JsonObject | undefined)?.[key], components);
}

const componentsOf = (values: TemplateParameters): unknown => (make(values).contents as JsonObject).components;

describe("templateDraft()", () => {
  it("makes templates without values, and with components as the Cloud API wants them", () => {
    const template = { name: "order", language: { code: "en_US" } };
    assertEquals(make({}), { type: "template", contents: template, uploads: [] });
    const components = [{ type: "body", parameters: [{ type: "text", text: "x" }] }, { type: "order_status" }];
    assertEquals(make({ components }).contents, { ...template, components });
    assertEquals(make({ components: [] }).contents, { ...template, components: [] });
    assertEquals(componentsOf({ header: "H", components }), [
      { type: "header", parameters: [{ type: "text", text: "H" }] },
      ...components,
    ]);
    assertRefused(() => make({ components: ["x" as never] }), '"components" is "x" instead of an object');
  });

  it("needs a name and a language", () => {
    const named = (name: string): unknown => (templateDraft({ name, language: "de" }).contents as JsonObject).name;
    assertLongest("name", 512, named);
    assertRefused(() => templateDraft({ name: "a" } as never), '"language" is undefined instead of a text');
    assertRefused(() => templateDraft({ name: "a", lang: "de" } as never), 'use "language"');
  });
});

describe("Values of a template's text", () => {
  it("stand in order, or have names", () => {
    const price = { currency: { code: "EUR", amount: 12.345, fallback: "12,35 €" } };
    const currency = { code: "EUR", amount_1000: 12345, fallback_value: "12,35 €" };
    const time = { type: "date_time", date_time: { fallback_value: "1 May" } };
    assertEquals(componentsOf({ body: ["Ada", price, { dateTime: "1 May" }] }), [
      { type: "body", parameters: [{ type: "text", text: "Ada" }, { type: "currency", currency }, time] },
    ]);
    assertEquals(componentsOf({ body: { first_name: "Ada", price } }), [{
      type: "body",
      parameters: [
        { type: "text", text: "Ada", parameter_name: "first_name" },
        { type: "currency", currency, parameter_name: "price" },
      ],
    }]);
    assertEquals(at(make({ header: { text: { title: "H" } } }), "0.parameters.0"), {
      type: "text",
      text: "H",
      parameter_name: "title",
    });
    const tenth = { currency: { code: "EUR", amount: 1.1, fallback: "1,10 €" } };
    assertEquals(at(make({ body: [tenth] }), "0.parameters.0.currency.amount_1000"), 1100);
  });

  it("keep their limits", () => {
    assertLongest("body[0]", 32_768, (text) => at(make({ body: [text] }), "0.parameters.0.text"));
    assertLongest("body.name", 32_768, (name) => at(make({ body: { name } }), "0.parameters.0.text"));
    assertLongest("header[0]", 60, (text) => at(make({ header: { text: [text] } }), "0.parameters.0.text"));
    assertRefused(() => make({ body: [7 as never] }), '"body[0]" is 7 instead of a text, a currency or a time');
    assertRefused(() => make({ body: "Ada" as never }), '"body" is "Ada" instead of an object');
    assertRefused(() => make({ body: [{ text: "a" } as never] }), '"body[0]" needs one of "currency", "dateTime"');
    const currency = { code: "EUR", amount: NaN, fallback: "?" };
    assertRefused(() => make({ body: [{ currency }] }), '"body[0].currency.amount" is NaN');
    assertRefused(
      () => make({ body: [{ currency: undefined as never, dateTime: "" }] }),
      '"body[0].dateTime" is empty',
    );
    assertRefused(() => make({ body: [{ currency: 7 as never }] }), '"body[0].currency" is 7 instead of an object');
  });
});

describe("Header of a template", () => {
  it("is a file by id, link or upload", () => {
    const kinds = [["image", "image"], ["video", "video"], ["gif", "video"], ["document", "document"]] as const;
    for (const [type, kind] of kinds) {
      const header = { [type]: { id: "7", caption: "not sent" } } as unknown as TemplateHeader;
      assertEquals(componentsOf({ header }), [{ type: "header", parameters: [{ type, [type]: { id: "7" } }] }]);
      const draft = make({ header: { [type]: { file: new Blob(["a"]) } } as unknown as TemplateHeader });
      assertEquals(draft.uploads.map((upload) => upload.kind), [kind]);
      assertStrictEquals(at(draft, `0.parameters.0.${type}`), draft.uploads[0]!.media);
    }
    const document = { link: "https://a.b/c", filename: "a.pdf" };
    assertEquals(at(make({ header: { document } }), "0.parameters.0.document"), document);
  });

  it("is a location, or a product", () => {
    const location = { latitude: 1, longitude: 2, name: "N", address: "A" };
    assertEquals(at(make({ header: { location } }), "0.parameters"), [{ type: "location", location }]);
    const product = { catalogId: "1", productRetailerId: "2" };
    assertEquals(at(make({ header: { product } }), "0.parameters"), [
      { type: "product", product: { catalog_id: "1", product_retailer_id: "2" } },
    ]);
  });

  it("is one of them, and complete", () => {
    assertRefused(() => make({ header: {} as never }), '"header" needs one of "text", "image"', "it has none");
    assertRefused(() => make({ header: 7 as never }), '"header" is 7 instead of an object');
    assertRefused(() => make({ header: { image: {} as never } }), '"header.image" needs one of "id"');
    assertRefused(() => make({ header: { product: {} as never } }), '"header.product.productRetailerId" is undefined');
    assertRefused(() => make({ header: { location: { latitude: 91, longitude: 0 } } }), '"latitude" is 91');
  });
});

describe("Buttons of a template", () => {
  const parameterOf = (button: object): unknown => at(make({ buttons: [button as never] }), "0.parameters.0");

  it("have the place of their value, or the one that is given", () => {
    assertEquals(componentsOf({ buttons: [{ quickReply: "a" }, { index: 4, url: "b" }, { quickReply: "c" }] }), [
      { type: "button", sub_type: "quick_reply", index: 0, parameters: [{ type: "payload", payload: "a" }] },
      { type: "button", sub_type: "url", index: 4, parameters: [{ type: "text", text: "b" }] },
      { type: "button", sub_type: "quick_reply", index: 2, parameters: [{ type: "payload", payload: "c" }] },
    ]);
    assertRefused(() => make({ buttons: [{ index: -1, url: "b" }] }), '"buttons[0].index" is -1');
  });

  it("are of each kind", () => {
    const sections = [{ products: ["a"] }];
    const items = [{ product_items: [{ product_retailer_id: "a" }] }];
    const order = { reference_id: "1" };
    const action = (members: object): object => ({ type: "action", action: members });
    const rows: [button: object, subType: string, ...parameters: object[]][] = [
      [{ otp: "123456" }, "url", { type: "text", text: "123456" }],
      [{ copyCode: "25OFF" }, "copy_code", { type: "coupon_code", coupon_code: "25OFF" }],
      [{ flow: {} }, "flow", action({})],
      [{ flow: { token: "T", data: { a: 1 } } }, "flow", action({ flow_token: "T", flow_action_data: { a: 1 } })],
      [
        { catalog: { thumbnailProductRetailerId: "2" } },
        "catalog",
        action({ thumbnail_product_retailer_id: "2" }),
      ],
      [{ catalog: {} }, "catalog"],
      [{ callButton: {} }, "voice_call"],
      [
        { callButton: { ttlMinutes: 43200, payload: "P" } },
        "voice_call",
        { type: "ttl_minutes", ttl_minutes: 43200 },
        { type: "payload", payload: "P" },
      ],
      [{ products: { sections } }, "mpm", action({ sections: items })],
      [
        { products: { thumbnailProductRetailerId: "2", sections } },
        "mpm",
        action({ thumbnail_product_retailer_id: "2", sections: items }),
      ],
      [{ orderDetails: order }, "order_details", action({ order_details: order })],
    ];
    for (const [button, sub_type, ...parameters] of rows) {
      const component = { type: "button", sub_type, index: 0, ...parameters.length > 0 && { parameters } };
      assertEquals(componentsOf({ buttons: [button as never] }), [component]);
    }
  });

  it("keep their limits", () => {
    const textAt = (button: object, key: string): unknown => (parameterOf(button) as JsonObject)[key];
    assertLongest("buttons[0].url", 2000, (url) => textAt({ url }, "text"));
    assertLongest("buttons[0].otp", 15, (otp) => textAt({ otp }, "text"));
    assertEquals(textAt({ copyCode: "x".repeat(16) }, "coupon_code"), "x".repeat(16));
    assertRefused(() => parameterOf({ quickReply: "" }), '"buttons[0].quickReply" is empty');
    assertRefused(() => parameterOf({ url: "a", otp: "1" }), "it has url, otp");
    assertRefused(() => parameterOf({ payload: "a" }), 'use "quickReply"');
    assertRefused(() => parameterOf({ flow: 7 }), '"buttons[0].flow" is 7 instead of an object');
    assertRefused(() => parameterOf({ products: { sections: [] } }), '"sections" are 0');
    assertRefused(() => parameterOf({ catalog: 7 }), '"buttons[0].catalog" is 7 instead of an object');
    for (const ttlMinutes of [0, 43201]) {
      assertRefused(() => parameterOf({ callButton: { ttlMinutes } }), '"buttons[0].callButton.ttlMinutes"', "43200");
    }
    assertLongest("buttons[0].callButton.payload", 512, (payload) => textAt({ callButton: { payload } }, "payload"));
  });
});

describe("Offers and cards of a template", () => {
  it("name the end of an offer in milliseconds", () => {
    const parameter = { type: "limited_time_offer", limited_time_offer: { expiration_time_ms: 1_700_000_000_000 } };
    assertEquals(componentsOf({ limitedTimeOffer: new Date(1_700_000_000_000) }), [
      { type: "limited_time_offer", parameters: [parameter] },
    ]);
    assertRefused(
      () => make({ limitedTimeOffer: new Date(NaN) }),
      '"limitedTimeOffer" is an object instead of a valid',
    );
    assertRefused(() => make({ limitedTimeOffer: 7 as never }), '"limitedTimeOffer" is 7');
  });

  it("give each card its components", () => {
    const draft = make({
      body: ["Ada"],
      cards: [
        { header: { image: { id: "7" } }, body: ["One"], buttons: [{ quickReply: "a" }, { url: "b" }] },
        { header: { image: { file: new Uint8Array(1) } } },
      ],
    });
    assertEquals(draft.uploads.length, 1);
    assertEquals(at(draft, "1"), {
      type: "carousel",
      cards: [
        {
          card_index: 0,
          components: [
            { type: "header", parameters: [{ type: "image", image: { id: "7" } }] },
            { type: "body", parameters: [{ type: "text", text: "One" }] },
            { type: "button", sub_type: "quick_reply", index: 0, parameters: [{ type: "payload", payload: "a" }] },
            { type: "button", sub_type: "url", index: 1, parameters: [{ type: "text", text: "b" }] },
          ],
        },
        { card_index: 1, components: [{ type: "header", parameters: [{ type: "image", image: {} }] }] },
      ],
    });
  });

  it("take up to 10 cards", () => {
    assertCounts("cards", [1, 10], (count) => {
      return (at(make({ cards: Array.from({ length: count }, () => ({ body: ["a"] })) }), "0.cards") as unknown[])
        .length;
    });
    assertRefused(() => make({ cards: [{ body: [""] }] }), '"cards[0].body[0]" is empty');
    assertRefused(() => make({ cards: [{ footer: "a" } as never] }), 'A card of a template has no option "footer"');
  });
});
