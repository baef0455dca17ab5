/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
/**
 * The page: shows conversations, the messages of one of them, and the state of the connection. It changes what has changed, and
 * asks nobody for data.
 */

import { showContents, summarize } from "./contents.ts";
import type { Change, Conversation, Conversations, Entry } from "./conversations.ts";
import { find, make } from "./elements.ts";

/** The state of the connection, and what is said of it. */
export type ConnectionView = "connecting" | "online" | "offline";

const TICKS = new Map([
  ["sent", "✓"],
  ["delivered", "✓✓"],
  ["read", "✓✓"],
  ["played", "✓✓"],
  ["failed", "⚠"],
]);

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const calendar = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "medium" });

/** Ties the model to the page. */
export class InboxView {
  #conversations: Conversations;
  #list: HTMLUListElement = find("conversations", HTMLUListElement);
  #thread: HTMLElement = find("thread", HTMLElement);
  #messages: HTMLOListElement = find("messages", HTMLOListElement);
  #name: HTMLHeadingElement = find("thread-name", HTMLHeadingElement);
  #number: HTMLElement = find("thread-number", HTMLElement);
  #connection: HTMLElement = find("connection", HTMLElement);
  #rows = new Map<string, HTMLLIElement>();
  #bubbles = new Map<string, HTMLLIElement>();
  #selected: string | undefined;

  constructor(conversations: Conversations) {
    this.#conversations = conversations;
    this.#list.addEventListener("keydown", (event) => this.#moveFocus(event));
    find("back", HTMLButtonElement).addEventListener("click", () => this.#leave());
    this.#thread.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.#leave();
    });
  }

  /** Shows the state of the connection. */
  showConnection(state: ConnectionView, text: string): void {
    this.#connection.dataset.state = state;
    this.#connection.textContent = text;
  }

  /** Shows what has changed. */
  show({ conversation, entry }: Change): void {
    if (conversation.id === this.#selected) {
      if (document.visibilityState === "visible") this.#conversations.markRead(conversation.id);
      this.#showEntry(entry);
      this.#name.textContent = conversation.name;
    }
    this.#showRow(conversation);
    this.#forgetOld();
    this.#showUnread();
  }

  // ---- The list ------------------------------------------------------------------------------------------------

  /** Puts a conversation on top of the list. The button stays the same, so that the focus does. */
  #showRow(conversation: Conversation): void {
    const row = this.#rows.get(conversation.id) ?? this.#makeRow(conversation.id);
    const [button] = row.children as unknown as [HTMLButtonElement];
    button.replaceChildren(...describeConversation(conversation));
    button.setAttribute("aria-current", String(conversation.id === this.#selected));
    const focused = document.activeElement === button;
    if (this.#list.firstElementChild !== row) this.#list.prepend(row);
    if (focused) button.focus();
  }

  #makeRow(id: string): HTMLLIElement {
    const button = make("button", "conversation");
    button.type = "button";
    button.addEventListener("click", () => this.#select(id));
    const row = make("li", "", button);
    this.#rows.set(id, row);
    return row;
  }

  #forgetOld(): void {
    for (const [id, row] of this.#rows) {
      if (this.#conversations.get(id) !== undefined) continue;
      row.remove();
      this.#rows.delete(id);
    }
  }

  #showUnread(): void {
    const { unread } = this.#conversations;
    document.title = unread === 0 ? "Inbox" : `(${unread}) Inbox`;
  }

  /** Arrow keys, Home and End move between conversations. */
  #moveFocus(event: KeyboardEvent): void {
    const buttons = [...this.#list.querySelectorAll("button")];
    const at = buttons.indexOf(document.activeElement as HTMLButtonElement);
    const targets = new Map([["ArrowDown", at + 1], ["ArrowUp", at - 1], ["Home", 0], ["End", buttons.length - 1]]);
    const target = buttons[targets.get(event.key) ?? -1];
    if (target === undefined) return;
    event.preventDefault();
    target.focus();
  }

  // ---- One conversation ----------------------------------------------------------------------------------------

  #select(id: string): void {
    const before = this.#selected;
    this.#selected = id;
    this.#conversations.markRead(id);
    for (const changed of [before, id]) this.#refreshRow(changed);
    const conversation = this.#conversations.get(id)!;
    this.#name.textContent = conversation.name;
    this.#number.textContent = id === conversation.name ? "" : id;
    this.#bubbles.clear();
    this.#messages.replaceChildren();
    for (const entry of conversation.entries) this.#showEntry(entry);
    document.body.dataset.view = "thread";
    this.#messages.scrollTop = this.#messages.scrollHeight;
    this.#messages.focus();
    this.#showUnread();
  }

  /** Shows a row anew where it is. */
  #refreshRow(id: string | undefined): void {
    const conversation = id === undefined ? undefined : this.#conversations.get(id);
    const button = this.#rows.get(id ?? "")?.firstElementChild;
    if (conversation === undefined || !button) return;
    button.replaceChildren(...describeConversation(conversation));
    button.setAttribute("aria-current", String(id === this.#selected));
  }

  /** Back to the list: on a phone only one of the two is seen. */
  #leave(): void {
    document.body.dataset.view = "list";
    this.#rows.get(this.#selected ?? "")?.querySelector("button")?.focus();
  }

  #showEntry(entry: Entry): void {
    const bubble = describeEntry(entry);
    const before = this.#bubbles.get(entry.id);
    const { scrollTop, scrollHeight, clientHeight } = this.#messages;
    const atEnd = scrollHeight - scrollTop - clientHeight < 80;
    if (before === undefined) this.#messages.append(bubble);
    else before.replaceWith(bubble);
    this.#bubbles.set(entry.id, bubble);
    // Who reads older messages is not disturbed.
    if (atEnd) this.#messages.scrollTop = this.#messages.scrollHeight;
  }
}

function describeConversation({ id, name, entries, unread }: Conversation): Node[] {
  const last = entries.at(-1)!;
  const text = last.message === undefined ? `You: a message (${last.status})` : summarize(last.message);
  const line = make("span", "row-line", make("strong", "", name), showTime(last.time));
  const preview = make("span", "row-line", make("span", "preview", text));
  if (unread > 0) {
    const badge = make("span", "badge", String(unread));
    badge.ariaLabel = `${unread} unread`;
    preview.append(badge);
  }
  return [makeAvatar(id, name), make("span", "row-text", line, preview)];
}

function makeAvatar(id: string, name: string): HTMLElement {
  const initials = name.split(" ").map((word) => [...word][0] ?? "").slice(0, 2).join("").toUpperCase();
  const avatar = make("span", "avatar", initials);
  const hue = [...id].reduce((sum, char) => (sum * 31 + char.codePointAt(0)!) % 360, 7);
  avatar.style.setProperty("--hue", String(hue));
  avatar.ariaHidden = "true";
  return avatar;
}

function showTime(time: Date): HTMLTimeElement {
  const element = make("time", "", clock.format(time));
  element.dateTime = time.toISOString();
  element.title = calendar.format(time);
  return element;
}

function describeEntry({ message, status, time, reactions }: Entry): HTMLLIElement {
  const contents = message === undefined ? [make("p", "note", "A message of yours")] : showContents(message);
  const footer = make("footer", "", showTime(time), status === undefined ? undefined : showStatus(status));
  const bubble = make("article", "bubble", ...contents, footer);
  const item = make("li", message === undefined ? "outgoing" : "incoming", bubble);
  if (reactions.size > 0) {
    const chip = make("span", "reactions", [...reactions.values()].join(""));
    chip.role = "img";
    chip.ariaLabel = `Reactions: ${[...reactions.values()].join(" ")}`;
    bubble.append(chip);
  }
  return item;
}

function showStatus(status: string): HTMLElement {
  const ticks = make("span", "ticks", TICKS.get(status) ?? status);
  ticks.dataset.status = status;
  ticks.role = "img";
  ticks.ariaLabel = status;
  ticks.title = status;
  return ticks;
}
