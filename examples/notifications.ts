/**
 * Notifications in the shape of Meta's, made up: for the demo.
 */

import type { WhatsAppMessage } from "../cloud_api/messages.ts";
import { escapeLikeMeta } from "../cloud_api/simulated.ts";

/** A notification, and what is to become of it. */
export interface Notification {
  /** For a person. */
  title: string;
  /** The body. */
  json: string;
  /** Signature settings. */
  signature: "right" | "wrong" | "missing";
  /** The status it must get. */
  status: number;
  /** Text that each receiver shows. */
  lines: string[];
}

/** Sender of the message. */
export interface Customer {
  name: string;
  /** Digits only. */
  phone: string;
}

const ANNA: Customer = { name: "Anna Example", phone: "491700000001" };
const LUCA: Customer = { name: "Luca Esempio", phone: "393300000002" };

/** A change of the field `messages`. */
export function envelope(value: Record<string, unknown>): Record<string, unknown> {
  const metadata = { display_phone_number: "15550000000", phone_number_id: "100000000000001" };
  return { field: "messages", value: { messaging_product: "whatsapp", metadata, ...value } };
}

/** A whole notification, escaped as Meta does. */
export function body(...changes: Record<string, unknown>[]): string {
  return escapeLikeMeta(
    JSON.stringify({ object: "whatsapp_business_account", entry: [{ id: "200000000000002", changes }] }),
  );
}

let count = 0;

function message(person: Customer, type: string, contents: unknown, more: Record<string, unknown> = {}): string {
  return body(change(person, type, contents, more));
}

/** A change with one message. */
export function change(
  person: Customer,
  type: string,
  contents: unknown,
  more: Record<string, unknown> = {},
): Record<string, unknown> {
  count++;
  return envelope({
    contacts: [{ profile: { name: person.name }, wa_id: person.phone }],
    messages: [{
      from: person.phone,
      id: `wamid.DEMO${count}`,
      timestamp: "1790416800",
      type,
      [type]: contents,
      ...more,
    }],
  });
}

function taken(title: string, json: string, ...lines: string[]): Notification {
  return { title, json, signature: "right", status: 200, lines };
}

/** Notifications that the demo delivers, in order. */
export const notifications: Notification[] = [
  taken(
    "a text with emoji",
    message(ANNA, "text", { body: "Grüße aus Köln 👋🏽 – is 1/2 kg enough?" }),
    "text       Anna Example: Grüße aus Köln 👋🏽 – is 1/2 kg enough?",
  ),
  taken(
    "an image",
    message(ANNA, "image", {
      id: "900000000000001",
      mime_type: "image/jpeg",
      sha256: "c2hhMjU2",
      caption: "The broken part",
    }),
    "image      Anna Example: 900000000000001 image/jpeg (The broken part)",
  ),
  taken(
    "a location",
    message(LUCA, "location", { latitude: 45.4642, longitude: 9.19, name: "Duomo di Milano" }),
    "location   Luca Esempio: 45.4642, 9.19 (Duomo di Milano)",
  ),
  taken(
    "a reaction",
    message(LUCA, "reaction", { message_id: "wamid.SENT1", emoji: "❤️" }),
    "reaction   Luca Esempio: ❤️ to wamid.SENT1",
  ),
  taken(
    "a button reply",
    message(LUCA, "interactive", { type: "button_reply", button_reply: { id: "yes", title: "Yes, please" } }),
    "reply      Luca Esempio: Yes, please [yes]",
  ),
  taken(
    "a status",
    body(
      envelope({
        statuses: [{ id: "wamid.SENT1", status: "read", timestamp: "1790416801", recipient_id: LUCA.phone }],
      }),
    ),
    "status     read for 393300000002",
  ),
  taken(
    "a batch of three",
    body(
      change(ANNA, "text", { body: "first" }),
      change(LUCA, "text", { body: "second" }),
      change(ANNA, "hologram", { id: "1" }),
    ),
    "text       Anna Example: first",
    "text       Luca Esempio: second",
    "unknown    Anna Example: hologram",
  ),
  {
    title: "a signature by another secret",
    json: message(ANNA, "text", { body: "forged" }),
    signature: "wrong",
    status: 401,
    lines: [],
  },
  {
    title: "no signature",
    json: message(ANNA, "text", { body: "unsigned" }),
    signature: "missing",
    status: 401,
    lines: [],
  },
  taken("a last text", message(ANNA, "text", { body: "Thank you!" }), "text       Anna Example: Thank you!"),
];

/** A message in one line, for a person to read. */
export function describeMessage(message: WhatsAppMessage): string {
  const line = (type: string, contents: string): string =>
    `${type.padEnd(10)} ${message.sender.name ?? message.sender.id}: ${contents}`;
  switch (message.type) {
    case "text":
      return line("text", message.text.body);
    case "image":
      return line("image", `${message.image.id} ${message.image.mimeType} (${message.image.caption ?? ""})`);
    case "location": {
      const { latitude, longitude, name } = message.location;
      return line("location", `${latitude}, ${longitude} (${name ?? ""})`);
    }
    case "reaction":
      return line("reaction", `${message.reaction.emoji ?? "removed"} to ${message.reaction.messageId}`);
    case "interactive":
      return line("reply", `${message.interactive.title} [${message.interactive.id}]`);
    case "unknown":
      return line("unknown", message.originalType);
    default:
      return line(message.type, JSON.stringify(message.raw));
  }
}
