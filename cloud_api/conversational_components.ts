/**
 * Conversational components of a number: ice breakers and commands, which customers can tap.
 *
 * Facts: Meta's page "Conversational Components" (June 2026).
 *
 * @module
 */

import { OptionError } from "../base/errors.ts";
import { OptionNames, type OptionTable } from "../base/option_names.ts";
import { assertSuccess, texts } from "./answers.ts";
import { assertLength } from "./argument_checks.ts";
import { listOf } from "./contents_checks.ts";
import type { GraphClient } from "./graph.ts";
import { boolean, type JsonObject, object, objects, text, withoutUndefined } from "./json.ts";
import { CALL_OPTIONS, type CallOptions } from "./subscriptions.ts";

/** A command: customers type `/`, and its name. */
export interface WhatsAppCommand {
  /** The name without the slash: 1 to 32 characters. */
  name: string;
  /** The hint beside it: 1 to 256 characters. */
  description: string;
}

/** The components of a number. */
export interface ConversationalComponents {
  /** Texts to tap in an empty chat. */
  iceBreakers: string[];
  /** The commands. */
  commands: WhatsAppCommand[];
  /** `true` if Meta shall tell of chats that are opened; it has withdrawn that. */
  welcomeMessage?: boolean | undefined;
  /** The components as Meta sent them. */
  raw: JsonObject;
}

/** Components to set. Give both lists: Meta's reference has an empty one for a list that is left out. */
export interface ConversationalComponentsChanges {
  /** Up to 4 texts of 1 to 80 characters, without emoji. */
  iceBreakers?: readonly string[] | undefined;
  /** Up to 30 commands. */
  commands?: readonly WhatsAppCommand[] | undefined;
  /** Have Meta tell of chats that are opened; it has withdrawn that. */
  welcomeMessage?: boolean | undefined;
}

const MAX_ICE_BREAKERS = 4;
const MAX_COMMANDS = 30;
const ICE_BREAKER = { min: 1, max: 80 } as const;
/** Meta's OpenAPI file has 3 ice breakers and 30 characters; its page, which is younger, has these. */
const COMMAND_NAME = { min: 1, max: 32 } as const;
const COMMAND_DESCRIPTION = { min: 1, max: 256 } as const;

const CHANGE_NAMES: OptionTable<ConversationalComponentsChanges> = {
  iceBreakers: true,
  commands: true,
  welcomeMessage: true,
};
const CHANGES = /* @__PURE__ */ new OptionNames("conversationalComponents.set", {
  tables: [CHANGE_NAMES],
  hints: { prompts: 'use "iceBreakers"', enable_welcome_message: 'use "welcomeMessage"' },
  example: () => '{ iceBreakers: ["Book a table"], commands: [] }',
});
const COMMAND_NAMES: OptionTable<WhatsAppCommand> = { name: true, description: true };
const COMMAND = /* @__PURE__ */ new OptionNames("A command", {
  tables: [COMMAND_NAMES],
  hints: { command_name: 'use "name"', command_description: 'use "description"' },
  example: () => '{ name: "book", description: "Book a table" }',
});

/**
 * Ice breakers and commands of the number of a {@linkcode WhatsAppApi}: its `conversationalComponents`.
 *
 * @example Two texts to begin with
 * ```ts
 * import { WhatsAppApi } from "@tackline/websocket/whatsapp";
 *
 * export async function prepare(api: WhatsAppApi) {
 *   await api.conversationalComponents.set({
 *     iceBreakers: ["Book a table", "Opening hours"],
 *     commands: [{ name: "book", description: "Book a table" }],
 *   });
 *   return (await api.conversationalComponents.get()).iceBreakers;
 * }
 * ```
 */
export class WhatsAppConversationalComponents {
  readonly #graph: GraphClient;

  /**
   * Begins without a call. Programs use the one of {@linkcode WhatsAppApi}.
   *
   * @param graph The calls.
   */
  constructor(graph: GraphClient) {
    this.#graph = graph;
  }

  /**
   * Reads the components.
   *
   * @param options A signal.
   * @returns The components.
   * @throws {WhatsAppApiError} If the API refuses it.
   */
  async get(options: CallOptions = {}): Promise<ConversationalComponents> {
    CALL_OPTIONS.assert(options);
    const call = { query: { fields: "conversational_automation" }, signal: options.signal };
    const answer = await this.#graph.get(this.#graph.phoneNumberId, call);
    return readComponents(object(answer, "conversational_automation") ?? {});
  }

  /**
   * Sets the components. Customers see them after some time.
   *
   * @param components Ice breakers and commands.
   * @param options A signal.
   * @throws {OptionError} If one is too long, or there are too many.
   * @throws {WhatsAppApiError} If the API refuses it.
   */
  async set(components: ConversationalComponentsChanges, options: CallOptions = {}): Promise<void> {
    CHANGES.assert(components);
    CALL_OPTIONS.assert(options);
    const path = `${this.#graph.phoneNumberId}/conversational_automation`;
    const answer = await this.#graph.post(path, { json: fieldsOf(components), signal: options.signal });
    assertSuccess(answer, "set the conversational components");
  }
}

function fieldsOf({ iceBreakers, commands, welcomeMessage }: ConversationalComponentsChanges): JsonObject {
  if (iceBreakers !== undefined) {
    for (const prompt of listOf("iceBreakers", iceBreakers, MAX_ICE_BREAKERS, 0)) {
      assertLength("iceBreaker", prompt, ICE_BREAKER);
    }
  }
  if (commands !== undefined) listOf("commands", commands, MAX_COMMANDS, 0);
  return withoutUndefined({
    enable_welcome_message: welcomeMessage,
    prompts: iceBreakers,
    commands: commands?.map(commandOf),
  });
}

function commandOf(command: WhatsAppCommand): JsonObject {
  COMMAND.assert(command);
  const { name, description } = command;
  assertLength("name", name, COMMAND_NAME);
  assertLength("description", description, COMMAND_DESCRIPTION);
  if (name.startsWith("/")) throw new OptionError("The name of the command begins with a slash: leave it out");
  return { command_name: name, command_description: description };
}

function readComponents(raw: JsonObject): ConversationalComponents {
  return withoutUndefined({
    iceBreakers: texts(raw, "prompts") ?? [],
    commands: objects(raw, "commands").map((command) => ({
      name: text(command, "command_name") ?? "",
      description: text(command, "command_description") ?? "",
    })),
    welcomeMessage: boolean(raw, "enable_welcome_message"),
    raw,
  });
}
