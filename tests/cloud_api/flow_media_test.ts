import { assert, assertEquals, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { FlowEndpointError } from "../../cloud_api/flow_endpoint_error.ts";
import { decryptFlowMedia, type FlowMedia, flowMediaOf } from "../../cloud_api/flow_media.ts";
import { base64, fromBase64, sealFile, sha256 } from "../support/flow_client.ts";
import { assertSameBytes, encode } from "../support/support.ts";

function withEncryption(media: FlowMedia, changes: Partial<FlowMedia["encryption"]>): FlowMedia {
  return { ...media, encryption: { ...media.encryption, ...changes } };
}

function fault(file: Uint8Array, media: FlowMedia): string {
  const error = assertThrows(() => decryptFlowMedia(file, media), FlowEndpointError);
  assertEquals([error.code, error.cause], ["ERR_FLOW_MEDIA", undefined]);
  for (const secret of [media.encryption.encryptionKey, media.encryption.hmacKey]) {
    assert(secret === "" || !error.message.includes(secret));
  }
  return error.message.replace("The file of the flow ", "");
}

describe("decryptFlowMedia()", () => {
  it("opens a file that another implementation made (`cryptography` of Python)", () => {
    const range = (from: number, length: number): string => base64(Uint8Array.from({ length }, (_, at) => from + at));
    const encryption = {
      encryptionKey: range(0, 32),
      hmacKey: range(32, 32),
      iv: range(16, 16),
      encryptedHash: "Bw85xpmtCOQWDDQXLbRluZe/V28ixnuy8nZWKEsq8TQ=",
      plaintextHash: "unkrP/D2hNqdJBrAgwBskIWDQABgEZrk0sOAO9jTRxk=",
    };
    const file = fromBase64("bhSIWHHl71BzDrbZ0gV5d6LcWUOJoCVU5Clzp4MiE8qq8G/g6Y7CWPQ7");
    const media = { cdnUrl: "https://mmg.whatsapp.net/v/photo", encryption };
    assertEquals(new TextDecoder().decode(decryptFlowMedia(file, media)), "a photo of a cat");
  });

  it("opens files of each length around the blocks of AES", async () => {
    for (const length of [0, 1, 15, 16, 17, 31, 32, 5000]) {
      const plain = crypto.getRandomValues(new Uint8Array(length));
      const { file, entry } = await sealFile(plain);
      assertSameBytes(decryptFlowMedia(file, flowMediaOf([entry])[0]!), plain);
    }
  });

  it("refuses a file that was changed, cut, or belongs to other keys", async () => {
    const { file, entry } = await sealFile(encode("a photo of some length"));
    const other = flowMediaOf((await sealFile(encode("another photo"))).entry)[0]!;
    const media = flowMediaOf(entry)[0]!;
    const changed = file.map((byte, at) => at === 3 ? byte ^ 1 : byte);
    assertEquals(fault(changed, media), "is refused: the encrypted file does not match encryptedHash");
    // Also if the sender has adapted the digest: the HMAC has a key.
    const adapted = withEncryption(media, { encryptedHash: await sha256(changed) });
    assertEquals(fault(changed, adapted), "does not match its HMAC");
    for (const length of [0, 9, 10, 25, file.length - 1]) {
      assertEquals(fault(file.slice(0, length), media), `has ${length} bytes: it is cut short`);
    }
    const key = withEncryption(media, { encryptionKey: other.encryption.encryptionKey });
    const message = fault(file, key);
    // One wrong key in 256 gives a padding that is valid.
    const expected = [
      "was not encrypted with its encryptionKey",
      "is refused: the decrypted file does not match plaintextHash",
    ];
    assert(expected.includes(message), message);
    assertEquals(fault(file, withEncryption(media, { hmacKey: other.encryption.hmacKey })), "does not match its HMAC");
    assertEquals(fault(file, withEncryption(media, { iv: other.encryption.iv })), "does not match its HMAC");
    const plaintextHash = other.encryption.plaintextHash;
    assertEquals(fault(file, withEncryption(media, { plaintextHash })), expected[1]);
  });

  it("refuses keys and digests of another length", async () => {
    const { file, entry } = await sealFile(encode("a photo"));
    const media = flowMediaOf(entry)[0]!;
    const short = base64(new Uint8Array(7));
    for (
      const [name, length] of [["encryptionKey", 32], ["iv", 16], ["hmacKey", 32]] as const
    ) {
      assertEquals(
        fault(file, withEncryption(media, { [name]: short })),
        `has a "${name}" of 7 bytes instead of ${length}`,
      );
    }
    for (const name of ["encryptedHash", "plaintextHash"]) {
      assertEquals(fault(file, withEncryption(media, { [name]: "" })), 'has a "digest" of 0 bytes instead of 32');
    }
  });
});

describe("flowMediaOf()", () => {
  it("reads the entries of a picker, and leaves out what is none", async () => {
    const { entry } = await sealFile(encode("a photo"));
    const { encryption_metadata: metadata } = entry;
    assertEquals(flowMediaOf([entry, null, "x", {}, { cdn_url: "https://x" }]), [{
      mediaId: "790aba14-5f4a-4dbd-aa9e-0d75401da14b",
      fileName: "IMG_1.jpg",
      cdnUrl: "https://mmg.whatsapp.net/v/photo",
      encryption: {
        encryptionKey: metadata.encryption_key,
        hmacKey: metadata.hmac_key,
        iv: metadata.iv,
        encryptedHash: metadata.encrypted_hash,
        plaintextHash: metadata.plaintext_hash,
      },
    }]);
    assertEquals(flowMediaOf(undefined), []);
  });
});
