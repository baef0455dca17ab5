/**
 * The engine `postgres` of the fail-over test: a primary of PostgreSQL with one standby, which takes its place. Each
 * node reaches PostgreSQL by an address that leads to the present primary, as with cloud services: connections that are
 * open stay where they are.
 */

import type { Journal } from "../../journal/journal.ts";
import { PostgresJournal } from "../../postgres/journal.ts";
import { FaultProxy } from "../../tests/support/fault_proxy.ts";
import { caughtUp, PostgresServer, SUPERUSER } from "../../tests/support/postgres.ts";
import { POSTGRES_CLIENTS } from "../../tests/support/postgres_clients.ts";
import { ServiceAddress } from "../../tests/support/service_address.ts";
import type { Engine, NodeSettings, Rig } from "../failover_lane/engine.ts";
import { sleep } from "../failover_lane/waiting.ts";

/** Time until a monitor such as Patroni has the standby take over, in ms. */
const NOTICE = 2000;
/** Time that an asynchronous standby is behind before the primary is killed, in ms. */
const LAG = 500;
const FREEZE = 7000;
const STANDBY = "standby";
/** Cases whose primary waits for the standby before a commit counts. */
const SYNCHRONOUS = ["kill", "graceful", "frozen"];

/** A primary, a standby behind a proxy, and the addresses of the service. */
class Replication implements Rig {
  readonly primary: PostgresServer;
  readonly standby: PostgresServer;
  /** Way of the standby to the primary. */
  readonly link: FaultProxy;
  /** One for each node. */
  readonly services: readonly [ServiceAddress, ServiceAddress];

  private constructor(
    primary: PostgresServer,
    standby: PostgresServer,
    link: FaultProxy,
    services: readonly [ServiceAddress, ServiceAddress],
  ) {
    this.primary = primary;
    this.standby = standby;
    this.link = link;
    this.services = services;
  }

  static async start(isSynchronous: boolean): Promise<Replication> {
    const primary = await PostgresServer.start();
    const link = await FaultProxy.listen(primary.port);
    const standby = await PostgresServer.standbyOf(primary, { name: STANDBY, through: link.port });
    await caughtUp(primary, STANDBY);
    if (isSynchronous) await primary.setSynchronous(STANDBY);
    const services = [await ServiceAddress.listen(primary.port), await ServiceAddress.listen(primary.port)] as const;
    return new Replication(primary, standby, link, services);
  }

  get addresses(): [string, string] {
    const urlOf = ({ port }: ServiceAddress): string => `postgres://${SUPERUSER}@127.0.0.1:${port}/postgres`;
    return [urlOf(this.services[0]), urlOf(this.services[1])];
  }

  async promote(): Promise<void> {
    await this.standby.promote();
    for (const service of this.services) service.target = this.standby.port;
  }

  /** The former primary becomes the standby. */
  async demote(): Promise<void> {
    await this.primary.follow(this.standby, { name: STANDBY });
  }

  async stop(): Promise<void> {
    await Promise.all([this.primary, this.standby].map((server) => server.stop()));
    await Promise.all([...this.services, this.link].map((proxy) => proxy.close()));
  }
}

async function kill(rig: Replication): Promise<void> {
  await rig.primary.kill();
  await sleep(NOTICE);
  await rig.promote();
}

async function killAhead(rig: Replication): Promise<void> {
  for (const link of rig.link.links) link.faults = { stalled: "both" };
  await sleep(LAG);
  await kill(rig);
}

async function switchOver(rig: Replication): Promise<void> {
  // It ends when the standby has all.
  await rig.primary.shutDown("fast");
  await rig.promote();
  await rig.demote();
}

async function freeze(rig: Replication): Promise<void> {
  const thaw = sleep(FREEZE);
  rig.primary.freeze(true);
  await sleep(NOTICE);
  await rig.promote();
  await thaw;
  rig.primary.freeze(false);
  await sleep(NOTICE);
  await rig.demote();
}

export const ENGINE: Engine<Replication> = {
  needs: ["PostgreSQL", "npm:pg@8.23.1", "npm:postgres@3.4.9"],
  cases: {
    kill: {
      text: "`kill -9` of a primary with a synchronous standby, which takes over 2 s later",
      clients: [{ Deno: "npm:pg Client", Bun: "Bun.sql" }, { Deno: "npm:postgres", Bun: "npm:pg Pool" }],
      longestGap: 5000,
      fault: kill,
    },
    asynchronous: {
      text: "`kill -9` of a primary whose standby is asynchronous, and 0.5 s behind; it takes over 2 s later",
      clients: [{ Deno: "npm:pg Pool", Bun: "Bun.sql" }],
      longestGap: 5000,
      fault: killAhead,
    },
    graceful: {
      text: "`pg_ctl stop -m fast`, the standby takes over, and the primary follows it",
      clients: [{ Deno: "npm:postgres", Bun: "npm:pg Pool" }],
      longestGap: 5000,
      fault: switchOver,
    },
    frozen: {
      text:
        "the primary stands still for 7 s; meanwhile the standby takes over; then it goes on as if nothing had been",
      clients: [{ Deno: "npm:pg Client", Bun: "Bun.sql" }],
      longestGap: 5000,
      fault: freeze,
    },
  },
  start: (name) => Replication.start(SYNCHRONOUS.includes(name)),
  async openJournal({ client: kind, address }: NodeSettings): Promise<Journal> {
    const { client } = await POSTGRES_CLIENTS.get(kind)!(String(address));
    return PostgresJournal.open(client);
  },
};
