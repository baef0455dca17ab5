import { assertEquals, assertStrictEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import type { Draft } from "../../cloud_api/contents.ts";
import {
  carouselDraft,
  catalogDraft,
  type MediaCard,
  type ProductCard,
  productDraft,
  productsDraft,
} from "../../cloud_api/contents_products.ts";
import type { JsonObject } from "../../cloud_api/json.ts";
import { assertCounts, assertLongest, assertRefused } from "../support/limits.ts";

/** Reads a member of the JSON: `action.sections.0.title`. */
function at({ contents }: Draft, path: string): unknown {
  return path.split(".").reduce<unknown>((value, key) => (value as JsonObject | undefined)?.[key], contents);
}

const ids = (count: number): string[] => Array.from({ length: count }, (_, index) => `p${index}`);

describe("productDraft()", () => {
  it("makes a product, whose text may be absent", () => {
    const make = (more: object): Draft => productDraft({ catalogId: "1", productRetailerId: "2", ...more });
    const action = { catalog_id: "1", product_retailer_id: "2" };
    assertEquals(make({}).contents, { type: "product", action });
    const texts = { body: { text: "B" }, footer: { text: "F" } };
    assertEquals(make({ body: "B", footer: "F" }).contents, { type: "product", ...texts, action });
    assertLongest("body", 1024, (body) => at(make({ body }), "body.text"));
    assertLongest("footer", 60, (footer) => at(make({ footer }), "footer.text"));
    assertRefused(() => make({ catalogId: "" }), '"catalogId" is empty');
    assertRefused(() => make({ header: "H" }), 'A product has no option "header"');
    assertRefused(() => make({ sku: "2" }), 'use "productRetailerId"');
  });
});

describe("productsDraft()", () => {
  const make = (more: object): Draft =>
    productsDraft({ header: "H", body: "B", catalogId: "1", sections: [{ products: ["a"] }], ...more });

  it("makes sections of products", () => {
    const sections = [{ title: "A", products: ["a", "b"] }, { title: "B", products: ["c"] }];
    assertEquals(make({ sections }).contents, {
      type: "product_list",
      header: { type: "text", text: "H" },
      body: { text: "B" },
      action: {
        catalog_id: "1",
        sections: [
          { title: "A", product_items: [{ product_retailer_id: "a" }, { product_retailer_id: "b" }] },
          { title: "B", product_items: [{ product_retailer_id: "c" }] },
        ],
      },
    });
  });

  it("keeps its limits", () => {
    assertLongest("header", 60, (header) => at(make({ header }), "header.text"));
    assertLongest("body", 1024, (body) => at(make({ body }), "body.text"));
    assertLongest("sections[0].title", 24, (title) => {
      return at(make({ sections: [{ title, products: ["a"] }] }), "action.sections.0.title");
    });
    assertCounts("sections", [1, 10], (count) => {
      const sections = ids(count).map((id) => ({ title: "S", products: [id] }));
      return (at(make({ sections }), "action.sections") as unknown[]).length;
    });
    assertCounts("sections[0].products", [1, 30], (count) => {
      const sections = [{ products: ids(count) }];
      return (at(make({ sections }), "action.sections.0.product_items") as unknown[]).length;
    });
    const two = [{ title: "A", products: ids(30) }, { title: "B", products: ids(1) }];
    assertRefused(() => make({ sections: two }), '"products of all sections" are 31: the Cloud API takes 30 at most');
    assertRefused(() => make({ header: undefined }), '"header" is undefined instead of a text');
    assertRefused(() => make({ sections: [{ products: [7] }] }), '"sections[0].products[0]" is 7');
  });
});

describe("catalogDraft()", () => {
  it("makes the catalogue, with the picture of a product", () => {
    const body = { text: "B" };
    const type = "catalog_message";
    assertEquals(catalogDraft({ body: "B" }).contents, { type, body, action: { name: type } });
    const parameters = { thumbnail_product_retailer_id: "2" };
    assertEquals(catalogDraft({ body: "B", footer: "F", thumbnailProductRetailerId: "2" }).contents, {
      type,
      body,
      footer: { text: "F" },
      action: { name: type, parameters },
    });
    assertLongest("body", 1024, (text) => at(catalogDraft({ body: text }), "body.text"));
  });
});

describe("carouselDraft()", () => {
  const link = "https://a.b/c";
  const card: MediaCard = { image: { link }, button: "Shop", url: link };
  const reply: MediaCard = { image: { link }, buttons: [{ id: "1", title: "One" }] };
  const product: ProductCard = { catalogId: "1", productRetailerId: "2" };
  const make = (cards: (MediaCard | ProductCard)[], body = "B"): Draft =>
    carouselDraft({ body, cards: cards as MediaCard[] });

  it("makes cards with URL buttons, reply buttons, and products", () => {
    const action = { name: "cta_url", parameters: { display_text: "Shop", url: link } };
    const header = { type: "image", image: { link } };
    assertEquals(make([{ ...card, body: "One" }, card]).contents, {
      type: "carousel",
      body: { text: "B" },
      action: {
        cards: [
          { card_index: 0, type: "cta_url", header, body: { text: "One" }, action },
          { card_index: 1, type: "cta_url", header, action },
        ],
      },
    });
    const buttons = [{ type: "quick_reply", quick_reply: { id: "1", title: "One" } }];
    assertEquals(at(make([reply, reply]), "action.cards.1.action"), { buttons });
    const products = { catalog_id: "1", product_retailer_id: "2" };
    assertEquals(at(make([product, product]), "action.cards.1"), { card_index: 1, type: "product", action: products });
  });

  it("uploads the files of all cards", () => {
    const file: MediaCard = { ...card, image: undefined, video: { file: new Blob(["a"]) } };
    const draft = make([file, file]);
    assertEquals(draft.uploads.map(({ kind }) => kind), ["video", "video"]);
    assertStrictEquals(at(draft, "action.cards.1.header.video"), draft.uploads[1]!.media);
  });

  it("keeps its limits", () => {
    assertLongest("body", 1024, (body) => at(make([card, card], body), "body.text"));
    assertCounts("cards", [2, 10], (count) => {
      return (at(make(ids(count).map(() => card)), "action.cards") as unknown[]).length;
    });
    assertLongest("cards[0].body", 160, (body) => at(make([{ ...card, body }, card]), "action.cards.0.body.text"));
    assertLongest("cards[0].button", 20, (button) => {
      return at(make([{ ...card, button }, card]), "action.cards.0.action.parameters.display_text");
    });
    assertLongest("cards[0].buttons[0].id", 256, (id) => {
      const first = { ...reply, buttons: [{ id, title: "One" }] };
      return at(make([first, reply]), "action.cards.0.action.buttons.0.quick_reply.id");
    });
    assertEquals(at(make([{ ...card, body: "a\nb\nc" }, card]), "action.cards.0.body.text"), "a\nb\nc");
    assertRefused(() => make([{ ...card, body: "a\nb\nc\nd" }, card]), '"cards[0].body" has 3 line breaks');
  });

  it("refuses cards that are not alike, or lack a part", () => {
    const video: MediaCard = { ...card, image: undefined, video: { link } };
    const two = { ...reply, buttons: [{ id: "1", title: "One" }, { id: "2", title: "Two" }] };
    const others = [[card, video], [card, reply], [reply, two], [card, product], [product, {
      ...product,
      catalogId: "9",
    }]];
    for (const cards of others) assertRefused(() => make(cards), '"cards[1]" differs from "cards[0]"');
    assertRefused(() => make([{ ...card, image: undefined }, card]), '"cards[0]" needs one of "image", "video"');
    assertRefused(() => make([card, { image: { link } }]), '"cards[1]" needs one of "url", "buttons"');
    assertRefused(() => make([card, { ...card, image: { id: "" } }]), '"cards[1].image.id" is empty');
    assertRefused(() => make([product, { catalogId: "1" } as never]), '"cards[1].productRetailerId" is undefined');
  });
});
