/**
 * Reverse proxies for tests: the real programs, each with its snippet of docs/scaling.md, before nodes on loopback.
 *
 * A snippet names `example.com`, port 443, files in /etc and two nodes. {@linkcode ProxyKind.replace} has what a test
 * puts in their place, piece by piece; a piece that is not in the snippet is an error.
 */

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { freePort, onFreePort } from "./free_port.ts";
import { find, type NeedName } from "./needs.ts";
import { repeatUntil, tlsFile, until } from "./support.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));

/** Text in a snippet, and text in its place. */
export type Replacement = readonly [from: string, to: string];

/** Addresses and paths of one proxy of a test. */
export interface Place {
  /** Folder of its files, gone afterwards. */
  folder: string;
  /** Port that it listens on. */
  port: number;
  /** Ports of both nodes. The second one is dead unless a test gives one. */
  nodes: readonly [number, number];
}

/** A program, and how it is used. */
export interface ProxyKind {
  name: string;
  need: NeedName;
  /** Language of its snippet in docs/scaling.md, or a file. */
  source: string;
  /** Pieces of the snippet that are others in a test, of which some may depend on `text`, the snippet. */
  replace(place: Place, text: string): Replacement[];
  /** Text before the snippet: what the distribution's own files have. */
  prelude(place: Place, snippet: string): string;
  /** Arguments that check a configuration. */
  check(file: string, place: Place): string[];
  /** Arguments that run it in the foreground. */
  run(file: string, place: Place): string[];
  /** Signal for the process, or arguments of the program, that have it read its configuration again. */
  reload: NodeJS.Signals | ((file: string, place: Place) => string[]);
  /** Replacements that shorten the idle time-out to `seconds`; none if it has none. */
  shorten?(seconds: number): Replacement[];
  /** True without TLS. */
  plain?: boolean;
  /** True if a reload ends open WebSockets. */
  cutsAtReload?: boolean;
  /** Replacements that turn HTTP/2 on; none if the snippet has it, or the program by itself. */
  http2?: Replacement[];
  /** Replacements that take away the lines for the upgrade; none if the program needs none. */
  withoutUpgrade?: Replacement[];
  /** Replacement that takes away the line for HTTP/1.1 to the nodes. */
  httpVersion?: Replacement;
  /** Replacements that turn its lines for certificates of clients on. */
  clientCertificates?: Replacement[];
  /** Replacement that adds a header `X-Version`: the version of HTTP that the client speaks. */
  version?: Replacement;
  /** Replacements that let bodies through which the program itself would refuse. */
  passLargeBodies?: Replacement[];
  /** True for WebSockets over HTTP/2 (RFC 8441). */
  hasExtendedConnect?: boolean;
  /**
   * Output that reports the first check of a node, the first or the second one, as passed; none if the program sends
   * clients to nodes that it has not checked. A case begins when those that live are up.
   */
  reports?(node: number): string;
}

/** Reads the snippet of a language, or a whole file. */
export function readSource(source: string): string {
  if (source.includes("/")) return readFileSync(join(root, source), "utf8");
  const text = readFileSync(join(root, "docs/scaling.md"), "utf8");
  const blocks = [...text.matchAll(/^```(\S+)\n([^]*?)^```$/gm)].filter(([, language]) => language === source);
  if (blocks.length !== 1) throw new Error(`docs/scaling.md has ${blocks.length} snippets of ${source}`);
  return blocks[0]![2]!;
}

/** Puts texts in the place of others, all of which must be there. */
export function replaceAll(text: string, replacements: readonly Replacement[]): string {
  for (const [from, to] of replacements) {
    if (!text.includes(from)) throw new Error(`"${from}" is not in the configuration`);
    text = text.replaceAll(from, () => to);
  }
  return text;
}

/** Takes lines out of comments. */
const uncomment = (...lines: string[]): Replacement[] => lines.map((line) => [`# ${line}`, line]);

const clientCa = tlsFile("client-ca.pem");
const certificate = tlsFile("leaf.pem");
const key = tlsFile("leaf.key");
const isRoot = process.getuid?.() === 0;

const filesOfNginx = ({ folder }: Place): Replacement => [
  "http {\n",
  `http {\n  access_log off;\n${
    ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((name) => `  ${name}_temp_path ${folder}/${name};\n`)
      .join("")
  }`,
];
const nodesOf = ({ nodes: [first, second] }: Place): Replacement[] => [
  ["10.0.0.1:8080", `127.0.0.1:${first}`],
  ["10.0.0.2:8080", `127.0.0.1:${second}`],
];
const filesIn = (folder: string): Replacement[] => [
  [`${folder}/example.com.pem`, certificate],
  [`${folder}/example.com.key`, key],
];

/** Arguments of nginx besides `-t`. */
function argumentsOfNginx(file: string, { folder }: Place): string[] {
  return [
    "-e",
    "stderr",
    "-p",
    folder,
    "-c",
    file,
    "-g",
    `daemon off; pid ${folder}/nginx.pid; error_log stderr warn;`,
  ];
}

const NGINX: Omit<ProxyKind, "name" | "source" | "replace"> = {
  need: "nginx",
  prelude: () => "",
  check: (file, place) => ["-t", ...argumentsOfNginx(file, place)],
  run: argumentsOfNginx,
  reload: "SIGHUP",
  withoutUpgrade: [
    ["      proxy_set_header Upgrade $http_upgrade;\n", ""],
    ["      proxy_set_header Connection $connection_upgrade;\n", ""],
  ],
  httpVersion: ["      proxy_http_version 1.1;\n", ""],
  version: ['proxy_set_header Forwarded ""', "proxy_set_header X-Version $server_protocol"],
  passLargeBodies: [["client_max_body_size 4m", "client_max_body_size 8m"]],
  shorten: (seconds) => [["proxy_read_timeout 75s", `proxy_read_timeout ${seconds}s`]],
};

/**
 * Nodes of a test share its process, which may compute for seconds: a check that is answered late is no failure, unlike
 * one that is refused.
 */
const PATIENT_CHECKS: Replacement = [
  "timeout connect 2s\n",
  "timeout connect 2s\n  timeout check 60s\n  option log-health-checks\n",
];
const reportsOfHaproxy = (node: number): string => `Health check for server nodes/node${node} succeeded`;

/** All that are tested. */
export const PROXY_KINDS: readonly ProxyKind[] = [
  {
    ...NGINX,
    name: "nginx",
    source: "nginx",
    http2: [["listen 443 ssl", "listen 443 ssl http2"]],
    clientCertificates: [
      ...uncomment("ssl_client_certificate", "ssl_verify_client", "proxy_set_header X-Client-Subject"),
      ["/etc/ssl/meta-ca.pem", clientCa],
    ],
    replace: (place) => [
      ["listen 443", `listen 127.0.0.1:${place.port}`],
      ...filesIn("/etc/ssl"),
      ...nodesOf(place),
      filesOfNginx(place),
    ],
  },
  {
    ...NGINX,
    name: "nginx of examples/compose",
    source: "examples/compose/nginx.conf",
    plain: true,
    replace: (place) => [
      ["listen 80;", `listen 127.0.0.1:${place.port};`],
      ["node1:8080", `127.0.0.1:${place.nodes[0]}`],
      ["node2:8080", `127.0.0.1:${place.nodes[1]}`],
      filesOfNginx(place),
    ],
  },
  {
    name: "HAProxy",
    need: "HAProxy",
    source: "haproxy",
    replace: (place) => [
      ["bind :443", `bind 127.0.0.1:${place.port}`],
      // One file with both.
      ["/etc/haproxy/example.com.pem", join(place.folder, "example.com.pem")],
      ...nodesOf(place),
      PATIENT_CHECKS,
    ],
    reports: reportsOfHaproxy,
    prelude({ folder }) {
      writeFileSync(join(folder, "example.com.pem"), readFileSync(certificate, "utf8") + readFileSync(key, "utf8"));
      return "";
    },
    check: (file) => ["-c", "-f", file],
    // A master and a worker, as the unit of systemd has it; -db stays in the foreground.
    run: (file) => ["-W", "-db", "-f", file],
    reload: "SIGUSR2",
    clientCertificates: [
      ["alpn h2,http/1.1", "alpn h2,http/1.1 ca-file /etc/haproxy/meta-ca.pem verify optional"],
      ...uncomment("http-request set-header X-Client-Subject"),
      ["/etc/haproxy/meta-ca.pem", clientCa],
    ],
    version: ["http-request del-header Forwarded", "http-request set-header X-Version HTTP/%[req.ver]"],
    hasExtendedConnect: true,
    shorten: (seconds) => [["timeout tunnel 75s", `timeout tunnel ${seconds}s`]],
  },
  {
    name: "Apache",
    need: "Apache",
    source: "apache",
    replace: (place) => [["*:443", `127.0.0.1:${place.port}`], ...filesIn("/etc/ssl"), ...nodesOf(place)],
    prelude({ folder, port }, snippet) {
      const named = /^# a2enmod (.*)$/m.exec(snippet)![1]!.split(" ");
      // Those that Debian has on, and those that a2enmod adds by itself.
      const modules = ["mpm_event", "authz_core", "slotmem_shm", "socache_shmcb", ...named];
      return [
        ...modules.map((name) => `LoadModule ${name}_module /usr/lib/apache2/modules/mod_${name}.so`),
        `ServerRoot ${folder}`,
        "ServerName localhost",
        `DefaultRuntimeDir ${folder}`,
        `PidFile ${folder}/apache.pid`,
        // Not /dev/stderr: a socket, which Bun gives to its children, cannot be opened by that name.
        `ErrorLog ${folder}/error.log`,
        `Listen 127.0.0.1:${port}`,
        ...isRoot ? ["User www-data", "Group www-data"] : [],
        "",
      ].join("\n");
    },
    check: (file) => ["-t", "-f", file],
    run: (file) => ["-DFOREGROUND", "-f", file],
    reload: "SIGUSR1",
    withoutUpgrade: [[" upgrade=websocket", ""]],
    passLargeBodies: [["LimitRequestBody 4194304", "LimitRequestBody 8388608"]],
    clientCertificates: [
      ...uncomment("SSLCACertificateFile", "SSLVerifyClient", "RequestHeader set X-Client-Subject"),
      ["/etc/ssl/meta-ca.pem", clientCa],
    ],
    version: ["RequestHeader unset Forwarded", "RequestHeader set X-Version expr=%{SERVER_PROTOCOL}"],
    hasExtendedConnect: true,
    shorten: (seconds) => [["Timeout 75", `Timeout ${seconds}`]],
  },
  {
    name: "Caddy",
    need: "Caddy",
    source: "caddy",
    clientCertificates: [
      ...uncomment(
        "header_up X-Client-Subject",
        "tls {",
        "  client_auth {",
        "    mode verify",
        "    trusted_ca",
        "  }",
        "}",
      ),
      ["/etc/ssl/meta-ca.pem", clientCa],
    ],
    version: ["header_up -Forwarded", "header_up X-Version {http.request.proto}"],
    cutsAtReload: true,
    passLargeBodies: [["max_size 4MiB", "max_size 8MiB"]],
    replace(place, text) {
      const tls = `tls ${certificate} ${key}`;
      const site = `https://localhost:${place.port} {\n  bind 127.0.0.1`;
      const hasBlock = text.includes("\n  tls {");
      return [
        ...hasBlock ? [["  tls {", `  ${tls} {`] as const] : [],
        ["example.com {", hasBlock ? site : `${site}\n  ${tls}`],
        ...nodesOf(place),
        // Like PATIENT_CHECKS.
        ["health_interval 2s", "health_interval 2s\n    health_timeout 60s"],
      ];
    },
    prelude: ({ folder }) => `{\n  admin unix/${folder}/admin.sock\n  auto_https off\n}\n`,
    check: (file) => ["validate", "--adapter", "caddyfile", "--config", file],
    run: (file) => ["run", "--adapter", "caddyfile", "--config", file],
    reload: (file, { folder }) => [
      ...["reload", "--adapter", "caddyfile", "--config", file],
      ...["--address", `unix/${folder}/admin.sock`],
    ],
  },
];

/** HAProxy that passes on bytes, and the address of the client by the PROXY protocol. */
export const HAPROXY_TCP: ProxyKind = {
  name: "HAProxy over TCP",
  need: "HAProxy",
  source: "haproxy-tcp",
  plain: true,
  replace: (place) => [["bind :8080", `bind 127.0.0.1:${place.port}`], ...nodesOf(place), PATIENT_CHECKS],
  reports: reportsOfHaproxy,
  prelude: () => "",
  check: (file) => ["-c", "-f", file],
  run: (file) => ["-W", "-db", "-f", file],
  reload: "SIGUSR2",
};

/** Looks whether a port of loopback takes connections. */
function takesConnections(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.on("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.on("error", () => resolve(false));
  });
}

/**
 * Runs a program in a process group of its own, and prints its process id. The group is killed when the program has
 * ended, and when standard input ends: so nothing outlives a test, however that ends.
 */
const GUARD = '{ "$@" & echo "pid $!"; wait $!; kill -KILL 0; } & read _; kill -KILL 0';

/** A proxy that runs. */
export class Proxy implements AsyncDisposable {
  readonly kind: ProxyKind;
  readonly place: Place;
  /** Output of the check of its configuration. */
  checked = "";
  #replacements: readonly Replacement[];
  #child: ChildProcess | undefined;
  #gone: Promise<void> = Promise.resolve();
  #hasEnded = false;
  #output = "";

  private constructor(kind: ProxyKind, place: Place, replacements: readonly Replacement[]) {
    this.kind = kind;
    this.place = place;
    this.#replacements = replacements;
  }

  /**
   * Starts a program before nodes.
   *
   * @param node Port of a node, or of two. Of one, the other is dead.
   * @param replacements Changes of the snippet besides those of {@linkcode ProxyKind.replace}.
   */
  static async start(
    kind: ProxyKind,
    node: number | readonly [number, number],
    replacements: readonly Replacement[] = [],
  ): Promise<Proxy> {
    const nodes = typeof node === "number" ? [node, await freePort()] as const : node;
    return await onFreePort(async (port) => {
      const folder = mkdtempSync(join(tmpdir(), "proxy-"));
      // Workers of another user reach their files in it.
      chmodSync(folder, 0o711);
      const proxy = new Proxy(kind, { folder, port, nodes }, replacements);
      try {
        await proxy.#run();
        await proxy.#untilUp(typeof node === "number" ? 1 : 2);
      } catch (error) {
        await proxy.stop();
        throw error;
      }
      return proxy;
    });
  }

  get #program(): string {
    return find(this.kind.need)![0]!;
  }

  get #file(): string {
    return join(this.place.folder, "proxy.conf");
  }

  get #environment(): Record<string, string | undefined> {
    const { folder } = this.place;
    return { ...process.env, HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder };
  }

  /** Writes the configuration, and has the program check it. */
  #configure(place: Place): void {
    const snippet = readSource(this.kind.source);
    const prelude = this.kind.prelude(place, snippet);
    const changed = replaceAll(prelude + snippet, this.#replacements);
    writeFileSync(this.#file, replaceAll(changed, this.kind.replace(place, changed)));
    this.checked = this.#call(this.kind.check(this.#file, place));
  }

  /** Runs the program to its end; throws if it fails. */
  #call(args: string[]): string {
    const { status, stdout, stderr } = spawnSync(this.#program, args, { env: this.#environment, encoding: "utf8" });
    const output = (stdout + stderr).trim();
    if (status !== 0) throw new Error(`${this.kind.name} ${args.join(" ")} ended with ${status}: ${output}`);
    return output;
  }

  async #run(): Promise<void> {
    this.#configure(this.place);
    const child = spawn("sh", ["-c", GUARD, "sh", this.#program, ...this.kind.run(this.#file, this.place)], {
      stdio: ["pipe", "pipe", "pipe"],
      env: this.#environment,
      detached: true,
    });
    this.#child = child;
    for (const stream of [child.stdout!, child.stderr!]) stream.on("data", (data) => this.#output += data);
    this.#gone = new Promise((resolve) =>
      child.on("close", () => {
        this.#hasEnded = true;
        resolve();
      })
    );
    let open = false;
    await repeatUntil(
      async () => {
        if (this.#hasEnded) throw new Error(`${this.kind.name} ended: ${this.output}`);
        open = await takesConnections(this.place.port);
      },
      () => open,
      `${this.kind.name} to listen`,
    );
  }

  /** Waits until the first check of each of the first `count` nodes is reported as passed. */
  async #untilUp(count: number): Promise<void> {
    const { name, reports } = this.kind;
    for (let node = 1; reports !== undefined && node <= count; node++) {
      const report = reports(node);
      await until(() => this.#hasEnded || this.#output.includes(report), `${name}: "${report}"`);
    }
    if (this.#hasEnded) throw new Error(`${name} ended: ${this.output}`);
  }

  /** Has it read a configuration with another first node. */
  reload(node: number): void {
    const place: Place = { ...this.place, nodes: [node, this.place.nodes[1]] };
    this.#configure(place);
    const { reload } = this.kind;
    if (typeof reload === "string") this.#signal(reload);
    else this.#call(reload(this.#file, place));
  }

  /** URL of a path behind it. */
  url(path: string, scheme: "ws" | "http" = "ws"): string {
    return `${scheme}${this.kind.plain ? "" : "s"}://localhost:${this.place.port}${path}`;
  }

  /** Output so far, and the log of errors of a program that writes one. */
  get output(): string {
    const log = join(this.place.folder, "error.log");
    return this.#output + (existsSync(log) ? readFileSync(log, "utf8") : "");
  }

  /** Signals the first process of the program. */
  #signal(signal: NodeJS.Signals): void {
    try {
      process.kill(Number(/^pid (\d+)$/m.exec(this.#output)![1]), signal);
    } catch {
      // Ignored on purpose: it has ended already.
    }
  }

  /** Ends the program, and after a second each of its processes; removes its files. */
  async stop(): Promise<void> {
    if (this.#child !== undefined && !this.#hasEnded) this.#signal("SIGTERM");
    const timer = setTimeout(() => this.#child!.stdin!.end(), 1000);
    await this.#gone;
    clearTimeout(timer);
    rmSync(this.place.folder, { recursive: true, force: true });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}
