import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { readFileSync } from "node:fs";
import { OptionError } from "../../base/errors.ts";
import {
  assertMediaSize,
  assertMediaType,
  extensionOf,
  isKnownType,
  kindOf,
  MEDIA_KINDS,
  MEDIA_SIZES,
  MEDIA_TYPES,
  sizeLimit,
  typeOfName,
} from "../../cloud_api/media_types.ts";
import { encode } from "../support/support.ts";

/** The types in the error of Meta's upload endpoint (code 100, "Param file must be a file with one of …"). */
const TAKEN_BY_UPLOAD = [
  "audio/aac",
  "audio/mp4",
  "audio/mpeg",
  "audio/amr",
  "audio/ogg",
  "audio/opus",
  "application/vnd.ms-powerpoint",
  "application/msword",
  "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
  "application/vnd.openxmlformats-officedocument.presentationml.presentation",
  "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
  "application/pdf",
  "text/plain",
  "application/vnd.ms-excel",
  "image/jpeg",
  "image/png",
  "image/webp",
  "video/mp4",
  "video/3gpp",
];

/** The beginning of a WebP file; with flags in the extended format. */
function webp(chunk: string, flags = 0): Uint8Array {
  return encode(`RIFF....WEBP${chunk}....${String.fromCharCode(flags)}.........`);
}

describe("types of media", () => {
  it("are all that the upload takes, for the message they are for, and for documents", () => {
    for (const type of TAKEN_BY_UPLOAD) {
      assertMediaType(type, kindOf(type));
      assertMediaType(type, "document");
    }
    assertMediaType("Audio/OGG; codecs=opus", "audio");
    assertMediaType("video/3gp", "video");
  });

  it("are refused with the value, the types that fit, and the way around", () => {
    const cases = [
      ["image/gif", "image", "image/jpeg, image/png"],
      ["image/webp", "image", "image/jpeg, image/png"],
      ["image/jpeg", "sticker", "image/webp"],
      ["audio/wav", "audio", "audio/mpeg"],
      ["video/webm", "video", "video/mp4"],
      ["application/zip", "document", "application/pdf"],
      ["", "document", "text/plain"],
    ] as const;
    for (const [type, kind, fits] of cases) {
      const error = assertThrows(() => assertMediaType(type, kind), OptionError);
      for (const part of [`"${type}"`, kind, fits, '"checkType"']) assertStringIncludes(error.message, part);
    }
  });

  it("tell the kind of message, also those that are not known", () => {
    for (const kind of MEDIA_KINDS) for (const type of MEDIA_TYPES[kind]) assertEquals(kindOf(type), kind, type);
    const others = ["image/gif", "audio/wav", "video/webm", "text/csv", "application/zip", ""];
    assertEquals(others.map(kindOf), ["image", "audio", "video", "document", "document", "document"]);
  });

  it("are known by name alone", () => {
    assertEquals(["IMAGE/PNG; a=b", "image/gif", "", "png"].map(isKnownType), [true, false, false, false]);
  });

  it("come from names of files, and give an extension", () => {
    assertEquals(["a.PDF", "b.tar.jpg", "c.opus", "d.3gp"].map(typeOfName), [
      "application/pdf",
      "image/jpeg",
      "audio/ogg",
      "video/3gpp",
    ]);
    assertEquals(["a", "a.exe", "", "a."].map(typeOfName), [undefined, undefined, undefined, undefined]);
    assertEquals(["image/jpeg", "audio/ogg; codecs=opus", "a/b"].map(extensionOf), ["jpg", "ogg", undefined]);
    for (const kind of MEDIA_KINDS) {
      for (const type of MEDIA_TYPES[kind]) {
        const extension = extensionOf(type);
        if (type !== "audio/opus" && type !== "video/3gp") assertEquals(typeOfName(`x.${extension}`), type);
      }
    }
  });
});

describe("the table of docs/cloud-api.md", () => {
  it("has each kind, its types, and its largest size", () => {
    const path = new URL("../../docs/cloud-api.md", import.meta.url);
    const text = readFileSync(path, "utf8");
    const rows = text.slice(text.indexOf("\n## Files")).split("\n").map((line) =>
      line.split("|").map((cell) => cell.trim())
    );
    for (const kind of MEDIA_KINDS) {
      const [, , types, size] = rows.find(([, first]) => first === `\`${kind}\``) ?? [];
      const largest = size!.split(";").at(-1)!.trim().split(" ");
      const unit = largest[1] === "KiB" ? 1024 : 1024 * 1024;
      assertEquals(Number(largest[0]) * unit, MEDIA_SIZES[kind], kind);
      // Types of Office stand there by the names of the programs, and a second spelling does not.
      const listed = kind === "document" ? [] : MEDIA_TYPES[kind].filter((type) => type !== "video/3gp");
      assertEquals(listed.filter((type) => !types!.includes(`\`${type}\``)), [], kind);
    }
  });
});

describe("sizes of media", () => {
  it("are Meta's limits, inclusive", () => {
    assertEquals(MEDIA_SIZES, {
      audio: 16_777_216,
      document: 104_857_600,
      image: 5_242_880,
      sticker: 512_000,
      video: 16_777_216,
    });
    for (const kind of MEDIA_KINDS) {
      const limit = sizeLimit(kind);
      assertMediaSize(1, limit, kind);
      assertMediaSize(limit, limit, kind);
      const error = assertThrows(() => assertMediaSize(limit + 1, limit, kind), OptionError);
      for (const part of [String(limit + 1), String(limit), kind]) assertStringIncludes(error.message, part);
      assertThrows(() => assertMediaSize(0, limit, kind), OptionError, "empty");
    }
  });

  it("of stickers depend on the file: static or animated", () => {
    const animated = webp("VP8X", 0x12);
    const still = [webp("VP8X", 0x10), webp("VP8 "), webp("VP8L")];
    assertEquals(sizeLimit("sticker", animated), 512_000);
    assertEquals(still.map((head) => sizeLimit("sticker", head)), [102_400, 102_400, 102_400]);
    const error = assertThrows(() => assertMediaSize(102_401, sizeLimit("sticker", still[0]), "sticker"), OptionError);
    assertStringIncludes(error.message, "static sticker");
    // Too short, or no WebP: Meta decides.
    const others = [new Uint8Array(), webp("VP8X").subarray(0, 20), encode("RIFF....WAVEVP8X........."), webp("ABCD")];
    assertEquals(others.map((head) => sizeLimit("sticker", head)), [512_000, 512_000, 512_000, 512_000]);
    assertEquals(sizeLimit("image", still[0]), 5_242_880);
  });
});
