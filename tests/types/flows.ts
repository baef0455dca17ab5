/** Compile-time checks of typed screens and of definitions of templates. */

import type { FlowAnswer, TemplateDefinitionComponent } from "@tackline/websocket/cloud-api";

interface Screens {
  DATES: { dates: string[] };
  SUMMARY: { text: string };
}

/** Answers of each form. */
export const ANSWERS: FlowAnswer<Screens>[] = [
  { screen: "DATES", data: { dates: [] } },
  { screen: "SUMMARY", data: { text: "" }, errorMessage: "Taken" },
  { complete: { anything: 1 } },
  { invalidToken: "Over" },
  // @ts-expect-error Not a screen.
  { screen: "DATE", data: { dates: [] } },
  // @ts-expect-error Data of another screen.
  { screen: "SUMMARY", data: { dates: [] } },
  // @ts-expect-error Without data.
  { screen: "DATES" },
];

/** Without a type for screens each name and each data are allowed. */
export const ANY: FlowAnswer = { screen: "ANY", data: { a: 1 } };

/** Components in Meta's form. */
export const COMPONENTS: TemplateDefinitionComponent[] = [
  { type: "BODY", text: "Hi {{1}}", example: { body_text: [["Ada"]] } },
  { type: "BUTTONS", buttons: [{ type: "URL", text: "Track", url: "https://example.com" }] },
  // @ts-expect-error A text header has a text.
  { type: "HEADER", format: "TEXT" },
  // @ts-expect-error Not a member of a button.
  { type: "BUTTONS", buttons: [{ type: "QUICK_REPLY", title: "Yes" }] },
];
