/** Checks and odd answers of `api.flows`; its calls: `tests/cloud_api/api_methods_test.ts`. */

import { assert, assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { generateKeyPairSync } from "node:crypto";
import { OptionError } from "../../base/errors.ts";
import { WhatsAppApi } from "../../cloud_api/api.ts";
import { WhatsAppApiError } from "../../cloud_api/api_error.ts";
import type { WhatsAppApiOptions } from "../../cloud_api/api_settings.ts";
import { FlowEndpointError } from "../../cloud_api/flow_endpoint_error.ts";
import { type FlowMedia, flowMediaOf } from "../../cloud_api/flow_media.ts";
import type {
  FlowChanges,
  FlowDefinition,
  FlowListOptions,
  FlowMediaOptions,
  FlowMetricOptions,
} from "../../cloud_api/flows.ts";
import {
  collect,
  type GraphAnswer,
  type GraphRequest,
  type GraphServer,
  refusal,
  withGraph,
} from "../support/graph.ts";
import { sealFile } from "../support/flow_client.ts";
import { PUBLIC_KEY } from "../support/graph_cases/flows.ts";
import { assertSameBytes, encode, FakeClock, until } from "../support/support.ts";

const DEFINITION: FlowDefinition = { name: "Booking", categories: ["OTHER"] };
const DONE = { json: { success: true } };

/** Reads the form of a request, with the text of its file. */
async function formOf({ bytes, headers }: GraphRequest): Promise<[name: string, value: string][]> {
  const type = headers["content-type"] as string;
  const form = await new Response(bytes as Uint8Array<ArrayBuffer>, { headers: { "content-type": type } }).formData();
  const entries = [...form.entries()].map(async ([name, value]): Promise<[string, string]> => [
    name,
    // Bun adds a charset to the type.
    typeof value === "string" ? value : `${value.name} ${value.type.split(";")[0]} ${await value.text()}`,
  ]);
  return await Promise.all(entries);
}

function keyOf(kind: "public" | "private", modulusLength: number): string {
  const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength });
  const key = kind === "public"
    ? publicKey.export({ type: "spki", format: "pem" })
    : privateKey.export({ type: "pkcs8", format: "pem" });
  return key.toString();
}

describe("api.flows", () => {
  it("uploads its JSON as a file, from an object or as the text it is", () =>
    withGraph(() => DONE, async (api, graph) => {
      const text = '{\n  "version": "7.3"\n}';
      assertEquals(await api.flows.updateJson("55", text), { success: true, validationErrors: [] });
      await api.flows.updateJson("55", { version: "7.3" });
      const [first, second] = await Promise.all(graph.requests.map(formOf));
      const others = [["name", "flow.json"], ["asset_type", "FLOW_JSON"], ["messaging_product", "whatsapp"]];
      assertEquals(first as unknown, [["file", `flow.json application/json ${text}`], ...others]);
      assertEquals(second as unknown, [["file", 'flow.json application/json {"version":"7.3"}'], ...others]);
    }));

  it("creates a draft with the least, and reads all pages of assets", () =>
    withGraph(({ path }) => {
      if (path === "/1022/flows") return { json: { id: "55" } };
      const next = path.includes("after=") ? {} : { paging: { cursors: { after: "B" }, next: "https://x/" } };
      return { json: { data: [{ name: next.paging ? "flow.json" : "b.json" }], ...next } };
    }, async (api, graph) => {
      assertEquals(await api.flows.create(DEFINITION), { id: "55", success: true, validationErrors: [] });
      assertEquals(graph.requests[0]!.json, { name: "Booking", categories: ["OTHER"] });
      assertEquals((await api.flows.assets("55")).map(({ name }) => name), ["flow.json", "b.json"]);
    }));

  it("reads a public key outside of a list, and that there is none", () =>
    withGraph(
      () => ({ json: { business_public_key: "PEM", business_public_key_signature_status: "MISMATCH" } }),
      async (api, graph) => {
        assertEquals(await api.flows.publicKey(), { publicKey: "PEM", signatureStatus: "MISMATCH" });
        graph.next.push({ json: { data: [] } });
        assertEquals(await api.flows.publicKey(), {});
      },
    ));

  it("sets no key that is private, small, or of another kind, and shows none", () =>
    withGraph(() => DONE, async (api, graph) => {
      const ec = generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey.export({ type: "spki", format: "pem" });
      const cases: [key: unknown, message: string][] = [
        [keyOf("private", 2048), "The public key is a private one"],
        [keyOf("public", 1024), 'The public key is of type "rsa" with 1024 bits: RSA with 2048 is wanted'],
        [ec.toString(), 'The public key is of type "ec"'],
        ["hunter2", "The public key cannot be read"],
        [undefined, "The public key is undefined"],
      ];
      for (const [key, message] of cases) {
        const error = await assertRejects(() => api.flows.setPublicKey(key as string), OptionError);
        assertStringIncludes(error.message, message);
        assert(!error.message.includes("MII") && !error.message.includes("hunter2"));
      }
      assertEquals(graph.requests, []);
      await api.flows.setPublicKey(PUBLIC_KEY);
    }));

  it("fails if Meta answers without success, an id or a preview", () =>
    withGraph(() => ({ json: { success: false } }), async (api) => {
      const calls: [call: () => Promise<unknown>, message: string][] = [
        [() => api.flows.update("55", { name: "x" }), "did not change the flow"],
        [() => api.flows.publish("55"), "did not publish the flow"],
        [() => api.flows.deprecate("55"), "did not deprecate the flow"],
        [() => api.flows.delete("55"), "did not delete the flow"],
        [() => api.flows.setPublicKey(PUBLIC_KEY), "did not set the public key"],
        [() => api.flows.create(DEFINITION), "created a flow, but named no id"],
        [() => api.flows.preview("55"), "gave no preview of the flow"],
      ];
      for (const [call, message] of calls) {
        assertEquals((await assertRejects(call, WhatsAppApiError, message)).code, "ERR_API_ANSWER");
      }
      assertEquals(await api.flows.metric("55", "ENDPOINT_AVAILABILITY"), []);
      // A draft with faults is kept: no error.
      assertEquals(await api.flows.updateJson("55", "{}"), { success: false, validationErrors: [] });
    }));

  it("reads faults, previews and flows with members missing or of another kind", () => {
    const flow = {
      validation_errors: [{}, null, 1],
      categories: "OTHER",
      preview: { preview_url: "u", expires_at: "?" },
    };
    return withGraph(() => ({ json: flow }), async (api) => {
      const { raw: _, ...read } = await api.flows.get("55");
      assertEquals(read, { id: "55", categories: [], validationErrors: [{ error: "" }], preview: { url: "u" } });
    });
  });

  it("needs the account for what belongs to it", async () => {
    const { flows } = new WhatsAppApi({ accessToken: "secret", phoneNumberId: "1065" });
    const message = 'The option "accountId" is missing';
    assertStringIncludes(assertThrows(() => flows.list(), OptionError).message, message);
    await assertRejects(() => flows.create(DEFINITION), OptionError, message);
  });

  it("refuses what Meta would, before it calls", () =>
    withGraph(() => DONE, async (api, graph) => {
      const { flows } = api;
      const define = (more: unknown) => () => flows.create({ ...DEFINITION, ...more as object });
      const change = (changes: unknown) => () => flows.update("55", changes as FlowChanges);
      const metric = (options: unknown) => () =>
        flows.metric("55", "ENDPOINT_REQUEST_COUNT", options as FlowMetricOptions);
      const calls: [call: () => Promise<unknown>, message: string][] = [
        [define({ name: "" }), 'The "name" has 0 characters'],
        [define({ categories: [] }), 'The "categories" are 0: the Cloud API takes at least 1'],
        [define({ categories: undefined }), 'The "categories" are undefined instead of an array'],
        [define({ endpointUri: "http://x.example/" }), 'The "endpointUri" is "http://x.example/"'],
        [define({ flow_json: "{}" }), 'A flow has no option "flow_json"; use "flowJson"'],
        [define({ flowJson: 5 }), "The JSON of the flow is 5 instead of an object, or its text"],
        [define({ cloneFlowId: "a/b" }), 'The cloneFlowId is "a/b": not an id'],
        [change({}), "The flow is not changed"],
        [change({ status: "DRAFT" }), 'A change of a flow has no option "status"'],
        [() => flows.updateJson("55", "x".repeat(10_000_001)), "The JSON of the flow has 10000001 bytes"],
        [metric({ granularity: "WEEK" }), 'The option "granularity" is "WEEK": DAY, HOUR, LIFETIME exist'],
        [metric({ since: "1.1.2026" }), 'The option "since" is "1.1.2026" instead of a day such as "2026-01-31"'],
        [metric({ until: "2026-01-)." }), 'The option "until" is "2026-01-)."'],
        [() => flows.metric("55", "A)" as "ENDPOINT_AVAILABILITY"), 'The metric is "A)" instead of a name'],
        [() => flows.get("../55"), 'The flow is "../55": not an id'],
        [() => flows.publish(""), "The flow is missing, or empty"],
        [() => flows.preview("55", { force: true } as object), 'flows.preview has no option "force"'],
      ];
      for (const [call, message] of calls) await assertRejects(call, OptionError, message, message);
      const error = assertThrows(() => flows.list({ limit: 1 } as FlowListOptions), OptionError);
      assertStringIncludes(error.message, 'flows.list has no option "limit"; use "pageSize"');
      assertEquals(graph.requests, []);
      graph.answer = () => ({ json: { data: [] } });
      assertEquals(await collect(flows.list()), []);
    }));
});

describe("api.flows.media()", () => {
  const PHOTO = encode("a photo of a cat");
  const withFile = async (
    action: (api: WhatsAppApi, graph: GraphServer, media: FlowMedia, answer: GraphAnswer) => Promise<void>,
    options: Partial<WhatsAppApiOptions> = {},
  ): Promise<void> => {
    const { file, entry } = await sealFile(PHOTO);
    await withGraph(() => ({ bytes: file }), async (api, graph) => {
      const [media] = flowMediaOf({ ...entry, cdn_url: `${graph.url}/v26.0/photo.enc?oh=signed` });
      await action(api, graph, media!, { bytes: file });
    }, options);
  };

  it("fetches and decrypts a file, without the access token", () =>
    withFile(async (api, graph, media) => {
      assertSameBytes(await api.flows.media(media), PHOTO);
      assertSameBytes(await api.flows.media(media, { maxSize: PHOTO.length }), PHOTO);
      assertSameBytes(await api.flows.media(media, { maxSize: 0 }), PHOTO);
      const [{ method, path, headers }] = graph.requests as [GraphRequest];
      assertEquals([method, path, headers.authorization], ["GET", "/photo.enc?oh=signed", undefined]);
    }));

  it("asks no server but Meta's, since the URL comes from a device", () =>
    withFile(async (_api, _graph, media) => {
      const asked: string[] = [];
      const api = new WhatsAppApi({
        accessToken: "secret",
        phoneNumberId: "1065",
        fetch: (url) => {
          asked.push(String(url));
          return Promise.resolve(new Response(null, { status: 404 }));
        },
      });
      const bad = [
        "http://mmg.whatsapp.net/x",
        "https://mmg.whatsapp.net:8443/x",
        "https://user:pw@mmg.whatsapp.net/x",
        "https://mmg.whatsapp.net.evil.example/x",
        "https://evilwhatsapp.net/x",
        "https://169.254.169.254/latest",
        "file:///etc/passwd",
        "/x",
      ];
      for (const cdnUrl of bad) {
        const error = await assertRejects(() => api.flows.media({ ...media, cdnUrl }), FlowEndpointError);
        assertEquals([cdnUrl, error.code], [cdnUrl, "ERR_FLOW_MEDIA"]);
        assert(!error.message.includes("pw"), error.message);
      }
      assertEquals(asked, []);
      const good = ["https://mmg.whatsapp.net/x?oh=1", "https://whatsapp.net/x", "https://lookaside.fbsbx.com/x"];
      for (const cdnUrl of good) await assertRejects(() => api.flows.media({ ...media, cdnUrl }), WhatsAppApiError);
      assertEquals(asked, good);
    }));

  it("tries again after 429, and fails with what the server answers, a redirect too", () => {
    const clock = new FakeClock();
    return withFile(async (api, graph, media) => {
      graph.next.push(refusal(429, 4));
      const photo = api.flows.media(media);
      await graph.count(1);
      await until(() => clock.pending === 1, "the pause");
      clock.advance(500);
      assertSameBytes(await photo, PHOTO);
      const refused: GraphAnswer[] = [
        { json: {}, status: 404 },
        { json: {}, status: 302, headers: { location: "http://127.0.0.1:1/" } },
      ];
      for (const answer of refused) {
        graph.next.push(answer);
        const error = await assertRejects(() => api.flows.media(media), WhatsAppApiError);
        assertEquals([error.code, error.status], ["ERR_API_REFUSED", "json" in answer && answer.status]);
        assert(!error.message.includes("signed"), error.message);
      }
    }, { clock, requestTimeout: 0 });
  });

  it("ends with the time limit, and with the reason of the program", async () => {
    for (const fault of ["silence", "stalledBody"] as const) {
      const clock = new FakeClock();
      await withFile(async (api, graph, media) => {
        graph.next.push({ fault });
        const photo = assertRejects(() => api.flows.media(media), WhatsAppApiError);
        await graph.count(1);
        await until(() => clock.pending === 1, "the time limit");
        clock.advance(5000);
        assertEquals((await photo).code, "ERR_API_UNREACHABLE");
        assertEquals(clock.pending, 0);
      }, { clock, requestTimeout: 5000 });
    }
    await withFile(async (api, graph, media) => {
      graph.next.push({ fault: "silence" });
      const abort = new AbortController();
      const photo = api.flows.media(media, { signal: abort.signal }).catch((error: unknown) => error);
      await graph.count(1);
      const reason = new Error("given up");
      abort.abort(reason);
      assertEquals(await photo, reason);
    });
  });

  it("refuses a file that is too large or was changed", () =>
    withFile(async (api, graph, media, answer) => {
      const refused = async (options: FlowMediaOptions, message: string): Promise<void> => {
        const error = await assertRejects(() => api.flows.media(media, options), FlowEndpointError, message);
        assertEquals(error.code, "ERR_FLOW_MEDIA");
      };
      graph.next.push({ bytes: new Uint8Array(1000) });
      await refused({ maxSize: 900 }, "has more than 900 bytes");
      const { bytes } = answer as { bytes: Uint8Array };
      graph.next.push({ bytes: bytes.map((byte, at) => at === 0 ? byte ^ 1 : byte) });
      await refused({}, "does not match encryptedHash");
      graph.next.push({ bytes: bytes.slice(0, 12) });
      await refused({}, "has 12 bytes: it is cut short");
      for (const maxSize of [-1, NaN, "1"]) {
        await assertRejects(
          () => api.flows.media(media, { maxSize } as object),
          OptionError,
          'The option "maxSize" is',
        );
      }
    }));
});
