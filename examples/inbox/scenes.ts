/**
 * Events of the live inbox: notifications in the shape of Meta's, made up, one after the other.
 */

import { body, change, type Customer, envelope } from "../notifications.ts";

const ANNA: Customer = { name: "Anna Example", phone: "491700000001" };
const LUCA: Customer = { name: "Luca Esempio", phone: "393300000002" };
const MAYA: Customer = { name: "Maya Muster", phone: "819000000003" };

function status(id: string, customer: Customer, state: string, at: number): string {
  return body(envelope({ statuses: [{ id, status: state, timestamp: String(at), recipient_id: customer.phone }] }));
}

/** The notifications, with the time at which they are asked for. */
export function* scenes(): Generator<string> {
  const now = (): number => Math.floor(Date.now() / 1000);
  const from = (customer: Customer, id: string, type: string, contents: unknown): string =>
    body(change(customer, type, contents, { id, timestamp: String(now()) }));
  yield from(ANNA, "wamid.A1", "text", { body: "Good morning! Is the blue lamp still there? 💡" });
  yield status("wamid.B1", ANNA, "sent", now());
  yield status("wamid.B1", ANNA, "delivered", now());
  yield from(LUCA, "wamid.L1", "image", {
    id: "900000000000001",
    mime_type: "image/jpeg",
    caption: "This part is broken",
  });
  yield status("wamid.B1", ANNA, "read", now());
  yield from(ANNA, "wamid.A2", "reaction", { message_id: "wamid.B1", emoji: "❤️" });
  yield from(MAYA, "wamid.M1", "location", {
    latitude: 35.6586,
    longitude: 139.7454,
    name: "Tokyo Tower",
    address: "4-2-8 Shibakoen, Minato City, Tokyo",
  });
  yield from(LUCA, "wamid.L2", "document", {
    id: "900000000000002",
    mime_type: "application/pdf",
    filename: "invoice-2026-1107.pdf",
    caption: "The invoice, for the guarantee",
  });
  yield from(ANNA, "wamid.A3", "interactive", {
    type: "button_reply",
    button_reply: { id: "yes", title: "Yes, please reserve it" },
  });
  yield status("wamid.B2", LUCA, "sent", now());
  yield status("wamid.B2", LUCA, "delivered", now());
  yield from(LUCA, "wamid.L3", "text", { body: "<b>This is not bold</b> & <img src=x onerror=alert(1)> does not run" });
  yield from(MAYA, "wamid.M2", "audio", { id: "900000000000003", mime_type: "audio/ogg; codecs=opus", voice: true });
  yield status("wamid.B2", LUCA, "read", now());
  yield from(ANNA, "wamid.A4", "text", { body: "Thank you! 🙏\nSee you on Saturday." });
}
