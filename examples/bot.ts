/**
 * A bot to copy, of a restaurant: it answers a text with buttons, sends an image, books a table with a flow, and hands
 * over to a person.
 *
 *   deno run -A examples/bot.ts     or     bun examples/bot.ts
 *
 * It wants a running `WhatsAppServer` and these variables: WHATSAPP_SERVER_URL, WHATSAPP_RECEIVER_TOKEN,
 * WHATSAPP_ACCESS_TOKEN, WHATSAPP_PHONE_NUMBER_ID, WHATSAPP_FLOW_ID. docs/meta-setup.md says where they are from.
 */

import { openAsBlob } from "node:fs";
import process from "node:process";
import { DatabaseSync } from "node:sqlite";
import { WhatsAppApi, WhatsAppApiError, type WhatsAppMessage, WhatsAppReceiver } from "@tackline/websocket/whatsapp";

/** What the bot works with. */
export interface BotOptions {
  /** URL of the `WhatsAppServer`. */
  url: string;
  /** Token of the receiver. */
  receiverToken: string;
  /** Client of the Cloud API. */
  api: WhatsAppApi;
  /** A published flow that asks for `date` and `guests`. */
  flowId: string;
  /** File of what the bot must not forget. */
  database: string;
}

/** Starts the bot, until `disconnect()` ends it. */
export async function startBot(options: BotOptions): Promise<WhatsAppReceiver> {
  const notes = new Notes(options.database);
  const bot = new Bot(options, notes);
  const receiver = new WhatsAppReceiver(options.url, {
    receiverToken: options.receiverToken,
    name: "bot", // the server keeps what comes while the bot is away
    reconnect: true,
    deduplicate: notes, // Meta may bring a message twice, also after a restart
    onWhatsAppMessageReceived: (message) => bot.answer(message),
    onNotification: (record) => {
      if (record.kind === "handover" && record.event === "control_passed") notes.letBotAnswer(record.user.id);
    },
    onError: (error) => console.error(error),
  });
  await receiver.connect();
  return receiver;
}

/** Answers of the bot. */
class Bot {
  readonly #api: WhatsAppApi;
  readonly #flowId: string;
  readonly #notes: Notes;

  constructor({ api, flowId }: BotOptions, notes: Notes) {
    this.#api = api;
    this.#flowId = flowId;
    this.#notes = notes;
  }

  /** Answers a message. It is acknowledged when the promise is fulfilled; if it is rejected, it comes again. */
  async answer(message: WhatsAppMessage): Promise<void> {
    try {
      await this.#answer(message);
    } catch (error) {
      // An outage passes: the message comes again. Whatever else has failed would fail again, and the bot goes on.
      if (isOutage(error)) throw error;
      console.error(error);
    }
  }

  async #answer(message: WhatsAppMessage): Promise<void> {
    const reply = message.type === "interactive" ? message.interactive : undefined;
    if (reply?.id === "bot") this.#notes.letBotAnswer(message.sender.id);
    if (this.#notes.personAnswers(message.sender.id)) return;
    if (message.type !== "text" && reply === undefined) return; // reactions, places, …
    await this.#api.markAsRead(message.id, { typing: true });
    if (reply?.id === "menu") await this.#sendMenu(message);
    else if (reply?.id === "table") await this.#sendForm(message);
    else if (reply?.id === "person") await this.#callPerson(message);
    else if (reply?.type === "nfm_reply") await this.#book(message, reply.response);
    else await this.#greet(message);
  }

  async #greet(message: WhatsAppMessage): Promise<void> {
    await this.#api.sendButtons(message, {
      body: "Hello! What can I do for you?",
      buttons: [
        { id: "menu", title: "Show the menu" },
        { id: "table", title: "Book a table" },
        { id: "person", title: "Talk to a person" },
      ],
    });
  }

  async #sendMenu(message: WhatsAppMessage): Promise<void> {
    const file = await openAsBlob(new URL("menu.png", import.meta.url), { type: "image/png" });
    await this.#api.sendImage(message, { file, caption: "Our menu" });
  }

  async #sendForm(message: WhatsAppMessage): Promise<void> {
    await this.#api.sendFlow(message, {
      body: "Tell us when, and for how many.",
      button: "Book a table",
      flowId: this.#flowId,
      token: message.id, // comes back with the answer
    });
  }

  /** The answer of a flow is JSON that came from the customer's phone: look at it as at any input. */
  async #book(message: WhatsAppMessage, response: unknown): Promise<void> {
    const { date, guests } = Object(response) as { date?: unknown; guests?: unknown };
    const text = typeof date === "string" && Number(guests) > 0
      ? `A table for ${Number(guests)} on ${date}: see you then!`
      : "Something is missing: please try again.";
    await this.#api.reply(message, text);
  }

  async #callPerson(message: WhatsAppMessage): Promise<void> {
    await this.#api.sendButtons(message, {
      body: "A person will read this and answer you here.",
      buttons: [{ id: "bot", title: "Back to the bot" }],
    });
    this.#notes.letPersonAnswer(message.sender.id);
    try {
      await this.#api.conversation.pass(message, { metadata: "wants to talk to a person" });
    } catch (error) {
      if (isOutage(error)) throw error;
      // Meta knows no other app for this number: the business answers with the app on its phone.
    }
  }
}

/** Tells if a call of the API has failed for a reason that passes; 401 lasts until there is another access token. */
function isOutage(error: unknown): boolean {
  return error instanceof WhatsAppApiError && (error.isTransient || error.status === 401);
}

/** Notes that outlive the bot: messages it has answered, and customers whom a person answers. */
class Notes {
  readonly #database: DatabaseSync;

  constructor(file: string) {
    this.#database = new DatabaseSync(file);
    this.#database.exec(`
      CREATE TABLE IF NOT EXISTS seen (key TEXT PRIMARY KEY, time INTEGER DEFAULT (unixepoch())) WITHOUT ROWID;
      CREATE TABLE IF NOT EXISTS person (customer TEXT PRIMARY KEY) WITHOUT ROWID;
      DELETE FROM seen WHERE time < unixepoch() - 8 * 24 * 3600; -- Meta tries for 7 days
    `);
  }

  /** For `deduplicate`: tells if a record has been handled. */
  has(key: string): boolean {
    return this.#database.prepare("SELECT 1 FROM seen WHERE key = ?").get(key) !== undefined;
  }

  /** For `deduplicate`: notes that a record has been handled. */
  add(key: string): void {
    this.#database.prepare("INSERT OR IGNORE INTO seen (key) VALUES (?)").run(key);
  }

  /** Tells if a person answers this customer. */
  personAnswers(customer: string): boolean {
    return this.#database.prepare("SELECT 1 FROM person WHERE customer = ?").get(customer) !== undefined;
  }

  /** Silences the bot. */
  letPersonAnswer(customer: string): void {
    this.#database.prepare("INSERT OR IGNORE INTO person VALUES (?)").run(customer);
  }

  /** Lets the bot answer again. */
  letBotAnswer(customer: string): void {
    this.#database.prepare("DELETE FROM person WHERE customer = ?").run(customer);
  }
}

function variable(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`The variable ${name} is not set`);
  return value;
}

if (import.meta.main) {
  const bot = await startBot({
    url: variable("WHATSAPP_SERVER_URL"),
    receiverToken: variable("WHATSAPP_RECEIVER_TOKEN"),
    api: new WhatsAppApi({
      accessToken: variable("WHATSAPP_ACCESS_TOKEN"),
      phoneNumberId: variable("WHATSAPP_PHONE_NUMBER_ID"),
    }),
    flowId: variable("WHATSAPP_FLOW_ID"),
    database: "bot.db",
  });
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => void bot.disconnect());
  console.log("The bot is running: Ctrl+C ends it.");
}
