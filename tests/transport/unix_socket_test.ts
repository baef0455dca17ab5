import { assertEquals, assertRejects } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import { TransportError } from "../../base/errors.ts";
import { removeStaleSocket, unixAddress } from "../../transport/unix_socket.ts";
import { inFolder, leaveStaleSocket } from "../support/unix.ts";

function listen(path: string): Promise<Server> {
  return new Promise((resolve) => {
    const server = createServer((socket) => void socket.destroy());
    server.listen(path, () => resolve(server));
  });
}

describe("removeStaleSocket", () => {
  it("removes the file of a socket that no process listens on, and needs none", () =>
    inFolder(async (folder) => {
      const path = join(folder, "a.sock");
      await removeStaleSocket(path);
      await leaveStaleSocket(path);
      assertEquals(existsSync(path), true);
      await removeStaleSocket(path);
      assertEquals(readdirSync(folder), []);
    }));

  it("leaves a socket that is listened on, and a file of another kind", () =>
    inFolder(async (folder) => {
      const path = join(folder, "a.sock");
      const server = await listen(path);
      const error = await assertRejects(() => removeStaleSocket(path), TransportError, "listens on it already");
      assertEquals([error.code, existsSync(path)], ["ERR_LISTEN", true]);
      await new Promise((resolve) => server.close(resolve));
      const file = join(folder, "file");
      writeFileSync(file, "kept");
      await assertRejects(() => removeStaleSocket(file), TransportError, "a file that is no socket");
      await assertRejects(() => removeStaleSocket(folder), TransportError, "a file that is no socket");
      assertEquals(readdirSync(folder), ["file"]);
    }));

  it("gives back the socket of another server that has done the same meanwhile", () =>
    inFolder(async (folder) => {
      const path = join(folder, "a.sock");
      await leaveStaleSocket(path);
      let other: Server | undefined;
      const late = async (): Promise<boolean> => {
        await removeStaleSocket(path);
        other = await listen(path);
        return false;
      };
      await assertRejects(() => removeStaleSocket(path, late), TransportError, "listens on it already");
      assertEquals(readdirSync(folder), ["a.sock"]);
      await assertRejects(() => removeStaleSocket(path), TransportError, "listens on it already");
      await new Promise((resolve) => other!.close(resolve));
    }));

  it("is done by several at the same time", () =>
    inFolder(async (folder) => {
      const path = join(folder, "a.sock");
      await leaveStaleSocket(path);
      await Promise.all([1, 2, 3].map(() => removeStaleSocket(path)));
      assertEquals(readdirSync(folder), []);
    }));
});

describe("unixAddress", () => {
  it("has the path, and neither host nor port", () => {
    assertEquals(unixAddress("/run/a.sock"), { hostname: "", port: 0, path: "/run/a.sock" });
  });
});
