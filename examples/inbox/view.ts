/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
/**
 * The page: shows conversations, the messages of one of them, and the state of the connection. It changes what has
 * changed, and requests no data.
 */

import { showContents, summarize, summarizePayment } from "./contents.ts";
import type { Change, Conversation, Conversations, Entry } from "./conversations.ts";
import { type Child, find, make } from "./elements.ts";

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
const day = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
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
  #buttons = new Map<string, HTMLButtonElement>();
  #bubbles = new Map<string, HTMLLIElement>();
  #selected: string | undefined;

  constructor(conversations: Conversations) {
    this.#conversations = conversations;
    this.#list.addEventListener("keydown", (event) => this.#moveFocus(event));
    // The browser's own way back leads to the list too, rather than away from the page.
    find("back", HTMLButtonElement).addEventListener("click", () => history.back());
    this.#thread.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && document.body.dataset.view === "thread") history.back();
    });
    addEventListener("popstate", () => this.#leave());
    // Messages that came in the background are seen now.
    document.addEventListener("visibilitychange", () => this.#markSeen());
  }

  /** Shows the state of the connection. */
  showConnection(state: ConnectionView, text: string): void {
    this.#connection.dataset.state = state;
    this.#connection.textContent = text;
  }

  /** Shows what has changed. */
  show({ conversation, entry, added }: Change): void {
    if (conversation.id === this.#selected) {
      this.#showEntry(entry);
      this.#forgetEntries(conversation.entries.length);
      this.#name.textContent = conversation.name;
    }
    this.#showRow(conversation);
    if (added) this.#moveToTop(conversation.id);
    this.#forgetRows();
    this.#markSeen();
  }

  /**
   * Notes that the selected conversation is seen, if it is: the tab may be hidden, and on a phone the list may be in
   * its place.
   */
  #markSeen(): void {
    const conversation = this.#conversations.get(this.#selected ?? "");
    if (conversation !== undefined) {
      if (document.visibilityState === "visible" && this.#thread.checkVisibility()) {
        this.#conversations.markRead(conversation.id);
      }
      this.#showRow(conversation);
    }
    const { unread } = this.#conversations;
    document.title = unread === 0 ? "Inbox" : `(${unread}) Inbox`;
  }

  // ---- The list ------------------------------------------------------------------------------------------------

  /** Shows a conversation where it is in the list; one that is new at the end. */
  #showRow(conversation: Conversation): void {
    const button = this.#buttons.get(conversation.id) ?? this.#makeRow(conversation.id);
    button.replaceChildren(...describeConversation(conversation));
    button.setAttribute("aria-current", String(conversation.id === this.#selected));
  }

  #makeRow(id: string): HTMLButtonElement {
    const button = make("button", "conversation");
    button.type = "button";
    button.addEventListener("click", () => this.#select(id));
    this.#buttons.set(id, button);
    this.#list.append(make("li", "", button));
    return button;
  }

  /** Puts a row on top. The button stays the same, so that the focus does. */
  #moveToTop(id: string): void {
    const button = this.#buttons.get(id)!;
    const row = button.parentElement!;
    if (this.#list.firstElementChild === row) return;
    const focused = document.activeElement === button;
    this.#list.prepend(row);
    if (focused) button.focus();
  }

  #forgetRows(): void {
    for (const [id, button] of this.#buttons) {
      if (this.#conversations.get(id) !== undefined) continue;
      button.parentElement!.remove();
      this.#buttons.delete(id);
    }
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
    const before = this.#conversations.get(this.#selected ?? "");
    this.#selected = id;
    if (before !== undefined) this.#showRow(before);
    const conversation = this.#conversations.get(id)!;
    this.#name.textContent = conversation.name;
    this.#number.textContent = id === conversation.name ? "" : id;
    this.#bubbles = new Map(conversation.entries.map((entry) => [entry.id, describeEntry(entry)]));
    this.#messages.replaceChildren(...this.#bubbles.values());
    if (document.body.dataset.view !== "thread") history.pushState(null, "");
    document.body.dataset.view = "thread";
    this.#messages.scrollTop = this.#messages.scrollHeight;
    this.#messages.focus();
    this.#markSeen();
  }

  /** Back to the list: on a phone only one of the two is seen. */
  #leave(): void {
    document.body.dataset.view = "list";
    this.#buttons.get(this.#selected ?? "")?.focus();
  }

  /** Shows a new message, or what has changed of one: its contents stay as they are, and are not read out once more. */
  #showEntry(entry: Entry): void {
    const { scrollTop, scrollHeight, clientHeight } = this.#messages;
    const atEnd = scrollHeight - scrollTop - clientHeight < 80;
    const before = this.#bubbles.get(entry.id);
    if (before === undefined) {
      const bubble = describeEntry(entry);
      this.#bubbles.set(entry.id, bubble);
      this.#messages.append(bubble);
    } else before.querySelector("footer")!.replaceWith(describeState(entry));
    // Who reads older messages is not disturbed.
    if (atEnd) this.#messages.scrollTop = this.#messages.scrollHeight;
  }

  /** Removes the oldest beyond so many. */
  #forgetEntries(most: number): void {
    for (const [id, bubble] of this.#bubbles) {
      if (this.#bubbles.size <= most) break;
      bubble.remove();
      this.#bubbles.delete(id);
    }
  }
}

function describeConversation({ id, name, entries, unread }: Conversation): Node[] {
  const last = entries.at(-1)!;
  const text = summarizeEntry(last);
  const line = make("span", "row-line", make("strong", "", name), showTime(last.time));
  const preview = make("span", "row-line", make("span", "preview", text));
  if (unread > 0) {
    const badge = make("span", "badge", String(unread));
    badge.ariaLabel = `${unread} unread`;
    preview.append(badge);
  }
  return [makeAvatar(id, name), make("span", "row-text", line, preview)];
}

function summarizeEntry({ message, own, payment, status }: Entry): string {
  if (message !== undefined) return summarize(message);
  if (payment !== undefined) return `${summarizePayment(payment)} (${status})`;
  return own === undefined ? `You: a message (${status})` : `You: ${summarize(own)}`;
}

function makeAvatar(id: string, name: string): HTMLElement {
  const initials = name.split(" ").map((word) => [...word][0] ?? "").slice(0, 2).join("").toUpperCase();
  const avatar = make("span", "avatar", initials);
  const hue = [...id].reduce((sum, char) => (sum * 31 + char.codePointAt(0)!) % 360, 7);
  // Spread: neighbouring numbers get colours that differ.
  avatar.style.setProperty("--hue", String((hue * 137) % 360));
  avatar.ariaHidden = "true";
  return avatar;
}

function showTime(time: Date): HTMLTimeElement {
  const today = time.toDateString() === new Date().toDateString();
  const element = make("time", "", today ? clock.format(time) : `${day.format(time)}, ${clock.format(time)}`);
  element.dateTime = time.toISOString();
  element.title = calendar.format(time);
  return element;
}

function describeEntry(entry: Entry): HTMLLIElement {
  const { message } = entry;
  // In a group several people speak.
  const sender = message?.groupId && make("strong", "sender", message.sender.name ?? message.sender.id);
  const bubble = make("article", "bubble", sender, ...showEntryContents(entry), describeState(entry));
  return make("li", message === undefined ? "outgoing" : "incoming", bubble);
}

function showEntryContents({ message, own, payment }: Entry): Child[] {
  const shown = message ?? own;
  if (shown !== undefined) return showContents(shown);
  return [make("p", "note", payment === undefined ? "A message of yours" : summarizePayment(payment))];
}

/** Shows the parts of a message that may change: its status and its reactions. */
function describeState({ status, time, reactions }: Entry): HTMLElement {
  const line = make("span", "state", showTime(time), status === undefined ? undefined : showStatus(status));
  return make("footer", "", line, showReactions([...reactions.values()].flatMap(({ emoji }) => emoji ?? [])));
}

/** Each emoji once, with how many people chose it. */
function showReactions(emoji: string[]): HTMLElement | undefined {
  if (emoji.length === 0) return undefined;
  const counts = new Map<string, number>();
  for (const one of emoji) counts.set(one, (counts.get(one) ?? 0) + 1);
  const text = [...counts].map(([one, count]) => count === 1 ? one : `${one} ${count}`).join(" ");
  const chip = make("span", "reactions", text);
  chip.role = "img";
  chip.ariaLabel = `Reactions: ${text}`;
  return chip;
}

function showStatus(status: string): HTMLElement {
  const ticks = make("span", "ticks", TICKS.get(status) ?? status);
  ticks.dataset.status = status;
  ticks.role = "img";
  ticks.ariaLabel = status;
  ticks.title = status;
  return ticks;
}
