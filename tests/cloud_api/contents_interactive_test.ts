import { assertEquals, assertStrictEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import type { Draft } from "../../cloud_api/contents.ts";
import {
  addressRequestDraft,
  type ButtonsContents,
  buttonsDraft,
  callButtonDraft,
  callPermissionRequestDraft,
  contactRequestDraft,
  flowDraft,
  type InteractiveHeader,
  listDraft,
  type ListRow,
  locationRequestDraft,
  urlButtonDraft,
} from "../../cloud_api/contents_interactive.ts";
import type { JsonObject } from "../../cloud_api/json.ts";
import { assertCounts, assertLongest, assertRefused } from "../support/limits.ts";

/** Reads a member of the JSON: `action.buttons.0.reply.id`. */
function at({ contents }: Draft, path: string): unknown {
  return path.split(".").reduce<unknown>((value, key) => (value as JsonObject | undefined)?.[key], contents);
}

const yes = { id: "yes", title: "Yes" };
const buttons = (more: Partial<ButtonsContents>): Draft => buttonsDraft({ body: "?", buttons: [yes], ...more });

describe("buttonsDraft()", () => {
  it("makes up to 3 reply buttons, with header and footer", () => {
    assertEquals(buttons({ header: "H", footer: "F", buttons: [yes, { id: "no", title: "No" }] }), {
      type: "interactive",
      contents: {
        type: "button",
        header: { type: "text", text: "H" },
        body: { text: "?" },
        footer: { text: "F" },
        action: {
          buttons: [
            { type: "reply", reply: { id: "yes", title: "Yes" } },
            { type: "reply", reply: { id: "no", title: "No" } },
          ],
        },
      },
      uploads: [],
    });
    assertCounts("buttons", [1, 3], (count) => {
      const list = Array.from({ length: count }, (_, index) => ({ id: `${index}`, title: `${index}` }));
      return (at(buttons({ buttons: list }), "action.buttons") as unknown[]).length;
    });
  });

  it("keeps the limits of each text", () => {
    assertLongest("body", 1024, (body) => at(buttons({ body }), "body.text"));
    assertLongest("header", 60, (header) => at(buttons({ header }), "header.text"));
    assertLongest("footer", 60, (footer) => at(buttons({ footer }), "footer.text"));
    const reply = (more: object): Draft => buttons({ buttons: [{ ...yes, ...more }] });
    assertLongest("buttons[0].id", 256, (id) => at(reply({ id }), "action.buttons.0.reply.id"));
    assertLongest("buttons[0].title", 20, (title) => at(reply({ title }), "action.buttons.0.reply.title"));
    assertRefused(() => reply({ id: " yes" }), '"buttons[0].id" begins or ends with a space');
    assertRefused(() => reply({ reply: yes }), 'use { id: "…", title: "…" }');
  });

  it("refuses buttons that are alike", () => {
    const same = (second: object): Draft => buttons({ buttons: [yes, { ...yes, ...second }] });
    assertRefused(() => same({ title: "No" }), '"buttons[1].id" is the same as "buttons[0].id"');
    assertRefused(() => same({ id: "no" }), '"buttons[1].title" is the same as "buttons[0].title"');
  });

  it("takes files as header, which may be uploaded", () => {
    const link = "https://a.b/c";
    for (const type of ["image", "video", "document"]) {
      const header = { [type]: { link, caption: "not sent" } } as unknown as InteractiveHeader;
      assertEquals(at(buttons({ header }), "header"), { type, [type]: { link } });
      const uploaded = buttons({ header: { [type]: { file: new Blob(["a"]) } } as unknown as InteractiveHeader });
      assertEquals(uploaded.uploads.map(({ kind }) => kind), [type] as never);
      assertStrictEquals(at(uploaded, `header.${type}`), uploaded.uploads[0]!.media);
    }
    const named = { document: { id: "7", filename: "a.pdf" } };
    assertEquals(at(buttons({ header: named }), "header.document"), { id: "7", filename: "a.pdf" });
    assertRefused(() => buttons({ header: {} as never }), '"header" needs one of "image", "video", "document"');
    assertRefused(() => buttons({ header: { image: {} } as never }), '"header.image" needs one of');
    assertRefused(() => buttons({ header: 7 as never }), '"header" is 7');
  });
});

describe("listDraft()", () => {
  const row = { id: "1", title: "One" };
  const list = (more: object): Draft =>
    listDraft({ body: "?", button: "Choose", sections: [{ rows: [row] }], ...more });
  const rowsOf = (count: number, from = 0): ListRow[] =>
    Array.from({ length: count }, (_, index) => ({ id: `${from + index}`, title: "Row" }));

  it("makes sections of rows", () => {
    const sections = [{ title: "A", rows: [{ ...row, description: "D" }] }, { title: "B", rows: rowsOf(1, 7) }];
    assertEquals(list({ header: "H", footer: "F", sections }).contents, {
      type: "list",
      header: { type: "text", text: "H" },
      body: { text: "?" },
      footer: { text: "F" },
      action: {
        button: "Choose",
        sections: [
          { title: "A", rows: [{ id: "1", title: "One", description: "D" }] },
          { title: "B", rows: [{ id: "7", title: "Row" }] },
        ],
      },
    });
    assertEquals(at(list({}), "action.sections"), [{ rows: [row] }]);
  });

  it("keeps the limits of each text", () => {
    assertLongest("body", 4096, (body) => at(list({ body }), "body.text"));
    assertLongest("header", 60, (header) => at(list({ header }), "header.text"));
    assertLongest("footer", 60, (footer) => at(list({ footer }), "footer.text"));
    assertLongest("button", 20, (button) => at(list({ button }), "action.button"));
    const one = (more: object, title?: string): Draft => list({ sections: [{ title, rows: [{ ...row, ...more }] }] });
    assertLongest("sections[0].title", 24, (title) => at(one({}, title), "action.sections.0.title"));
    const path = "sections[0].rows[0]";
    assertLongest(`${path}.id`, 200, (id) => at(one({ id }), "action.sections.0.rows.0.id"));
    assertLongest(`${path}.title`, 24, (title) => at(one({ title }), "action.sections.0.rows.0.title"));
    assertLongest(`${path}.description`, 72, (description) => {
      return at(one({ description }), "action.sections.0.rows.0.description");
    });
  });

  it("keeps the limits of sections and rows, also of all rows together", () => {
    assertCounts("sections", [1, 10], (count) => {
      const sections = rowsOf(count).map((each) => ({ title: "S", rows: [each] }));
      return (at(list({ sections }), "action.sections") as unknown[]).length;
    });
    assertCounts("sections[0].rows", [1, 10], (count) => {
      return (at(list({ sections: [{ rows: rowsOf(count) }] }), "action.sections.0.rows") as unknown[]).length;
    });
    const two = (second: number): Draft =>
      list({ sections: [{ title: "A", rows: rowsOf(5) }, { title: "B", rows: rowsOf(second, 5) }] });
    assertEquals((at(two(5), "action.sections.1.rows") as unknown[]).length, 5);
    assertRefused(() => two(6), '"rows of all sections" are 11: the Cloud API takes 10 at most');
  });

  it("refuses several sections without titles, rows that are alike, and files as header", () => {
    const sections = [{ title: "A", rows: rowsOf(1) }, { rows: rowsOf(1, 1) }];
    assertRefused(() => list({ sections }), '"sections[1].title" is missing');
    const same = [{ title: "A", rows: rowsOf(1) }, { title: "B", rows: rowsOf(1) }];
    assertRefused(() => list({ sections: same }), '"rows[1].id" is the same as "rows[0].id"');
    assertRefused(() => list({ header: { image: { id: "7" } } }), '"header" is an object instead of a text');
  });
});

describe("urlButtonDraft()", () => {
  const make = (more: object): Draft => urlButtonDraft({ body: "?", button: "See", url: "https://a.b/c", ...more });

  it("makes a button that opens a page", () => {
    const parameters = { display_text: "See", url: "https://a.b/c" };
    const action = { name: "cta_url", parameters };
    assertEquals(make({}).contents, { type: "cta_url", body: { text: "?" }, action });
    assertEquals(at(make({ header: { image: { id: "7" } } }), "header"), { type: "image", image: { id: "7" } });
    assertLongest("body", 1024, (body) => at(make({ body }), "body.text"));
    assertLongest("button", 20, (button) => at(make({ button }), "action.parameters.display_text"));
    assertRefused(() => make({ url: "a.b/c" }), '"url" is "a.b/c": not an http or https URL');
    assertRefused(() => make({ display_text: "See" }), 'use "button"');
  });
});

describe("flowDraft()", () => {
  const make = (more: object): Draft => flowDraft({ body: "?", button: "Book", flowId: "1", ...more });
  const version = { flow_message_version: "3", flow_cta: "Book" };

  it("makes a button that opens a flow, by id or name", () => {
    const parameters = { ...version, flow_id: "1" };
    assertEquals(make({}).contents, { type: "flow", body: { text: "?" }, action: { name: "flow", parameters } });
    const all = { mode: "draft", token: "T", action: "navigate", screen: "S", data: { a: 1 } };
    assertEquals(at(make({ ...all, flowId: undefined, flowName: "N" }), "action.parameters"), {
      ...version,
      flow_name: "N",
      mode: "draft",
      flow_token: "T",
      flow_action: "navigate",
      flow_action_payload: { screen: "S", data: { a: 1 } },
    });
    assertEquals(at(make({ action: "data_exchange" }), "action.parameters.flow_action"), "data_exchange");
    assertEquals(at(make({ data: { a: 1 } }), "action.parameters.flow_action_payload"), { data: { a: 1 } });
  });

  it("keeps its limits", () => {
    assertLongest("button", 30, (button) => at(make({ button }), "action.parameters.flow_cta"));
    assertRefused(() => make({ flowName: "N" }), "it has flowId, flowName");
    assertRefused(() => make({ flowId: undefined }), 'A flow needs one of "flowId", "flowName"');
    assertRefused(() => make({ mode: "live" }), '"mode" is "live" instead of "draft" or "published"');
    assertRefused(() => make({ action: "open" }), '"action" is "open"');
    assertRefused(() => make({ data: {} }), '"data" of the flow is empty');
    assertRefused(() => make({ action: "data_exchange", screen: "S" }), '"screen" of a flow is for the action');
    assertRefused(() => make({ action: "data_exchange", data: { a: 1 } }), '"data" of a flow is for the action');
    assertRefused(() => make({ flow_token: "T" }), 'use "token"');
  });
});

describe("Drafts of requests", () => {
  it("ask for an address, with values known before", () => {
    const make = (more: object): Draft => addressRequestDraft({ body: "?", country: "IN", ...more });
    const action = { name: "address_message", parameters: { country: "IN" } };
    assertEquals(make({}).contents, { type: "address_message", body: { text: "?" }, action });
    const saved = [{ id: "1", value: { name: "A" } }];
    const more = { values: { name: "A" }, savedAddresses: saved, validationErrors: { name: "?" } };
    assertEquals(at(make(more), "action.parameters"), {
      country: "IN",
      values: { name: "A" },
      saved_addresses: saved,
      validation_errors: { name: "?" },
    });
    assertRefused(() => make({ country: "IND" }), '"country" has 3 characters instead of two');
    assertRefused(() => make({ values: "A" }), '"values" is "A" instead of an object');
    assertRefused(() => make({ validationErrors: null }), '"validationErrors" is null');
    assertRefused(() => make({ savedAddresses: [7] }), '"savedAddresses[0]" is 7 instead of an object');
    assertRefused(() => make({ savedAddresses: {} }), '"savedAddresses" are an object');
  });

  it("ask for the location, the phone number, and the permission to call", () => {
    const rows = [
      [locationRequestDraft, "location_request_message", "send_location"],
      [contactRequestDraft, "request_contact_info", "request_contact_info"],
      [callPermissionRequestDraft, "call_permission_request", "call_permission_request"],
    ] as const;
    for (const [make, type, name] of rows) {
      const contents = { type, body: { text: "?" }, action: { name } };
      assertEquals(make("?"), { type: "interactive", contents, uploads: [] });
      assertLongest("body", 1024, (body) => at(make(body), "body.text"));
    }
    const action = { name: "call_permission_request" };
    assertEquals(callPermissionRequestDraft().contents, { type: "call_permission_request", action });
    assertRefused(() => locationRequestDraft(undefined as never), '"body" is undefined instead of a text');
  });

  it("offer to call the business", () => {
    const make = (more: object): Draft => callButtonDraft({ body: "?", ...more });
    assertEquals(make({}).contents, { type: "voice_call", body: { text: "?" }, action: { name: "voice_call" } });
    const parameters = { display_text: "Call", ttl_minutes: 43200, payload: "P" };
    assertEquals(at(make({ button: "Call", ttlMinutes: 43200, payload: "P" }), "action.parameters"), parameters);
    assertLongest("button", 20, (button) => at(make({ button }), "action.parameters.display_text"));
    assertLongest("payload", 512, (payload) => at(make({ payload }), "action.parameters.payload"));
    for (const ttlMinutes of [0, 43201, 1.5]) assertRefused(() => make({ ttlMinutes }), "from 1 to 43200");
  });
});
