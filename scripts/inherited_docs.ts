/**
 * Makes the part of a doc comment that lists inherited members: the pages of `deno doc --html` and JSR show of a class
 * or an interface its own members only. Pure functions over the output of `deno doc --json`.
 *
 * Options objects get name, default and first sentence of each member; others, whose comment an editor shows often,
 * names only.
 */

/** The output of `deno doc --json` for all entries, as far as it is read. */
export interface ApiDoc {
  /** Modules by their `file:` URL. */
  nodes: Record<string, { symbols: { name: string; declarations: ApiDeclaration[] }[] }>;
}

/** A declaration of a name, or a reference to one in another module. */
export interface ApiDeclaration {
  kind: string;
  location: { filename: string };
  def?: {
    /** Name of the base of a class; the bases of an interface. */
    extends?: string | ApiType[] | null;
    properties?: ApiMember[];
    methods?: ApiMember[];
    /** Of an interface. */
    constructors?: { returnType?: ApiType }[];
    /** Type of a variable. */
    tsType?: ApiType;
  };
}

/** A type: of a base, or an argument of one. */
export interface ApiType {
  repr: string;
  kind: string;
  value: unknown;
}

/** A member of a class or an interface. */
export interface ApiMember {
  name: string;
  /** Of a method: `method`, `getter` or `setter`. */
  kind?: string;
  accessibility?: string | null;
  isStatic?: boolean;
  readonly?: boolean;
  jsDoc?: { doc?: string; tags?: { kind: string; value?: string }[] };
}

/** Members that a class or an interface has from one base. */
export interface Inherited {
  /** Name of the base. */
  base: string;
  members: ApiMember[];
}

/** The lines that a doc comment must have at its end, before its tags. */
export interface Block {
  /** `file:` URL of the module. */
  file: string;
  /** Name of the class or interface. */
  name: string;
  /** Without `*`; none if nothing is inherited. */
  lines: string[];
}

/** First words of each paragraph of a block, by which it is found. */
export const OPENING = "Also from {@linkcode ";
/** Columns of a line within the `*` of a doc comment. */
const COLUMNS = 117;

/**
 * Makes the blocks of all public classes and interfaces.
 *
 * @param doc Of all entries together.
 * @returns A block for each class and interface, in the order of `deno doc`.
 * @throws {Error} If a base is neither public nor one of the language.
 */
export function makeBlocks(doc: ApiDoc): Block[] {
  const declared = declarationsOf(doc);
  const bases = new Map([...classVariables(doc, declared), ...declared]);
  return [...declared].map(([name, declaration]) => {
    const detailed = declaration.kind === "interface" && name.endsWith("Options");
    const groups = inheritedBy(declaration, bases);
    const lines = groups.flatMap((group) => ["", ...(detailed ? describeGroup(group) : nameGroup(group))]).slice(1);
    return { file: declaration.location.filename, name, lines };
  });
}

function declarationsOf(doc: ApiDoc): Map<string, ApiDeclaration> {
  const declared = new Map<string, ApiDeclaration>();
  for (const { symbols } of Object.values(doc.nodes)) {
    for (const { name, declarations } of symbols) {
      const found = declarations.find(({ kind }) => kind === "class" || kind === "interface");
      // The small client of `browser-client` has the name of the large one, which others are built on.
      if (found !== undefined && !declared.has(name)) declared.set(name, found);
    }
  }
  return declared;
}

/** Variables that hold a class, each with the declaration of what the class makes. */
function classVariables(doc: ApiDoc, declared: ReadonlyMap<string, ApiDeclaration>): Map<string, ApiDeclaration> {
  const made = new Map<string, ApiDeclaration>();
  for (const { name, declarations } of Object.values(doc.nodes).flatMap(({ symbols }) => symbols)) {
    const type = declarations.find(({ kind }) => kind === "variable")?.def?.tsType;
    const instance = declared.get(type?.repr ?? "")?.def?.constructors?.[0]?.returnType;
    const declaration = declared.get(instance?.repr ?? "");
    if (declaration !== undefined) made.set(name, declaration);
  }
  return made;
}

/**
 * Lists the members that a class or an interface has and does not declare, by the base that declares them.
 *
 * @param declaration The class or interface.
 * @param declared All public ones by name, those of variables that hold a class too.
 * @returns Groups with at least one member; a member is in the first group that has it.
 */
export function inheritedBy(declaration: ApiDeclaration, declared: ReadonlyMap<string, ApiDeclaration>): Inherited[] {
  const taken = new Set(publicMembers(declaration).map(({ name }) => name));
  const groups: Inherited[] = [];
  const visit = ({ def }: ApiDeclaration, without: ReadonlySet<string>): void => {
    for (const { base, omitted } of basesOf(def?.extends)) {
      const parent = declared.get(base);
      if (parent === undefined && Object.hasOwn(globalThis, base)) continue;
      if (parent === undefined) throw new Error(`the base "${base}" is exported by no entry`);
      const left = new Set([...without, ...omitted]);
      const members = publicMembers(parent).filter(({ name }) => !taken.has(name) && !left.has(name));
      for (const { name } of members) taken.add(name);
      if (members.length > 0) groups.push({ base, members });
      visit(parent, left);
    }
  };
  visit(declaration, new Set());
  return groups;
}

/** Members without private and static ones; a getter and its setter are one, which is not read-only. */
function publicMembers({ def }: ApiDeclaration): ApiMember[] {
  const members = new Map<string, ApiMember>();
  for (const member of [...def?.properties ?? [], ...def?.methods ?? []]) {
    if (member.accessibility === "private" || member.isStatic) continue;
    const known = members.get(member.name);
    if (known === undefined) members.set(member.name, { ...member, readonly: isReadonly(member) });
    else if (member.kind === "setter") known.readonly = false;
  }
  return [...members.values()];
}

function isReadonly({ kind, readonly }: ApiMember): boolean {
  return readonly === true || kind === "getter";
}

/** Bases, and the members of each that `Omit` leaves out. */
function basesOf(bases: string | ApiType[] | null | undefined): { base: string; omitted: string[] }[] {
  if (typeof bases === "string") return [{ base: bases, omitted: [] }];
  return (bases ?? []).map((type) => {
    if (type.repr !== "Omit") return { base: type.repr, omitted: [] };
    const [inner, names] = (type.value as { typeParams: [ApiType, ApiType] }).typeParams;
    return { base: inner.repr, omitted: literals(names) };
  });
}

/** The strings of `"a"` or `"a" | "b"`. */
function literals({ kind, repr, value }: ApiType): string[] {
  if (kind === "union") return (value as ApiType[]).flatMap(literals);
  if (kind === "literal") return [(value as { string: string }).string];
  throw new Error(`Omit names "${repr}", not members: write them out`);
}

/** A list with default and first sentence of each member. */
function describeGroup({ base, members }: Inherited): string[] {
  const items = members.map(({ name, jsDoc }) => {
    const initial = jsDoc?.tags?.find(({ kind }) => kind === "default")?.value;
    const shown = initial === undefined ? "" : ` (default \`${initial}\`)`;
    return wrap(`- \`${name}\`${shown}: ${firstSentence(jsDoc?.doc ?? "")}`, "  ");
  });
  return [`${OPENING}${base}}:`, ...items.flat()];
}

/** The names, in a list by kind if there are several kinds. */
function nameGroup({ base, members }: Inherited): string[] {
  const kinds = new Map<string, string[]>();
  for (const member of members) {
    const kind = kindOf(member);
    kinds.set(kind, [...kinds.get(kind) ?? [], `\`${member.name}\``]);
  }
  if (kinds.size === 1) return wrap(`${OPENING}${base}}: ${[...kinds.values()].flat().join(", ")}.`);
  const order = ["methods", "properties", "settings", "handlers"].filter((kind) => kinds.has(kind));
  return [`${OPENING}${base}}:`, ...order.flatMap((kind) => wrap(`- ${kind}: ${kinds.get(kind)!.join(", ")}`, "  "))];
}

function kindOf({ name, kind, readonly }: ApiMember): string {
  if (/^on[A-Z]/.test(name)) return "handlers";
  if (kind === "method") return "methods";
  return readonly ? "properties" : "settings";
}

/**
 * Cuts a text behind its first sentence.
 *
 * @param doc The text of a doc comment.
 * @returns The sentence in one line; the first paragraph if it has no end of a sentence.
 */
export function firstSentence(doc: string): string {
  const paragraph = doc.split(/\n\s*\n/)[0]!.replace(/\s+/g, " ").trim();
  return /^(?:`[^`]*`|[^`])*?[.!?](?= [\p{Lu}`"{\d]|$)/u.exec(paragraph)?.[0] ?? paragraph;
}

/** Breaks a text into lines: not within backquotes or a `{@link …}`. */
function wrap(text: string, indent = ""): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.match(/(?:`[^`]*`|\{@[^}]*\}|[^\s`])+/g) ?? []) {
    if (line !== "" && line.length + 1 + word.length > COLUMNS) {
      lines.push(line);
      line = `${indent}${word}`;
    } else line += line === "" ? word : ` ${word}`;
  }
  return [...lines, line];
}

/**
 * Writes a block into the doc comment of its class or interface, in place of the one that is there.
 *
 * @param source The module.
 * @param block The block.
 * @returns The module; the same text if its block is up to date.
 * @throws {Error} If the module does not declare the name with a doc comment.
 */
export function insertBlock(source: string, { name, lines }: Block): string {
  const declaration = new RegExp(`\\*/\\nexport (?:abstract )?(?:class|interface) ${name}\\b`).exec(source);
  const start = declaration === null ? -1 : source.lastIndexOf("/**", declaration.index);
  if (declaration === null || start === -1) throw new Error(`no doc comment of "${name}"`);
  const comment = source.slice(start + 3, declaration.index);
  const written = comment.split("\n").map((line) => line.replace(/^\s*\* ?/, "").trimEnd());
  const firstTag = written.findIndex((line) => /^@\w/.test(line));
  const tags = firstTag === -1 ? [] : trimmed(written.slice(firstTag));
  const text = firstTag === -1 ? written : written.slice(0, firstTag);
  const opening = text.findIndex((line) => line.startsWith(OPENING));
  const own = trimmed(opening === -1 ? text : text.slice(0, opening));
  if (opening === -1 && lines.length === 0) return source;
  const parts = [own, lines, tags].filter((part) => part.length > 0);
  const all = parts.flatMap((part, index) => index === 0 ? part : ["", ...part]);
  const body = all.length === 1 ? ` ${all[0]} ` : `\n${all.map((line) => ` * ${line}`.trimEnd()).join("\n")}\n `;
  return source.slice(0, start + 3) + body + source.slice(declaration.index);
}

/** Lines without empty ones at both ends, and without white space at both ends of the text. */
function trimmed(lines: readonly string[]): string[] {
  const first = lines.findIndex((line) => line.trim() !== "");
  if (first === -1) return [];
  const last = lines.findLastIndex((line) => line.trim() !== "");
  return lines.slice(first, last + 1).map((line, index) => index === 0 ? line.trimStart() : line);
}
