import { assertEquals, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { OptionError } from "../../base/errors.ts";
import { MemoryJournal } from "../../journal/memory_journal.ts";
import type { WhatsAppApp } from "../../whatsapp/access.ts";
import {
  appsOf,
  assertStartable,
  checkWhatsAppSetting,
  makeWhatsAppSettings,
  type WhatsAppServerOptions,
} from "../../whatsapp/settings.ts";

const COMPLETE: WhatsAppServerOptions = { appSecret: "s", receiverToken: "t" };
const CONDITIONS = {
  pathName: "/whatsapp",
  path: "",
  hostname: "127.0.0.1",
  healthPath: "",
  trustedProxies: [] as readonly string[],
  asksProgram: false,
  certificates: {},
};

describe("makeWhatsAppSettings", () => {
  it("fills in defaults, and keeps null apart from undefined", () => {
    assertEquals(makeWhatsAppSettings({ appSecret: null, journal: null }), {
      verifyToken: undefined,
      appSecret: null,
      apps: [],
      receiverToken: undefined,
      journal: null,
      behindProxy: false,
      clientCertificateHeader: "",
      clientCertificateForm: "rfc4514",
      clientCertificateName: "client.webhooks.fbclientcerts.com",
      failureDelay: 1000,
      rawMessageTimeout: 5000,
    });
  });

  it("refuses values out of range", () => {
    const wrong: WhatsAppServerOptions[] = [
      { failureDelay: -1 },
      { failureDelay: 2 ** 31 },
      { rawMessageTimeout: NaN },
      { journal: "" },
      { journal: ":memory:" },
      { clientCertificateForm: "rfc2253" as "rfc4514" },
    ];
    for (const options of wrong) assertThrows(() => makeWhatsAppSettings(options), OptionError);
  });
});

describe("checkWhatsAppSetting", () => {
  it("takes a path, a journal, or none", () => {
    for (const journal of ["a.db", new MemoryJournal(), null, undefined]) checkWhatsAppSetting("journal", journal);
    const append = (): void => {};
    const wrong: [journal: unknown, message: string][] = [
      [{}, "without listen, has, append"],
      [{ append }, "without listen, has, read"],
      [{ path: "a.db" }, "give the path of a file as a string"],
      [Promise.resolve(new MemoryJournal()), "is a promise: await it"],
      [7, "of type number"],
    ];
    for (const [journal, message] of wrong) {
      assertThrows(() => checkWhatsAppSetting("journal", journal as MemoryJournal), OptionError, message);
    }
  });
});

describe("apps", () => {
  const app = (pathName: string): WhatsAppApp => ({ pathName, appSecret: "other" });
  const secrets = { appSecret: "s", receiverToken: "t" };

  it("have a path each, of their own", () => {
    const cases: [options: WhatsAppServerOptions, message: string][] = [
      [{ apps: [app("/a"), app("/b"), app("/a")] }, '"/a"'],
      [{ apps: [app("/a"), app("a")] }, '"/a"'],
      [{ apps: [app("")] }, '"pathName"'],
      [{ apps: [app("/a")], pathName: "/a" }, '"/a"'],
      [{ apps: [app("a")], pathName: "/a" }, '"/a"'],
      [{ apps: [app("/")], pathName: "" }, '"/"'],
      [{ apps: [app("/")], pathName: "/" }, '"/"'],
    ];
    for (const [options, message] of cases) {
      assertThrows(() => makeWhatsAppSettings(options), OptionError, message);
    }
    makeWhatsAppSettings({ apps: [app("/a"), app("/b"), app("/A")], pathName: "/" });
    makeWhatsAppSettings({ apps: [app("/a")] });
  });

  it("are compared with the path of the server at the start again, which may be set until then", () => {
    const settings = makeWhatsAppSettings({ ...secrets, apps: [app("/a"), app("/")] });
    for (const pathName of ["", "/", "/a"]) {
      assertThrows(() => assertStartable(settings, { ...CONDITIONS, pathName }), OptionError, "each app has a path");
    }
    assertStartable(settings, { ...CONDITIONS, pathName: "/b" });
  });
});

describe("assertStartable", () => {
  const start = (options: WhatsAppServerOptions, conditions: Partial<typeof CONDITIONS> = {}) => () =>
    assertStartable(makeWhatsAppSettings({ ...COMPLETE, ...options }), { ...CONDITIONS, ...conditions });

  it("takes given secrets and waived ones", () => {
    for (const options of [{}, { appSecret: null }, { receiverToken: null }]) start(options)();
    start({ receiverToken: undefined }, { asksProgram: true })();
    start({ behindProxy: true, clientCertificateHeader: "x-subject" })();
  });

  it("refuses missing and empty secrets, of each app", () => {
    for (
      const [options, name] of [
        [{ appSecret: undefined }, '"appSecret"'],
        [{ appSecret: "" }, '"appSecret"'],
        [{ appSecret: ["a", " "] }, '"appSecret"'],
        [{ verifyToken: [""] }, '"verifyToken"'],
        [{ receiverToken: undefined }, '"receiverToken"'],
        [{ receiverToken: "" }, '"receiverToken"'],
        [{ apps: [{ pathName: "/b", appSecret: "" }] }, '"/b"'],
      ] as const
    ) assertThrows(start(options), OptionError, name);
  });

  it("refuses to leave out TLS but on a loopback address, and a certificate header without proxy", () => {
    assertThrows(start({ behindProxy: true }, { hostname: "0.0.0.0" }), OptionError, 'needs "trustedProxies"');
    start({ behindProxy: true }, { hostname: "0.0.0.0", trustedProxies: ["10.0.0.0/8"] })();
    start({ behindProxy: true }, { hostname: "0.0.0.0", path: "/run/a.sock" })();
    assertThrows(start({ clientCertificateHeader: "x" }), OptionError, '"behindProxy"');
    const options = { behindProxy: true, clientCertificateHeader: "x", clientCertificateName: "" };
    assertThrows(start(options), OptionError, '"clientCertificateName"');
  });
});

describe("appsOf", () => {
  it("lists the apps, and the server's own last", () => {
    const other = { pathName: "/b", appSecret: "b" };
    const settings = makeWhatsAppSettings({ ...COMPLETE, apps: [other] });
    assertEquals(appsOf(settings, "/a"), [other, { pathName: "/a", verifyToken: undefined, appSecret: "s" }]);
  });
});
