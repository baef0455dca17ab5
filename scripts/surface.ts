/** Lists the public names and members that `deno doc --json` shows, and compares two such lists: pure functions. */

/** Names that the entry `.` must stay below. */
export const NAME_LIMIT = 130;

/** The output of `deno doc --json` for some modules, as far as it is read. */
export interface Doc {
  /** Modules by their `file:` URL. */
  nodes: Record<string, { symbols: DocSymbol[] }>;
}

/** An exported name. */
export interface DocSymbol {
  name: string;
  declarations: Declaration[];
}

/** A declaration of a name, or a reference to one in another module. */
export interface Declaration {
  kind: string;
  declarationKind: string;
  location: Location;
  jsDoc?: JsDoc;
  def?: {
    target?: Location;
    extends?: string | { repr?: string }[] | null;
    constructors?: Member[];
    properties?: Member[];
    methods?: Member[];
    callSignatures?: Member[];
    indexSignatures?: Member[];
    /** Type of a variable, or of an alias. */
    tsType?: { kind: string; value: unknown };
  };
}

interface Location {
  filename: string;
  line: number;
  col: number;
}

interface JsDoc {
  tags?: { kind: string }[];
}

interface Member {
  name?: string;
  accessibility?: string | null;
  isStatic?: boolean;
  optional?: boolean;
  jsDoc?: JsDoc;
}

/** A public name of an entry. */
export interface PublicName {
  name: string;
  /** Kind and name, and those that it extends: `class Connection extends Base`. */
  title: string;
  /** Members in alphabetical order. */
  members: string[];
  /** Itself or its members that are marked `@internal`. */
  internals: string[];
  /** Place of its declaration: the same for each entry that exports it. */
  identity: string;
}

/** Public names by entry. */
export type Surface = Map<string, PublicName[]>;

/** Kinds of `deno doc` that have another name in the language. */
const KINDS: ReadonlyMap<string, string> = new Map([["typeAlias", "type"]]);

const HEADING = `# Public names and members: a section for each entry of deno.json, members where a name comes first.
# Made by "deno task surface --write"; review each line that changes.
`;

/**
 * Reads the public names of all entries.
 *
 * @param doc Of all entries together.
 * @param entries URL of the module by entry (`.`, `./client`).
 * @returns Names of each entry, in alphabetical order.
 * @throws {Error} If `deno doc` left out an entry or the target of a re-export.
 */
export function readSurface(doc: Doc, entries: ReadonlyMap<string, string>): Surface {
  const declared = new Map<string, Declaration>();
  for (const declaration of Object.values(doc.nodes).flatMap(({ symbols }) => symbols).flatMap((s) => s.declarations)) {
    if (declaration.kind !== "reference") declared.set(placeOf(declaration.location), declaration);
  }
  const surface: Surface = new Map();
  for (const [entry, url] of entries) {
    const node = doc.nodes[url];
    if (node === undefined) throw new Error(`deno doc shows nothing of the entry "${entry}": ${url}`);
    const names = node.symbols.flatMap((symbol) => readSymbol(symbol, declared));
    surface.set(entry, names.sort((a, b) => compare(a.title, b.title)).sort((a, b) => compare(a.name, b.name)));
  }
  return surface;
}

/** Reads a name: once for each kind, since a name may be a type and a value. */
function readSymbol({ name, declarations }: DocSymbol, declared: ReadonlyMap<string, Declaration>): PublicName[] {
  const found = new Map<string, PublicName>();
  for (const exported of declarations) {
    if (exported.declarationKind !== "export") continue;
    const target = exported.kind === "reference" ? declared.get(placeOf(exported.def!.target!)) : exported;
    if (target === undefined) throw new Error(`deno doc does not show where "${name}" is declared`);
    const read = readDeclaration(name, target);
    // Overloads are one name.
    const known = found.get(read.title);
    if (known === undefined) found.set(read.title, read);
    else known.internals.push(...read.internals);
  }
  return [...found.values()];
}

function readDeclaration(name: string, { kind, location, jsDoc, def }: Declaration): PublicName {
  const members = new Set<string>();
  const internals = isInternal(jsDoc) ? [name] : [];
  for (const [label, member] of listMembers(def)) {
    if (member.accessibility === "private") continue;
    const words = [member.accessibility === "protected" && "protected", member.isStatic && "static", label];
    members.add(words.filter(Boolean).join(" ") + (member.optional ? "?" : ""));
    if (isInternal(member.jsDoc)) internals.push(`${name}.${label}`);
  }
  const bases = typeof def?.extends === "string" ? [def.extends] : (def?.extends ?? []).map(({ repr }) => repr);
  const title = `${KINDS.get(kind) ?? kind} ${name}${bases.length > 0 ? ` extends ${bases.join(", ")}` : ""}`;
  return { name, title, members: [...members].sort(compare), internals, identity: placeOf(location) };
}

function listMembers(def: Declaration["def"]): [label: string, member: Member][] {
  const { constructors = [], properties = [], methods = [], callSignatures = [], indexSignatures = [] } = def ?? {};
  // A variable that holds names, as an enumeration does, or an alias of `{ … }`.
  const literal = def?.tsType?.kind === "typeLiteral" ? def.tsType.value as Declaration["def"] : undefined;
  return [
    ...constructors.map((member): [string, Member] => ["constructor", member]),
    ...[...properties, ...methods].map((member): [string, Member] => [member.name!, member]),
    ...callSignatures.map((member): [string, Member] => ["(call)", member]),
    ...indexSignatures.map((member): [string, Member] => ["[index]", member]),
    ...(literal === undefined ? [] : listMembers(literal)),
  ];
}

function isInternal(jsDoc: JsDoc | undefined): boolean {
  return jsDoc?.tags?.some(({ kind }) => kind === "internal") ?? false;
}

function placeOf({ filename, line, col }: Location): string {
  return `${filename}:${line}:${col}`;
}

/** The order of code units, which no locale changes. */
function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Writes the list: a line for each name and each member. What an entry before has shown has its name only. */
export function formatSurface(surface: Surface): string {
  const shown = new Map<string, string>();
  let text = HEADING;
  for (const [entry, names] of surface) {
    text += `\n[${entry}]\n`;
    for (const { title, members, identity } of names) {
      const first = shown.get(identity);
      text += first === undefined || members.length === 0 ? `${title}\n` : `${title} (as in ${first})\n`;
      if (first !== undefined) continue;
      shown.set(identity, entry);
      for (const member of members) text += `  ${member}\n`;
    }
  }
  return text;
}

/**
 * Compares two lists.
 *
 * @param before The committed list.
 * @param after The list of the code.
 * @returns A line for each name or member that is gone (`-`) or new (`+`), with its entry and its name; none if both
 * are equal.
 */
export function diffSurface(before: string, after: string): string[] {
  const [old, current] = [qualify(before), qualify(after)];
  const lines = [
    ...[...old].filter((line) => !current.has(line)).map((line) => ({ line, sign: "-" })),
    ...[...current].filter((line) => !old.has(line)).map((line) => ({ line, sign: "+" })),
  ].sort((a, b) => compare(a.line, b.line)).map(({ line, sign }) => `${sign} ${line}`);
  return lines.length === 0 && before !== after ? ["the same names, but in another order or form"] : lines;
}

/** Says in each line what it belongs to, so that it can be read alone. */
function qualify(text: string): Set<string> {
  const lines = new Set<string>();
  let [entry, owner] = ["", ""];
  for (const line of text.split("\n")) {
    if (line === "" || line.startsWith("#")) continue;
    if (line.startsWith("[")) entry = `"${line.slice(1, -1)}"`;
    else if (line.startsWith("  ")) lines.add(`${entry} ${owner}: ${line.trim()}`);
    else lines.add(`${entry} ${owner = line}`);
  }
  return lines;
}

/** Counts the names of an entry: a name that is a type and a value is one. */
export function countNames(names: readonly PublicName[]): number {
  return new Set(names.map(({ name }) => name)).size;
}

/**
 * Checks the surface against its limits.
 *
 * @param surface The surface.
 * @returns A line for each name and member that is marked `@internal`, and one if the entry `.` has too many names.
 */
export function checkSurface(surface: Surface): string[] {
  const problems = new Map<string, string>();
  for (const [entry, names] of surface) {
    for (const { internals, identity } of names) {
      for (const name of internals) {
        const problem =
          `${name} is marked @internal, but the entry "${entry}" shows it; make it private, or export a ` +
          `function beside the class that no entry exports`;
        // Once, for the first entry that shows it.
        if (!problems.has(identity + name)) problems.set(identity + name, problem);
      }
    }
  }
  const count = countNames(surface.get(".") ?? []);
  const tooMany = `the entry "." has ${count} names; fewer than ${NAME_LIMIT}: export those that a user needs`;
  return [...problems.values(), ...(count < NAME_LIMIT ? [] : [tooMany])];
}
