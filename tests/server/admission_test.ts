import { assert, assertEquals, assertInstanceOf, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { AddressRanges } from "../../base/address_ranges.ts";
import { Admission, AdmissionTicket, networkOf } from "../../server/admission.ts";

const address = (hostname: string) => ({ hostname, port: 1 });
const open = { maxConnections: 0, maxConnectionsPerAddress: 0, maxHandshakes: 0 };

function enter(admission: Admission, hostname = "192.0.2.1", now = 0): AdmissionTicket {
  const ticket = admission.enter(address(hostname), now);
  assertInstanceOf(ticket, AdmissionTicket);
  return ticket;
}

describe("Admission", () => {
  it("counts connections of proxies for the clients behind them", () => {
    const proxies = new AddressRanges(["10.0.0.0/8"]);
    const admission = new Admission(() => ({ ...open, maxConnectionsPerAddress: 1, proxies }), () => {});
    const client = (host: number): { hostname: string; port: number } => ({ hostname: `192.0.2.${host}`, port: 0 });
    const [first, second, third] = [enter(admission, "10.0.0.1"), enter(admission, "10.0.0.1"), enter(admission)];
    assert(first.serveClient(client(2)));
    assert(!second.serveClient(client(2)), "beyond the limit");
    assert(!second.serveClient(client(1)), "it has a connection of its own");
    assert(second.serveClient(client(3)));
    // The next request is of another client, or of none.
    assert(first.serveClient(client(4)));
    assert(second.serveClient(client(2)));
    second.endRequest();
    assert(first.serveClient(client(2)));
    first.endRequest();
    third.leave();
    assert(second.countFor(client(1)), "a PROXY header names it");
    second.endRequest();
    assert(!first.serveClient(client(1)), "it still counts");
    second.leave();
    second.leave();
    assert(first.serveClient(client(1)));
    first.leave();
    assert(first.serveClient(client(1)), "nothing is counted after the end");
    assert(admission.enter(client(1), 0) instanceof AdmissionTicket);
  });

  it("limits the number of connections", () => {
    const admission = new Admission(() => ({ ...open, maxConnections: 2 }), () => {});
    const first = enter(admission);
    enter(admission).opened();
    assertEquals(admission.enter(address("192.0.2.2"), 0), "maxConnections");
    first.leave();
    first.leave();
    enter(admission);
    assertEquals(admission.enter(address("192.0.2.2"), 0), "maxConnections");
  });

  it("limits connections of one address and of one IPv6 network of 64 bits", () => {
    const admission = new Admission(() => ({ ...open, maxConnectionsPerAddress: 1 }), () => {});
    const ticket = enter(admission);
    assertEquals(admission.enter(address("192.0.2.1"), 0), "maxConnectionsPerAddress");
    assertEquals(admission.enter(address("::ffff:192.0.2.1"), 0), "maxConnectionsPerAddress");
    enter(admission, "192.0.2.2");
    enter(admission, "2001:db8::1");
    assertEquals(admission.enter(address("2001:DB8:0:0:ffff::2"), 0), "maxConnectionsPerAddress");
    enter(admission, "2001:db8:0:1::1");
    ticket.leave();
    enter(admission);
  });

  it("evicts the connection that has kept the server waiting the longest", () => {
    const evicted: string[] = [];
    const gone: string[] = [];
    const admission = new Admission(() => ({ ...open, maxHandshakes: 2 }), ({ hostname }) => evicted.push(hostname));
    const tickets = ["a", "b", "c", "d", "e"].map((name) => [name, "192.0.2.1"]).map(([name]) => {
      const ticket = enter(admission, name);
      ticket.evict = () => {
        gone.push(name!);
        ticket.leave();
      };
      // The answer to the second takes its time, which is not its fault.
      if (name === "b") ticket.servingPeer();
      return ticket;
    });
    assertEquals([evicted, gone], [["a", "c"], ["a", "c"]]);
    assertEquals(admission.handshaking, 3);
    tickets[1]!.awaitingPeer();
    enter(admission, "f");
    assertEquals(gone, ["a", "c", "d", "e"]);
    tickets[1]!.opened();
    tickets[1]!.awaitingPeer();
    tickets[4]!.leave();
    tickets[4]!.opened();
    assertEquals(admission.handshaking, 1);
  });
});

describe("connections that are idle between two requests", () => {
  /** Tickets by name, and the names of those that were evicted, with the limit. */
  function admit(
    limits: Partial<typeof open>,
  ): { enter: (name: string, host?: string) => AdmissionTicket; gone: string[] } {
    const gone: string[] = [];
    const admission = new Admission(() => ({ ...open, ...limits }), (_, limit) => gone.push(limit));
    return {
      gone,
      enter: (name, host) => {
        const ticket = enter(admission, host);
        ticket.evict = () => gone.push(name);
        return ticket;
      },
    };
  }

  it("are evicted before those that have begun a request, and in their order", () => {
    const { enter, gone } = admit({ maxHandshakes: 3 });
    const slow = enter("slow");
    const [a, b] = [enter("a"), enter("b")];
    b.servingPeer();
    b.idle();
    a.servingPeer();
    a.idle();
    enter("c");
    assertEquals(gone, ["maxHandshakes", "b"]);
    // A request begins: it counts as one from now on.
    a.awaitingPeer();
    enter("d");
    assertEquals(gone.slice(2), ["maxHandshakes", "slow"]);
    slow.idle();
    enter("e");
    assertEquals(gone.slice(4), ["maxHandshakes", "c"]);
  });

  it("are not evicted with their last answer on its way", () => {
    const { enter, gone } = admit({ maxHandshakes: 2 });
    const answered = enter("answered");
    answered.servingPeer();
    enter("a");
    enter("b");
    answered.idle();
    assertEquals(gone, ["maxHandshakes", "a"]);
  });

  it("leave their place to new connections, those of one address only to their own", () => {
    const total = admit({ maxConnections: 2 });
    total.enter("a").idle();
    total.enter("b").opened();
    total.enter("c").opened();
    assertEquals(total.gone, ["maxConnections", "a"]);

    const each = admit({ maxConnectionsPerAddress: 1, maxConnections: 3 });
    each.enter("other").idle();
    const own = each.enter("own", "192.0.2.2");
    own.idle();
    each.enter("next", "192.0.2.2");
    assertEquals(each.gone, ["maxConnectionsPerAddress", "own"]);
    // It has left already.
    own.leave();
    assertThrows(() => each.enter("one too many", "192.0.2.2"));
    assertEquals(each.gone.length, 2);
  });
});

describe("networkOf", () => {
  it("finds the first 64 bits of an IPv6 address in all its forms", () => {
    for (const form of ["2001:db8::1", "2001:0db8:0:0::", "2001:DB8:0:0:1:2:3:4", "2001:db8::%eth0"]) {
      assertEquals(networkOf(form), "2001:db8:0:0");
    }
    assertEquals(networkOf("::1"), "0:0:0:0");
    assertEquals(networkOf("fe80::1:2:3:4:5"), "fe80:0:0:1");
    assertEquals([networkOf("10.0.0.1"), networkOf("::ffff:10.0.0.1"), networkOf("")], ["10.0.0.1", "10.0.0.1", ""]);
    assertEquals(networkOf("::ffff:a00:1"), "10.0.0.1");
    assert(networkOf("2001:db8:0:1::1") !== networkOf("2001:db8:0:2::1"));
  });
});
