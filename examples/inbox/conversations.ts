/**
 * Content of the inbox: conversations and their messages in the order of arrival, made of messages, reactions
 * and statuses, some of which come late or twice. It knows nothing of the page, so that it is tested without one.
 */

import type { WhatsAppMessage, WhatsAppReaction } from "../../cloud_api/messages.ts";
import type { WhatsAppEcho, WhatsAppPayment, WhatsAppStatus } from "../../cloud_api/records.ts";
import { laterStatus } from "../../cloud_api/status.ts";

/** The oldest are forgotten beyond so many: the page may stay open for weeks. */
export const MAX_CONVERSATIONS = 300;
export const MAX_ENTRIES = 500;
const MAX_EARLY_REACTIONS = 500;

/** Delivery status of a message. A failure is the end of it; a status that is not here gives way to any that is. */
const PROGRESS = ["sent", "delivered", "read", "played", "failed"];

/** One message in a conversation. */
export interface Entry {
  readonly id: string;
  /** Message that the customer sent; `undefined` for a message of the business, of which only the status is told. */
  readonly message?: WhatsAppMessage;
  /** Message that the business sent with the app. */
  readonly own?: WhatsAppMessage;
  /** Payment that the business asked for. */
  readonly payment?: WhatsAppPayment;
  readonly time: Date;
  /** By who reacted. Without an emoji the reaction was taken back. */
  readonly reactions: ReadonlyMap<string, { emoji?: string }>;
  /** `sent`, `delivered`, `read`, `failed`, …: messages of the business; `captured`, …: payments. */
  readonly status?: string;
}

/** All that was said with one customer, or in one group. */
export interface Conversation {
  readonly id: string;
  readonly name: string;
  readonly entries: readonly Entry[];
  readonly unread: number;
}

/** Change of a conversation. */
export interface Change {
  conversation: Conversation;
  entry: Entry;
  /** True if the entry is new; false if its status or reactions have changed. */
  added: boolean;
}

/** Reactions by sender, with their time; withdrawn ones too, since Meta may repeat them. */
type Reactions = Map<string, { emoji?: string; time: number }>;
type MutableEntry = { -readonly [Key in keyof Entry]: Entry[Key] } & { reactions: Reactions };
type MutableConversation = Omit<{ -readonly [Key in keyof Conversation]: Conversation[Key] }, "entries"> & {
  entries: MutableEntry[];
};

/** All conversations, the one with the newest message first. */
export class Conversations {
  #byId = new Map<string, MutableConversation>();
  #entries = new Map<string, { conversation: MutableConversation; entry: MutableEntry }>();
  /** Reactions to messages that have not come yet. */
  #early = new Map<string, Reactions>();

  /** The conversations in their order. */
  get all(): Conversation[] {
    return [...this.#byId.values()].reverse();
  }

  /** Number of messages that were not seen yet. */
  get unread(): number {
    return this.all.reduce((sum, { unread }) => sum + unread, 0);
  }

  get(id: string): Conversation | undefined {
    return this.#byId.get(id);
  }

  /**
   * Takes a message; `undefined` if nothing is to be shown for it: it came before, or reacts to one that is not here.
   */
  takeMessage(message: WhatsAppMessage): Change | undefined {
    if (message.type === "reaction") {
      return this.#react(message.reaction, message.sender.id, message.timestamp?.getTime() ?? Date.now());
    }
    if (this.#entries.has(message.id)) return undefined;
    const conversation = this.#open(message.groupId ?? message.sender.id, message.groupId ?? message.sender.name);
    conversation.unread++;
    return this.#add(conversation, {
      id: message.id,
      message,
      time: message.timestamp ?? new Date(),
      reactions: this.#earlyReactions(message.id),
    });
  }

  /** Takes a status; `undefined` if it says nothing new: it came before, or one that is further on did. */
  takeStatus(status: WhatsAppStatus): Change | undefined {
    const known = this.#entries.get(status.id);
    if (known !== undefined) {
      if (!isProgress(known.entry.status, status.status)) return undefined;
      known.entry.status = status.status;
      return { ...known, added: false };
    }
    const customer = status.recipientId ?? status.recipientUserId;
    if (customer === undefined) return undefined;
    return this.#add(this.#open(customer, undefined), {
      id: status.id,
      time: status.timestamp ?? new Date(),
      reactions: this.#earlyReactions(status.id),
      status: status.status,
    });
  }

  /** Takes a message that the business sent with the app; `undefined` if it is here already. */
  takeEcho({ message, to, recipientName, timestamp }: WhatsAppEcho): Change | undefined {
    if (to === "" || message.type === "reaction" || this.#entries.has(message.id)) return undefined;
    return this.#add(this.#open(to, recipientName), {
      id: message.id,
      own: message,
      time: timestamp ?? new Date(),
      reactions: this.#earlyReactions(message.id),
    });
  }

  /** Takes the status of a payment: each attempt is an entry; `undefined` if it says nothing new. */
  takePayment(payment: WhatsAppPayment): Change | undefined {
    const customer = payment.recipientId ?? payment.recipientUserId;
    if (customer === undefined) return undefined;
    const id = `payment ${payment.id} ${payment.payment.transaction?.id ?? ""}`;
    const known = this.#entries.get(id);
    if (known === undefined) {
      const { status, recipientName, timestamp = new Date() } = payment;
      const entry = { id, payment, status, time: timestamp, reactions: new Map() };
      return this.#add(this.#open(customer, recipientName), entry);
    }
    if (laterStatus(known.entry.payment, payment) !== payment) return undefined;
    known.entry.payment = payment;
    known.entry.status = payment.status;
    return { ...known, added: false };
  }

  /** Marks a conversation as seen. */
  markRead(id: string): void {
    const conversation = this.#byId.get(id);
    if (conversation !== undefined) conversation.unread = 0;
  }

  #open(id: string, name: string | undefined): MutableConversation {
    const conversation = this.#byId.get(id) ?? { id, name: id, entries: [], unread: 0 };
    if (name !== undefined) conversation.name = name;
    // The newest is the last one.
    this.#byId.delete(id);
    this.#byId.set(id, conversation);
    for (const [oldest, { entries }] of this.#byId) {
      if (this.#byId.size <= MAX_CONVERSATIONS) break;
      this.#byId.delete(oldest);
      for (const entry of entries) this.#entries.delete(entry.id);
    }
    return conversation;
  }

  #add(conversation: MutableConversation, entry: MutableEntry): Change {
    conversation.entries.push(entry);
    this.#entries.set(entry.id, { conversation, entry });
    if (conversation.entries.length > MAX_ENTRIES) this.#entries.delete(conversation.entries.shift()!.id);
    return { conversation, entry, added: true };
  }

  /** A reaction without an emoji takes the one before back. What is older than what is known says nothing new. */
  #react({ messageId, emoji }: WhatsAppReaction, sender: string, time: number): Change | undefined {
    const known = this.#entries.get(messageId);
    const reactions = known?.entry.reactions ?? this.#early.get(messageId) ?? new Map();
    if (time < (reactions.get(sender)?.time ?? time)) return undefined;
    reactions.set(sender, { emoji, time });
    if (known !== undefined) return { ...known, added: false };
    this.#early.set(messageId, reactions);
    for (const oldest of this.#early.keys()) {
      if (this.#early.size <= MAX_EARLY_REACTIONS) break;
      this.#early.delete(oldest);
    }
    return undefined;
  }

  #earlyReactions(messageId: string): Reactions {
    const reactions = this.#early.get(messageId) ?? new Map();
    this.#early.delete(messageId);
    return reactions;
  }
}

/** Meta delivers statuses in any order: `read` may come before `delivered`. */
function isProgress(before: string | undefined, now: string): boolean {
  return before === undefined || PROGRESS.indexOf(now) > PROGRESS.indexOf(before);
}
