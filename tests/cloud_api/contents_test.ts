import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import {
  audioDraft,
  type ContactContents,
  contactsDraft,
  documentDraft,
  type Draft,
  imageDraft,
  locationDraft,
  type MediaReference,
  reactionDraft,
  stickerDraft,
  textDraft,
  videoDraft,
} from "../../cloud_api/contents.ts";
import type { JsonObject } from "../../cloud_api/json.ts";
import { parseNotification } from "../../cloud_api/parse.ts";
import { simulateNotification } from "../../cloud_api/simulated.ts";
import { assertCounts, assertLongest, assertRefused } from "../support/limits.ts";

const jsonOf = ({ contents }: Draft): JsonObject => contents as JsonObject;

/** Contents of a message of a type, as a handler gets them. */
function received(type: string): unknown {
  const [record] = parseNotification(simulateNotification(1, { type }).json).records;
  assert(record!.kind === "message");
  return Reflect.get(record!, type);
}

describe("textDraft()", () => {
  it("makes texts up to 4096 characters", () => {
    assertEquals(textDraft("Hi"), { type: "text", contents: { body: "Hi", preview_url: false }, uploads: [] });
    assertEquals(jsonOf(textDraft({ body: "Hi", previewUrl: true })), { body: "Hi", preview_url: true });
    assertLongest("body", 4096, (body) => jsonOf(textDraft({ body })).body);
    assertRefused(() => textDraft({ body: "a", previewUrl: "no" as never }), '"previewUrl" is "no"');
    assertRefused(() => textDraft({ text: "a" } as never), '"text"', 'use "body"');
  });
});

describe("Drafts of media", () => {
  const kinds = {
    image: imageDraft,
    video: videoDraft,
    audio: audioDraft,
    document: documentDraft,
    sticker: stickerDraft,
  } as const;

  it("have an id or a link", () => {
    for (const [type, make] of Object.entries(kinds) as [keyof typeof kinds, (media: MediaReference) => Draft][]) {
      assertEquals(make({ id: "7" }), { type, contents: { id: "7" }, uploads: [] });
      const link = "https://example.com/a.png?b=c";
      assertEquals(make({ link }), { type, contents: { link }, uploads: [] });
    }
  });

  it("name a file that is uploaded, and the part that gets its id", () => {
    const files = [new Blob(["a"]), new Uint8Array(1), new ArrayBuffer(1), new Blob(["a"]).stream()];
    for (const [type, make] of Object.entries(kinds) as [keyof typeof kinds, (media: MediaReference) => Draft][]) {
      for (const file of files) {
        const media = { file, mimeType: "a/b", size: 1, checkType: false };
        const draft = make(media);
        assertEquals([draft.type, draft.contents, draft.uploads.length], [type, {}, 1]);
        const [{ media: part, file: given, kind }] = draft.uploads as [Draft["uploads"][0]];
        assertStrictEquals(part, draft.contents as JsonObject);
        assertStrictEquals(given, media);
        assertEquals(kind, type);
      }
    }
  });

  it("refuse media without a file, or with several, and files of other types", () => {
    assertRefused(() => imageDraft({} as never), 'The "image" needs one of "id", "link", "file": it has none');
    assertRefused(() => imageDraft({ id: "1", link: "https://a.b" } as never), "it has id, link");
    assertRefused(() => imageDraft({ id: "" }), '"image.id" is empty');
    assertRefused(() => imageDraft({ link: "/tmp/a.png" }), '"image.link" is "/tmp/a.png": not an http or https URL');
    assertRefused(
      () => imageDraft({ file: Promise.resolve() as never }),
      '"image.file" is a promise',
      "await the promise",
    );
    assertRefused(() => imageDraft({ file: "/tmp/a.png" as never }), '"image.file" is "/tmp/a.png"', "read the file");
    assertRefused(() => imageDraft({ id: "7", path: "a.png" } as never), 'use "file"');
    assertRefused(() => imageDraft({ file: new Blob(["a"]), mimeType: 7 as never }), '"image.mimeType" is 7');
    assertRefused(() => imageDraft("7" as never), "The image takes options as an object", "link");
    assertRefused(() => audioDraft({ id: "7", caption: "a" } as never), 'The audio has no option "caption"');
    assertRefused(() => stickerDraft({ id: "7", caption: "a" } as never), 'The sticker has no option "caption"');
  });

  it("have captions up to 1024 characters, names of documents, and voice", () => {
    for (const make of [imageDraft, videoDraft, documentDraft]) {
      assertLongest("caption", 1024, (caption) => jsonOf(make({ id: "7", caption })).caption);
    }
    assertEquals(jsonOf(documentDraft({ id: "7", filename: "a.pdf" })), { id: "7", filename: "a.pdf" });
    assertEquals(jsonOf(documentDraft({ file: new File(["a"], "b.pdf") })), { filename: "b.pdf" });
    assertEquals(jsonOf(documentDraft({ file: new File(["a"], "b.pdf"), filename: "c.pdf" })), { filename: "c.pdf" });
    assertEquals(jsonOf(imageDraft({ file: new Blob(["a"]), filename: "a.png", caption: "c" })), { caption: "c" });
    assertEquals(jsonOf(audioDraft({ id: "7", voice: true })), { id: "7", voice: true });
    assertRefused(() => audioDraft({ id: "7", voice: 1 as never }), '"voice" is 1');
  });

  it("are made of media that were received, without their other members", () => {
    const image = received("image") as { id: string; caption?: string };
    assertEquals(jsonOf(imageDraft(image)), { id: image.id, ...image.caption && { caption: image.caption } });
    const document = { id: "7", mimeType: "a/b", sha256: "s", filename: "a.pdf", caption: "c", url: "https://a.b" };
    assertEquals(jsonOf(documentDraft(document)), { id: "7", caption: "c", filename: "a.pdf" });
    const audio = { id: "8", mimeType: "audio/ogg", sha256: "s", voice: true };
    assertEquals(jsonOf(audioDraft(audio)), { id: "8", voice: true });
    const sticker = { id: "9", mimeType: "image/webp", animated: true };
    assertEquals(jsonOf(stickerDraft(sticker)), { id: "9" });
  });
});

describe("locationDraft()", () => {
  it("makes locations up to the poles and the date line", () => {
    const location = { latitude: -90, longitude: 180, name: "Here", address: "Street" };
    assertEquals(locationDraft(location), { type: "location", contents: location, uploads: [] });
    assertEquals(jsonOf(locationDraft({ latitude: 90, longitude: -180 })), { latitude: 90, longitude: -180 });
    assertRefused(() => locationDraft({ latitude: 90.01, longitude: 0 }), '"latitude" is 90.01', "from -90 to 90");
    assertRefused(() => locationDraft({ latitude: 0, longitude: -180.01 }), '"longitude" is -180.01');
    assertRefused(() => locationDraft({ latitude: "1" as never, longitude: 0 }), '"latitude" is "1"');
    assertRefused(() => locationDraft({ lat: 1, lon: 2 } as never), 'use "latitude"');
  });

  it("makes one of a location that was received", () => {
    const { latitude, longitude } = jsonOf(locationDraft(received("location") as never));
    assertEquals([typeof latitude, typeof longitude], ["number", "number"]);
  });
});

describe("contactsDraft()", () => {
  const ada: ContactContents = {
    name: { formattedName: "Ada L.", firstName: "Ada", lastName: "L.", middleName: "M", suffix: "S", prefix: "P" },
    phones: [{ phone: "+49 17", waId: "4917", type: "HOME" }],
    emails: [{ email: "a@b.c", type: "WORK" }],
    addresses: [{ street: "s", city: "c", state: "t", zip: "z", country: "C", countryCode: "cc", type: "HOME" }],
    urls: [{ url: "https://a.b", type: "WORK" }],
    org: { company: "C", department: "D", title: "T" },
    birthday: "1815-12-10",
  };

  it("writes cards as the Cloud API wants them", () => {
    assertEquals(contactsDraft([ada]), {
      type: "contacts",
      contents: [{
        name: {
          formatted_name: "Ada L.",
          first_name: "Ada",
          last_name: "L.",
          middle_name: "M",
          suffix: "S",
          prefix: "P",
        },
        phones: [{ phone: "+49 17", wa_id: "4917", type: "HOME" }],
        emails: [{ email: "a@b.c", type: "WORK" }],
        addresses: [{ street: "s", city: "c", state: "t", zip: "z", country: "C", country_code: "cc", type: "HOME" }],
        urls: [{ url: "https://a.b", type: "WORK" }],
        org: { company: "C", department: "D", title: "T" },
        birthday: "1815-12-10",
      }],
      uploads: [],
    });
  });

  it("takes up to 257, each with a formatted name", () => {
    assertCounts("contacts", [1, 257], (count) => {
      const { contents } = contactsDraft(Array.from({ length: count }, () => ({ name: { formattedName: "A" } })));
      return (contents as JsonObject[]).length;
    });
    assertRefused(() => contactsDraft([ada, { name: {} }]), '"contacts[1].name.formattedName" is undefined');
    assertRefused(() => contactsDraft([{ name: { formatted_name: "A" } } as never]), 'use "formattedName"');
    assertRefused(() => contactsDraft([{ ...ada, phones: [{ wa_id: "4" } as never] }]), 'use "waId"');
    assertRefused(() => contactsDraft([{ ...ada, phones: "49" as never }]), '"contacts[0].phones" are "49"');
    assertRefused(() => contactsDraft([{ ...ada, birthday: 7 as never }]), '"contacts[0].birthday" is 7');
  });

  it("makes cards of those that were received, without empty parts", () => {
    const [card] = contactsDraft(received("contacts") as ContactContents[]).contents as JsonObject[];
    assertEquals(typeof (card!.name as JsonObject).formatted_name, "string");
    const sparse = { name: { formattedName: "A", firstName: "" }, phones: [], emails: [], addresses: [], urls: [] };
    assertEquals(contactsDraft([{ ...sparse, origin: "other", vcard: "BEGIN" } as ContactContents]).contents, [
      { name: { formatted_name: "A" } },
    ]);
  });
});

describe("reactionDraft()", () => {
  it("makes reactions, and takes them back", () => {
    const contents = { message_id: "wamid.IN", emoji: "👍🏽" };
    assertEquals(reactionDraft({ messageId: "wamid.IN", emoji: "👍🏽" }), { type: "reaction", contents, uploads: [] });
    assertEquals(jsonOf(reactionDraft({ messageId: "wamid.IN", emoji: "" })).emoji, "");
    assertRefused(() => reactionDraft({ messageId: "", emoji: "👍" }), '"messageId" is empty');
    assertRefused(() => reactionDraft({ messageId: "a" } as never), '"emoji" is undefined');
  });
});
