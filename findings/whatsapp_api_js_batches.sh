#!/usr/bin/env bash
# whatsapp-api-js hands over the first item of a notification only.
#
# Versions: whatsapp-api-js 6.3.0 (npm), node 20.
# Guess: each message and status of a notification reaches its handler, since Meta may put up to 1000 into one.
# Seen: of two messages in one value, and of two changes, the second one is dropped; so is a status beside a message.
# `post` succeeds, so that Meta gets 200 and never sends them again. An approved template makes it throw.
# What follows from it: whoever moves here gets records that were lost before; docs/whatsapp-peers.md says so.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund whatsapp-api-js@6.3.0

cat >batch.mjs <<'JS'
import { WhatsAppAPI } from "whatsapp-api-js";
const text = (id, body) => ({ from: "15550002222", id, timestamp: "1750000000", type: "text", text: { body } });
const change = (lists) => ({
  field: "messages",
  value: {
    messaging_product: "whatsapp",
    metadata: { display_phone_number: "15550001111", phone_number_id: "777" },
    contacts: [{ profile: { name: "Anna Example" }, wa_id: "15550002222" }],
    ...lists,
  },
});
const read = { id: "wamid.OUT", status: "read", timestamp: "1750000000", recipient_id: "15550002222" };
const approved = {
  event: "APPROVED",
  message_template_id: 1,
  message_template_name: "order_update",
  message_template_language: "en_US",
};
const api = new WhatsAppAPI({ token: "t", secure: false, v: "v24.0" });
let got = [];
api.on.message = ({ message }) => void got.push(message.text.body);
api.on.status = ({ status }) => void got.push(status);
const cases = {
  "two messages": [change({ messages: [text("wamid.1", "one"), text("wamid.2", "two")] })],
  "two changes": [change({ messages: [text("wamid.1", "one")] }), change({ messages: [text("wamid.2", "two")] })],
  "a message and a status": [change({ messages: [text("wamid.1", "one")], statuses: [read] })],
  "a template": [{ field: "message_template_status_update", value: approved }],
};
for (const [name, changes] of Object.entries(cases)) {
  got = [];
  let end = "ok";
  try {
    await api.post({ object: "whatsapp_business_account", entry: [{ id: "1", changes }] });
  } catch (error) {
    end = error.constructor.name;
  }
  await new Promise((resolve) => setTimeout(resolve, 50)); // handlers may be called later
  console.log(`${name}: ${end}, ${got.join(" ") || "nothing"}`);
}
JS
seen=$(node batch.mjs)
echo "$seen"
[ "$seen" = "two messages: ok, one
two changes: ok, one
a message and a status: ok, one
a template: TypeError, nothing" ] || { echo "The behaviour has changed" >&2; exit 1; }
