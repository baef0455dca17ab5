import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { OptionError } from "../../base/errors.ts";
import {
  assertComponents,
  assertTemplateName,
  type TemplateDefinitionComponent,
} from "../../cloud_api/template_definition.ts";

const long = (length: number): string => "ä".repeat(length);
const buttons = (count: number, button: object = { type: "QUICK_REPLY", text: "Yes" }): object => ({
  type: "BUTTONS",
  buttons: new Array(count).fill(button),
});
const carousel = (cards: number, ...components: object[]): object => ({
  type: "CAROUSEL",
  cards: new Array(cards).fill({ components }),
});

function refusal(components: unknown): string {
  return assertThrows(() => assertComponents(components), OptionError).message;
}

const body = { type: "BODY", text: "x" };
const url = { type: "URL", text: "x", url: "https://example.com" };

/** Components that are refused, and a part of the error. */
const REFUSED: readonly [components: unknown, message: string][] = [
  [undefined, 'The components of the template are undefined: give at least { type: "BODY", text }'],
  [[], "are empty"],
  [["BODY"], 'has no object with a "type" at components[0]'],
  [[body, {}], 'has no object with a "type" at components[1]'],
  [[body, body], 'has 2 components of the type "BODY": 1 is allowed'],
  [
    [{ type: "HEADER", text: long(61) }],
    'The "components[0].text" has 61 characters: the Cloud API takes 60 at most',
  ],
  [
    [{ type: "BODY", text: long(1025) }],
    '"components[0].text" has 1025 characters: the Cloud API takes 1024 at most',
  ],
  [[{ type: "body", text: "" }], '"components[0].text" has 0 characters'],
  [[{ type: "BODY", text: 5 }], '"components[0].text" is 5 instead of a text'],
  [[body, { type: "FOOTER", text: long(61) }], '"components[1].text" has 61 characters'],
  [
    [{ type: "FOOTER", code_expiration_minutes: 91 }],
    '"components[0].code_expiration_minutes" is 91 instead of a number from 1 to 90',
  ],
  [
    [{ type: "FOOTER", code_expiration_minutes: "5" }],
    '"components[0].code_expiration_minutes" is "5" instead of an integer from 1 to 90',
  ],
  [[buttons(11)], '"components[0].buttons" are 11: the Cloud API takes 10 at most'],
  [[{ type: "BUTTONS" }], '"components[0].buttons" are undefined instead of an array'],
  [[{ type: "BUTTONS", buttons: [null] }], "has null at components[0].buttons[0] instead of a button"],
  [
    [buttons(1, { ...url, text: long(26) })],
    '"components[0].buttons[0].text" has 26 characters: the Cloud API takes 25 at most',
  ],
  [
    [buttons(1, { ...url, url: long(2001) })],
    'buttons[0].url" has 2001 characters: the Cloud API takes 2000 at most',
  ],
  [[buttons(3, url)], 'has 3 buttons of the type "URL" at components[0].buttons: 2 allowed'],
  [[buttons(2, { type: "phone_number", text: "Call" })], '2 buttons of the type "PHONE_NUMBER"'],
  [[buttons(1, { type: "PHONE_NUMBER", phone_number: "1".repeat(21) })], 'phone_number" has 21 characters'],
  [[buttons(1, { type: "COPY_CODE", example: long(21) })], 'buttons[0].example" has 21 characters'],
  [[buttons(1, { type: "OTP", autofill_text: long(26) })], 'buttons[0].autofill_text" has 26 characters'],
  [
    [buttons(1, { type: "OTP", supported_apps: [1, 2, 3, 4, 5, 6] })],
    'buttons[0].supported_apps" are 6: the Cloud API takes 5 at most',
  ],
  [[carousel(11, body)], '"components[0].cards" are 11: the Cloud API takes 10 at most'],
  [
    [carousel(1, { type: "BODY", text: long(161) })],
    'cards[0].components[0].text" has 161 characters: the Cloud API takes 160 at most',
  ],
  [[carousel(1, buttons(3))], 'cards[0].components[0].buttons" are 3: the Cloud API takes 2 at most'],
  [
    [{ type: "LIMITED_TIME_OFFER", limited_time_offer: { text: long(17) } }],
    '"components[0].limited_time_offer.text" has 17 characters: the Cloud API takes 16 at most',
  ],
];

describe("assertTemplateName()", () => {
  it("takes 1 to 512 lower-case letters, digits and underscores", () => {
    for (const name of ["a", "order_shipped_2", "_", "x".repeat(512)]) assertTemplateName(name);
  });

  it("refuses other names, without showing a long one", () => {
    const cases: [name: unknown, message: string][] = [
      ["", 'The "name" has 0 characters: the Cloud API takes 1 to 512'],
      ["x".repeat(513), "has 513 characters: the Cloud API takes 512 at most"],
      ["Order", 'has the character "O": lower-case letters, digits and underscores are allowed'],
      ["order-shipped", 'has the character "-"'],
      ["bestätigt", 'has the character "ä"'],
      ["a b", 'has the character " "'],
      [undefined, "is undefined instead of a text"],
    ];
    for (const [name, message] of cases) {
      assertStringIncludes(assertThrows(() => assertTemplateName(name), OptionError).message, message);
    }
  });
});

describe("assertComponents()", () => {
  it("takes each component at its limits, in capital letters or not", () => {
    const media: TemplateDefinitionComponent = {
      type: "HEADER",
      format: "IMAGE",
      example: { header_handle: ["4::aW1hZ2U="] },
    };
    assertComponents([
      { type: "HEADER", format: "TEXT", text: long(60) },
      { type: "BODY", text: long(1024) },
      { type: "FOOTER", text: long(60) },
      buttons(10, { type: "QUICK_REPLY", text: long(25) }),
    ]);
    assertComponents([{ type: "body", text: "👍".repeat(1024) }]);
    assertComponents([
      { type: "BODY", text: "Look" },
      carousel(10, media, { type: "BODY", text: long(160) }, buttons(2)),
    ]);
    assertComponents([
      { type: "LIMITED_TIME_OFFER", limited_time_offer: { text: long(16), has_expiration: true } },
      { type: "BODY", text: "Offer" },
      { type: "BUTTONS", buttons: [{ type: "COPY_CODE", example: long(20) }, { type: "URL", text: "To the shop" }] },
    ]);
    assertComponents([
      { type: "BODY", add_security_recommendation: true },
      { type: "FOOTER", code_expiration_minutes: 90 },
      { type: "BUTTONS", buttons: [{ type: "OTP", otp_type: "COPY_CODE", text: "Copy" }] },
    ]);
  });

  it("lets types pass that it does not know", () => {
    assertComponents([
      { type: "CALL_PERMISSION_REQUEST" },
      { type: "TAP_TARGET_CONFIGURATION", text: long(5000) },
      { type: "BODY", text: "x" },
      { type: "BUTTONS", buttons: [{ type: "NEW", text: "x" }, { type: "NEW", text: "y" }] },
    ]);
  });

  it("refuses what is too long or too much, with the place and the number", () => {
    for (const [components, message] of REFUSED) {
      const actual = refusal(components);
      assertStringIncludes(actual, message);
      assert(!actual.includes("ää"), actual);
    }
  });

  it("counts characters, not code units", () => {
    assertComponents([{ type: "FOOTER", text: "👍".repeat(60) }]);
    assertEquals(refusal([{ type: "FOOTER", text: "👍".repeat(61) }]).includes("61 characters"), true);
  });
});
